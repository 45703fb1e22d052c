#!/usr/bin/env python3
"""Goal: without faults nothing is reported, whoever runs next: no alarm in 100,000 seeds. Method: a campaign of fresh seeds
of every workload, for a time; what earlier nights ran of the same program is counted, not run again. Runs with one L1
are one run and counted once, whichever seeds or workloads they are of: without faults many a seed is another's run. The
last line counts workloads."""
import argparse
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/frontends/campaign")

from store import Store  # noqa: E402

STORE = f"{TOP}/build/false-alarms.sqlite"
# server-kill is left out: without faults its runs are those of posix-mix.
WORKLOADS = ("boot", "posix-mix", "session", "vfs-race", "rights-race", "cap-storm", "fair", "paged", "fs-crash", "fs-crash-2", "steady")
UNIT = 100  # seeds


def counts(store=STORE):
    """(workload, seeds, distinct runs, alarms) of the newest program that the file knows."""
    if not os.path.exists(store):
        return []
    known = Store(store)
    ours = ("faults = 'none' AND l1s IS NOT NULL AND build ="
            " (SELECT build FROM unit WHERE l1s IS NOT NULL ORDER BY rowid DESC LIMIT 1)")
    distinct = known.distinct(ours)
    rows = known.base.execute(
        "SELECT workload, total(runs), total(failed + different + inconclusive) FROM unit"
        f" WHERE {ours} GROUP BY workload").fetchall()
    return [(workload, int(seeds), distinct[workload], int(alarms)) for workload, seeds, alarms in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="20m")
    parser.add_argument("--jobs", default=str(os.cpu_count() or 1))
    parser.add_argument("--store", default=STORE)
    options = parser.parse_args()
    words = [word for workload in WORKLOADS for word in ("--workload", workload)]
    done = subprocess.run(
        [sys.executable, f"{TOP}/frontends/campaign/explore.py", *words, "--faults", "none", "--budget", options.budget,
         "--jobs", options.jobs, "--unit", str(UNIT), "--store", options.store, "--journals", os.path.dirname(options.store)],
        env=dict(os.environ, GEMEL_ROOT=TOP), stdin=subprocess.DEVNULL, check=False)
    passed = failed = 0
    for workload, seeds, runs, alarms in counts(options.store):
        print(f"{workload}: {alarms} alarms in {seeds} fault-free seeds, {runs} distinct runs")
        passed, failed = passed + (alarms == 0), failed + (alarms != 0)
    failed += done.returncode not in (0, 2) or passed + failed < len(WORKLOADS)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
