#!/usr/bin/env python3
"""Goal: the kernel's tests notice every small defect of the kernel.
Method: the tests of build/hosted/.../mutant_test with each mutant of mutants.py; without one they must pass, with any
they must fail. Prints a table with --table; --only N runs one and shows its output."""
import argparse
import concurrent.futures
import os
import subprocess
import sys

from mutants import MUTANTS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = f"{TOP}/build/hosted/tests/mutants/mutant_test"
SECONDS_MAX = 120  # a mutant may make a test wait for ever
MODEL_STEPS = 200_000


def run(number):
    """What the tests said of a mutant: "passed", or how it was killed; and their text."""
    environment = dict(os.environ, GEMEL_MUTANT=str(number), GEMEL_MODEL_STEPS=str(MODEL_STEPS))
    for tests in ("Model.*", "Message.*", "Explore.MessagesAndCalls:Explore.LimitsAndWatches:Explore.CapabilitiesInMessages"):
        try:
            ended = subprocess.run([PROGRAM, f"--gtest_filter={tests}", "--gtest_brief=1"], env=environment, timeout=SECONDS_MAX,
                                   capture_output=True, text=True, errors="replace", check=False)
        except subprocess.TimeoutExpired:
            return f"{tests.split('.')[0].lower()}: never ended", ""
        if ended.returncode < 0:
            return f"{tests.split('.')[0].lower()}: signal {-ended.returncode}", ended.stdout + ended.stderr
        if ended.returncode:
            return tests.split(".")[0].lower(), ended.stdout + ended.stderr
    return "passed", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.only is not None:
        verdict, text = run(options.only)
        print(text + verdict)
        return 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = [verdict for verdict, _ in pool.map(run, range(len(MUTANTS) + 1))]
    failed = []
    if verdicts[0] != "passed":
        failed.append(f"without a mutant: {verdicts[0]}")
    for number, ((file, text, wrong), verdict) in enumerate(zip(MUTANTS, verdicts[1:]), 1):
        if options.table:
            print(f"| {number} | {file} | {wrong} | {verdict} |")
        if verdict == "passed":
            failed.append(f"mutant {number} lives: {wrong} ({file}: {text!r})")
    for line in failed:
        print("FAIL " + line)
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
