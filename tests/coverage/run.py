#!/usr/bin/env python3
"""Goal: no branch of the kernel is untested without a reason.
Method: the kernel's hosted tests in one program that counts branches; those that none took must stand in
uncovered.txt, which says why."""
import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build" / "hosted"
PROGRAMS = TREE / "tests" / "coverage"
BOOT = "core/boot/"
SECONDS_MAX = 1200
# The short explorations are enough: the long ones take the same branches again.
TESTS = "-Explore.*:Model.*", "Model.*:Explore.CapabilitiesInMessages"


def run_tests():
    commands = [["coverage_test", f"--gtest_filter={tests}", "--gtest_brief=1"] for tests in TESTS]
    commands += [["coverage_fuzz", "trace=1", "rounds=100", f"seed={seed}"] for seed in (1, 2)] + [["coverage_attack"]]
    for program, *words in commands:
        subprocess.run([PROGRAMS / program] + words, check=True, timeout=SECONDS_MAX, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, GEMEL_MODEL_STEPS="400000", GEMEL_STORM_STEPS="200000"))


def counters():
    return sorted(path for path in PROGRAMS.rglob("*.gcda"))


def branches():
    """{file of core/: {line: [count of each branch]}}."""
    found = collections.defaultdict(dict)
    with tempfile.TemporaryDirectory() as folder:
        for path in counters():
            subprocess.run(["gcov", "--json-format", "--branch-probabilities", path], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
        for path in pathlib.Path(folder).glob("*.gcov.json.gz"):
            data = json.loads(gzip.open(path).read())
            for file in data["files"]:
                name = os.path.normpath(file["file"])
                if not name.startswith("core/") or name.endswith("_test.cpp"):
                    continue
                lines = found[name]
                for line in file["lines"]:
                    counts = [branch["count"] for branch in line["branches"] if not branch["throw"]] or [line["count"]]
                    old = lines.get(line["line_number"], [])
                    if len(old) == len(counts):
                        counts = [a + b for a, b in zip(old, counts)]
                    lines[line["line_number"]] = counts
    return found


def known():
    """{(file, text of the line): reason}."""
    reasons = {}
    for line in (ROOT / "tests" / "coverage" / "uncovered.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            file, text, reason = (part.strip() for part in line.split(" ## "))
            reasons[file, text] = reason
    return reasons


def main():
    for path in counters():
        path.unlink()
    run_tests()
    listed, met, failed = known(), set(), 0
    every = taken = 0
    for file, lines in sorted(branches().items()):
        source = (ROOT / file).read_text().splitlines()
        covered = sum(count > 0 for counts in lines.values() for count in counts)
        print(f"{file}: {covered} of {sum(map(len, lines.values()))}")
        if file.startswith(BOOT): # start-up runs natively: every native test is its test
            continue
        every, taken = every + sum(map(len, lines.values())), taken + covered
        for number, counts in sorted(lines.items()):
            if all(counts):
                continue
            place = (file, source[number - 1].strip())
            met.add(place)
            if place not in listed:
                failed += 1
                print(f"FAIL {file}:{number}: {counts.count(0)} of {len(counts)} never taken: {place[1]}")
    # A listed line may be taken in a run by chance: only one that is gone is an error.
    for file, text in sorted(set(listed) - met):
        gone = text not in {line.strip() for line in (ROOT / file).read_text().splitlines()}
        failed += gone
        print(f"{'FAIL' if gone else 'note'} uncovered.txt: {file}: {text!r} is {'gone' if gone else 'covered'}")
    met |= set(listed)
    print(f"{taken} of {every} branches of core/ but for its start-up are taken ({100 * taken / every:.1f} %)")
    print(f"{len(met) + 1 - failed} passed, {failed} failed, 0 skipped")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
