"""What the tests of campaigns share: a campaign in a folder of its own, what it found, and how tests are counted."""
import os
import sqlite3
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXPLORE = [sys.executable, f"{TOP}/frontends/campaign/explore.py"]
GEMEL = f"{TOP}/build/hosted/frontends/cli/gemel"
TIMEOUT_S = 240
FOUND, OK, REFUSED = 2, 0, 2


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


def fresh():
    return tempfile.TemporaryDirectory(prefix="gemel-explore-")


def explore(folder, *words, environment=None, status=FOUND):
    """What the command prints, for a campaign kept in `folder`."""
    options = ["--store", f"{folder}/campaign", "--journals", folder, "--jobs", "2"]
    done = subprocess.run(
        EXPLORE + options + list(words), env={**os.environ, "GEMEL_ROOT": TOP, **(environment or {})}, capture_output=True,
        text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
    )
    expect(done.returncode == status, f"status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def rows(folder, query):
    base = sqlite3.connect(f"{folder}/campaign")
    found = base.execute(query).fetchall()
    base.close()
    return found


def verdicts(folder):
    """Everything that a campaign found and that does not depend on how fast it was."""
    units = rows(folder, "SELECT workload, strategy, faults, first, last, runs, failed, different, inconclusive FROM unit ORDER BY 4")
    failures = rows(folder, "SELECT workload, seed, kind, signature, what, task, time, event, l1 FROM failure ORDER BY 2")
    return units, failures


def run_tests(names):
    """Those of these functions whose names hold the first argument. The last line counts."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, test in names.items():
        if not name.startswith("test_") or wanted not in name:
            continue
        try:
            test()
            outcome, why = "passed", ""
        except Skipped as reason:
            outcome, why = "skipped", f": {reason}"
        except (Failed, subprocess.TimeoutExpired, RuntimeError) as reason:
            outcome, why = "failed", f": {reason}"
        counts[outcome] += 1
        print(f"{outcome:<8} {name}{why}", flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(2 if counts["failed"] else 0)
