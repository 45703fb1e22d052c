#!/usr/bin/env python3
"""generate.py OUT: the repository again in OUT, with every plant behind its number (tests/mutants does the same for
the kernel's own tests). Only what has changed is written, so that a second build is short."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, f"{TOP}/tests/mutants")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from generate_mutants import edited  # noqa: E402
from plants import PLANTS  # noqa: E402


def write_if_new(path, content, mode):
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == content:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def main():
    out = sys.argv[1]
    planted = dict(edited(TOP, [(plant.file, plant.text) for plant in PLANTS]))
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, capture_output=True,
                             text=True, check=True).stdout.split("\n")
    for name in filter(None, listing):
        path = f"{TOP}/{name}"
        if not os.path.isfile(path):
            continue
        if name in planted:
            write_if_new(f"{out}/{name}", planted[name].encode(), 0o644)
        else:
            with open(path, "rb") as file:
                write_if_new(f"{out}/{name}", file.read(), os.stat(path).st_mode & 0o777)


if __name__ == "__main__":
    main()
