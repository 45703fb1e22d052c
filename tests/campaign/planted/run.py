#!/usr/bin/env python3
"""Goal: the simulator finds every planted defect of plants.py, and what it finds shrinks to a few decisions.
Method: one build that holds all of them, the number of one in the environment; seeds of the fitting workload until one
fails that passes without it; then the shrinker. --only N: that plant, with what was told."""
import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from plants import PLANTS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PROGRAM = f"{TOP}/build/planted/build/hosted/frontends/cli/gemel"
BATCHES = (5, 15, 40, 140)  # of seeds: the first failure of a batch ends it
PROCESSOR_SECONDS = 3  # of one run: a plant may make it loop
SHRINK_RUNS = 400
SHRINK_TIME = "60s"
MEDIAN_MOST = 5


def limit_processor():
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))


def gemel(plant, *words):
    done = subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
        env=dict(os.environ, GEMEL_MUTANT=str(plant)), timeout=1800,
        preexec_fn=limit_processor)
    return done.returncode, done.stdout + done.stderr


def failures(text):
    """By seed: the check, and the eight digits of L1 that name its journal."""
    told = re.findall(r"^(?:FAIL|INCONCLUSIVE|LEAK) (\S+)  \".*?  seed 0x([0-9a-f]+)  L1 ([0-9a-f]{8})", text,
                      re.M | re.S)
    return sorted((int(seed, 16), check, l1) for check, seed, l1 in told)


class Found:
    def __init__(self, told, text):
        self.seed, self.check, self.l1 = told
        self.text = text
        self.left = None


def search(number, plant, folder, without):
    first = 1
    for count in BATCHES:
        _, text = gemel(number, "sim", "--workload", plant.workload, "--seeds", f"{first}..{first + count - 1}",
                        "--journals", folder)
        if told := [each for each in failures(text) if each[0] not in without.get(plant.workload, ())]:
            return Found(told[0], text)
        first += count
    return None


def shrink(number, found, folder):
    journal = f"{folder}/fail-{found.l1}.gemel"
    if not os.path.exists(journal):
        return ""
    _, text = gemel(number, "shrink", journal, "--runs", str(SHRINK_RUNS), "--time", SHRINK_TIME)
    if match := re.search(r"shrunk (\d+) decisions -> (\d+) in", text):
        found.left = int(match[2])
    return text


def try_one(number, plant, without):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gemel-planted-") as folder:
        found = search(number, plant, folder, without)
        searched = time.monotonic() - began
        text = shrink(number, found, folder) if found else ""
    return found, searched, text


def baseline():
    """The seeds of each workload that fail without a plant: what they show is no plant's."""
    without = {}
    for workload in sorted({plant.workload for plant in PLANTS}):
        _, text = gemel(0, "sim", "--workload", workload, "--seeds", f"1..{sum(BATCHES)}", "--journals", "/tmp",
                        "--jobs", "2")
        without[workload] = {seed for seed, _, _ in failures(text)}
        for seed in sorted(without[workload]):
            print(f"left out, it fails without a plant: gemel sim --workload {workload} --seed {seed}")
    return without


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if options.only is not None:
        found, seconds, text = try_one(options.only, PLANTS[options.only - 1], {})
        print(f"{found.text if found else 'not found'}\n{text}{seconds:.1f} s")
        return 0 if found else 2
    without, failed = baseline(), []
    decisions = []
    print(f"{'n':>3} {'plant':18} {'workload':12} {'check':10} {'runs':>4} {'s':>6} {'left':>4}  what", flush=True)
    for number, plant in enumerate(PLANTS, 1):
        found, seconds, _ = try_one(number, plant, without)
        if not found:
            failed.append(f"plant {number} is not found in {sum(BATCHES)} seeds: {plant.what} ({plant.file})")
        elif found.left is not None:
            decisions.append(found.left)
        left = "-" if not found or found.left is None else found.left
        print(f"{number:>3} {plant.kind:18} {plant.workload:12} {found.check if found else 'NOT FOUND':10} "
              f"{found.seed if found else '-':>4} {seconds:6.1f} {left:>4}  {plant.what}", flush=True)
    if decisions:
        median = statistics.median(decisions)
        print(f"decisions that are left: median {median}, most {max(decisions)}, of {len(decisions)} that were shrunk")
        if median > MEDIAN_MOST:
            failed.append(f"the median of {median} decisions is over {MEDIAN_MOST}")
    for line in failed:
        print("FAIL " + line)
    print(f"{len(PLANTS) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
