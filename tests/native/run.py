#!/usr/bin/env python3
"""tests/native/run.py kernel|spaces|smp|fuzz|attack|bench|scale|places --face x86_64|arm64: builds a boot bundle with that program as init
and boots the native kernel on it. All but `bench` end with `N passed, M failed, 0 skipped` and fail like the
program; `bench` and `scale` print one figure a line, counted with QEMU's instruction clock. `traces` compares the fuzzer's
traces of the hosted kernel and of the faces given: the same calls have the same results. `places` compares where init
lies in several boots."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS_MAX = 240

MACHINES = {
    "x86_64": ["qemu-system-x86_64", "-machine", "q35", "-kernel", "gemel-x86_64.elf"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-kernel", "gemel-arm64.img"],
}


def bundle(face, program, folder):
    servers = folder / "root" / "gemel" / "servers"
    servers.mkdir(parents=True)
    shutil.copy(ROOT / "build" / face / "native" / f"native_{program}", servers / "init")
    subprocess.run([ROOT / "scripts" / "make-bundle.sh", folder / "bundle.cpio", folder / "root"], check=True)
    return folder / "bundle.cpio"


def boot(face, program, more):
    with tempfile.TemporaryDirectory() as folder:
        archive = bundle(face, program, pathlib.Path(folder))
        command = MACHINES[face][:-1] + [str(ROOT / "build" / face / MACHINES[face][-1])]
        if "-accel" not in more:
            command += ["-accel", "tcg"]
        command += ["-m", "64", "-display", "none", "-serial", "stdio", "-no-reboot",
                    "-nodefaults", "-initrd", str(archive)] + more
        if "-cpu" not in more:
            command += ["-cpu", "max"]
        try:
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=SECONDS_MAX, text=True)
        except subprocess.TimeoutExpired as late:
            return (late.stdout or b"").decode(errors="replace") + "\n(the machine did not end)\n"
    return result.stdout.replace("\r", "")


def gate(face, output):
    """Holds each figure to tests/native/golden.txt: more than 2 % worse is a failure."""
    figures = dict(re.findall(r"^(.+): (\d+)$", output, re.M))
    passed = failed = 0
    for line in (ROOT / "tests" / "native" / "golden.txt").read_text().splitlines():
        if not line.startswith(face + " "):
            continue
        name, golden = line[len(face) + 1:].rsplit(": ", 1)
        got = int(figures.get(name, 1 << 30))
        good = got * 100 <= int(golden) * 102
        passed, failed = passed + good, failed + (not good)
        if not good or got < int(golden):
            print(f"{'ok      ' if good else 'FAILED  '}{name}: {got} instructions, golden {golden}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if failed == 0 and passed else 2


def trace_of(face, variables):
    if face == "hosted":
        words = [ROOT / "build" / "hosted" / "tests" / "native_fuzz"] + variables.split()
        output = subprocess.run(words, capture_output=True, timeout=SECONDS_MAX, text=True, check=False).stdout
    else:
        output = boot(face, "fuzz", ["-append", variables, "-smp", "1"])
    return [line for line in output.splitlines() if line and not line.startswith("gemel:")]


def first_difference(ours, theirs):
    for number, (left, right) in enumerate(zip(ours, theirs), 1):
        if left != right:
            return f"line {number}: {left!r}, hosted {right!r}"
    return "" if len(ours) == len(theirs) else f"{len(ours)} lines, hosted {len(theirs)}"


def traces(options):
    """Goal: a system call gives the same on every face. Method: the same random calls on each; compare the texts."""
    passed = failed = lines = 0
    for seed in (1, 2, 3):
        variables = f"trace=1 rounds=8 seed={seed} {options.variables}"
        hosted = trace_of("hosted", variables)
        ours = trace_of(options.face, variables)
        lines += len(hosted)
        if options.plant: # one result, in the middle
            at = len(ours) // 2
            ours[at] += "1"
        wrong = first_difference(ours, hosted) or ("" if len(hosted) > 500 else "the trace is short")
        found = bool(wrong) == options.plant
        passed, failed = passed + found, failed + (not found)
        print(f"{'ok      ' if found else 'FAILED  '}seed {seed}: {wrong or 'no difference'}")
    print(f"{lines} lines compared")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 2 if failed else 0


def places(options, more):
    """Goal: nobody knows where init lies. Method: ask it in several boots; no place is that of all."""
    found = {}
    for _ in range(3):
        output = boot(options.face, "kernel", [*more, "-append", "places=1"])
        for name, place in re.findall(r"^(text|stack|startup) ([0-9a-f]+)$", output, re.M):
            found.setdefault(name, []).append(place)
    passed = failed = 0
    for name in ("text", "stack", "startup"):
        seen = found.get(name, [])
        good = len(seen) == 3 and len(set(seen)) > 1
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok      ' if good else 'FAILED  '}init's {name} is at different places: {' '.join(seen)}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 2 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=["kernel", "spaces", "smp", "fuzz", "attack", "bench", "scale", "traces", "places"])
    parser.add_argument("--face", choices=sorted(MACHINES), default="x86_64")
    parser.add_argument("--variables", default="", help="init's: rounds=20 seed=1 (fuzz)")
    parser.add_argument("--plant", action="store_true", help="traces: with a difference, which must be found")
    parser.add_argument("--gate", action="store_true", help="bench: compare with tests/native/golden.txt")
    parser.add_argument("--cpu", help="QEMU's name of the processor (default max)")
    parser.add_argument("--cpus", type=int, default=1, help="how many processors")
    parser.add_argument("--thread", choices=["single", "multi"], help="QEMU's threads for its processors")
    parser.add_argument("--icount", type=int, metavar="N", help="instructions are the clock: 2^N ns each")
    parser.add_argument("--machine", help="more of QEMU's machine: gic-version=3")
    options = parser.parse_args()
    if options.program == "traces":
        return traces(options)
    more = ["-cpu", options.cpu] if options.cpu else []
    more += ["-machine", options.machine] if options.machine else []
    more += ["-smp", str(options.cpus)]
    if options.program == "places":
        return places(options, more)
    if options.variables:
        more += ["-append", options.variables]
    if options.thread:
        more += ["-accel", f"tcg,thread={options.thread}"]
    if options.program in ("bench", "scale"):
        more += ["-icount", "shift=0"]
    if options.icount is not None:
        more += ["-icount", f"shift={options.icount},sleep=off"]
    output = boot(options.face, options.program, more)
    ended = re.search(r"^gemel: power off, status (\d+)$", output, re.M)
    print(re.sub(r"\n*gemel: power off, status \d+\n*", "\n", output), end="")
    if ended and options.gate:
        return gate(options.face, output)
    if not ended:
        print("0 passed, 1 failed, 0 skipped")
        return 2
    return 0 if ended.group(1) == "0" else 2


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
