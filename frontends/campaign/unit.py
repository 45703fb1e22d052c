#!/usr/bin/env python3
"""One unit of a campaign: a range of seeds of one workload, run by `gemel sim`. Prints its verdict, one line of
JSON, on standard output: all that an engine has to carry home, from whichever machine."""
import base64
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

from store import signature_of, strategy_words

UNIT_SECONDS_MAX = 3600
JOURNALS_MAX = 3  # of one unit: more of the same tell little
FAILURE = re.compile(
    r'^(FAIL|LEAK|INCONCLUSIVE) (\S+)  "(.*)"  t=\+(\S+)s  event (\d+)  task (\S+)  seed 0x([0-9a-f]+)  L1 ([0-9a-f]+)$', re.M
)
TOTAL = re.compile(
    r"^(\d+) runs of .+: (\d+) failed, (\d+) different, (\d+) inconclusive; ([\d.]+) s, .*; (\d+) events, (\d+) virtual ms$",
    re.M,
)


def run_unit(program, unit):
    verdict = dict(unit, failures=[], error=None)
    with tempfile.TemporaryDirectory(prefix="gemel-unit-") as folder:
        words = [program, "sim", "--seeds", f"{unit['first']}..{unit['last']}", "--journals", folder]
        words += ["--workload", unit["workload"], *strategy_words(unit["strategy"]), "--faults", unit["faults"]]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=UNIT_SECONDS_MAX, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            return dict(verdict, error=str(error))
        read_verdict(verdict, done, folder)
    return verdict


def read_verdict(verdict, done, folder):
    for kind, check, what, time, event, task, seed, l1 in FAILURE.findall(done.stdout):
        failure = {name: verdict[name] for name in ("build", "workload", "strategy", "faults")}
        failure.update(kind=kind, signature=signature_of(check, what), what=f"{check}: {what}", time=time, event=int(event))
        failure.update(task=task, seed=int(seed, 16), l1=l1, journal=journal_of(folder, l1))
        verdict["failures"].append(failure)
    for failure in [failure for failure in verdict["failures"] if failure["journal"]][JOURNALS_MAX:]:
        failure["journal"] = None
    total = TOTAL.search(done.stdout)
    if total:
        runs, failed, different, inconclusive = (int(word) for word in total.groups()[:4])
        verdict.update(runs=runs, failed=failed, different=different, inconclusive=inconclusive, seconds=float(total[5]))
        verdict.update(events=int(total[6]), virtual_s=int(total[7]) / 1000)
    else:
        verdict["error"] = (done.stderr.strip() or f"gemel sim ended with status {done.returncode}")[-500:]


def journal_of(folder, l1):
    for path in glob.glob(os.path.join(folder, f"fail-{l1[:8]}*.gemel")):
        with open(path, "rb") as file:
            return base64.b64encode(file.read()).decode()
    return None


def main():
    program, unit = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps(run_unit(program, unit)), flush=True)


if __name__ == "__main__":
    main()
