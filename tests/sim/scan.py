#!/usr/bin/env python3
"""Objects of the kernel, the servers and the simulator that could tell a run something that is no function of its
seed: instructions that read a clock or chance, and calls of the host. `scan.py BUILD` or `scan.py --object FILE`."""
import glob
import re
import subprocess
import sys

FOLDERS = ("core", "servers", "examples", "sim")
INSTRUCTIONS = re.compile(r"\t(rdrand|rdseed|rdtscp?|rdpid|cpuid)\b")
CALLS = re.compile(
    r"^(clock_gettime|gettimeofday|time|clock|nanosleep|usleep|pthread_create|getrandom|arc4random|rand|random"
    r"|getpid|getenv|secure_getenv|syscall|_ZNSt6thread.*|_ZNSt13random_device.*|_ZNSt6chrono.*now.*)$"
)
# The serial line's and disk's models read images of the host by arch/hosted alone; nothing is exempt.


def violations(path):
    listing = subprocess.run(["objdump", "-d", path], capture_output=True, text=True, check=True).stdout
    for name in sorted(set(INSTRUCTIONS.findall(listing))):
        yield f"{path}: instruction {name}"
    symbols = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True).stdout.split()
    for name in sorted({symbol.split("@")[0] for symbol in symbols}):
        if CALLS.match(name):
            yield f"{path}: calls {name}"


def main():
    if sys.argv[1:2] == ["--object"]:
        paths = sys.argv[2:]
    else:
        found = [glob.glob(f"{sys.argv[1]}/{folder}/**/*.o", recursive=True) for folder in FOLDERS]
        paths = sorted(p for part in found for p in part if "_test" not in p and "_fuzz" not in p)
    if not paths:
        print("no objects: build first")
        sys.exit(2)
    wrong = [line for path in paths for line in violations(path)]
    print("\n".join(wrong) or f"{len(paths)} objects, nothing refused")
    sys.exit(2 if wrong else 0)


if __name__ == "__main__":
    main()
