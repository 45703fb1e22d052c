#!/usr/bin/env python3
"""Goal: the kernel's tests notice every small defect of the kernel.
Method: the tests of build/hosted/.../mutant_test with each mutant of mutants.py, the quickest first and up to the
first that fails; without a mutant all must pass, with any one must fail. --table prints what killed each; --only N
runs one and shows its output; --quick leaves out the long tests (a mutant that only they kill counts as alive)."""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import time

from mutants import MUTANTS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = f"{TOP}/build/hosted/tests/mutants/mutant_test"
# Stage, tests, steps, and after how many seconds a mutant has made them wait for ever.
QUICK = (("refusals", "Lives.*:Wear.*:Refusals.*:Operations.*", 0, 40), ("storm", "Storm.*", 40_000, 120),
         ("model", "Model.*", 40_000, 120))
LONG = (("model", "Model.*", 400_000, 120), ("messages", "Message.*", 0, 120),
        ("explore", "Explore.MessagesAndCalls:Explore.LimitsAndWatches:Explore.CapabilitiesInMessages", 0, 120))


def run(number, stages):
    """What the tests said of a mutant: "alive", or which killed it; and their text."""
    for name, tests, steps, seconds in stages:
        environment = dict(os.environ, GEMEL_MUTANT=str(number), GEMEL_MODEL_STEPS=str(steps),
                           GEMEL_STORM_STEPS=str(steps))
        command = [PROGRAM, f"--gtest_filter={tests}", "--gtest_brief=1", "--gtest_fail_fast"]
        try:
            ended = subprocess.run(command, env=environment, timeout=seconds, capture_output=True, text=True,
                                   errors="replace", check=False)
        except subprocess.TimeoutExpired:
            return f"{name}: never ended", ""
        if ended.returncode < 0:
            return f"{name}: signal {-ended.returncode}", ended.stdout + ended.stderr
        if ended.returncode:
            return name, ended.stdout + ended.stderr
    return "alive", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    stages = QUICK if options.quick else QUICK + LONG
    if options.only is not None:
        verdict, text = run(options.only, stages)
        print(text + verdict)
        return 0
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = [verdict for verdict, _ in pool.map(lambda number: run(number, stages), range(len(MUTANTS) + 1))]
    failed = []
    if verdicts[0] != "alive":
        failed.append(f"without a mutant: {verdicts[0]}")
    for number, ((file, text, wrong), verdict) in enumerate(zip(MUTANTS, verdicts[1:]), 1):
        if options.table:
            print(f"| {number} | {file} | {wrong} | {verdict} |")
        if verdict == "alive":
            failed.append(f"mutant {number} lives: {wrong} ({file}: {text!r})")
    for line in failed:
        print("FAIL " + line)
    print(f"{len(MUTANTS)} mutants in {(time.monotonic() - began) / 60:.1f} minutes")
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
