#!/usr/bin/env python3
"""tests/schedule/run.py --face hosted|x86_64|arm64: the scheduler's promises in exact time. The last line counts:
N passed, M failed, K skipped."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS_MAX = 400
CHECKS = {
    # Goal: a budget of 20 ms in 100 is what a thread that always computes gets, to a tick (10 ms) in each period.
    "exact-budget": [r"budget: 10 periods, (1[89]\d|20\d|210) ms used, [23]0 ms at most, stopped \d+ times",
                     "held: no period has more than its budget and a tick", "held: who is less urgent runs meanwhile",
                     "held: none has less", "held: who is less urgent has the rest"],
    # Goal: a set of jobs that can be done in time is, by the earliest deadline first, and is not by taking turns.
    "deadlines": [r"turns: \d+ jobs, [1-9]\d* missed their deadline", r"deadline: \d\d jobs, 0 missed their deadline",
                  "held: taking turns misses deadlines", "held: the earliest deadline first misses none"],
}


def output_of(face, check, image):
    gemel = ROOT / "build" / "hosted" / "frontends" / "cli" / "gemel"
    if face == "hosted":
        words = ["sim", "--workload", f"sched-check {check}", "--seed", "1", "--strategy", "run-to-block",
                 "--faults", "none", "--console", "--journals", str(image.parent)]
    else: # 16 ns an instruction: idle time costs the host nothing
        words = ["boot", str(image), "--arch", face, "--qemu=-icount", "--qemu=shift=4,sleep=off",
                 "-c", f"sched-check {check}"]
    done = subprocess.run([gemel, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS_MAX, text=True, errors="replace", check=False,
                          env=dict(os.environ, GEMEL_ROOT=str(ROOT)))
    return done.returncode, done.stdout.replace("\r", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--face", choices=["hosted", "x86_64", "arm64"], default="hosted")
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="gemel-schedule-") as folder:
        image = pathlib.Path(folder) / "disk.img"
        tools = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        subprocess.run(["mkfs.ext4", "-q", image, "16M"], check=True, env=tools, stdout=subprocess.DEVNULL)
        for check, lines in CHECKS.items():
            status, text = output_of(options.face, check, image)
            missing = [line for line in lines if not re.search(rf"^{line}$", text, re.M)]
            good = status == 0 and not missing
            passed, failed = passed + good, failed + (not good)
            print(f"{'ok      ' if good else 'FAILED  '}{check}" + ("" if good else f", status {status}, without {missing}:\n{text}"))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
