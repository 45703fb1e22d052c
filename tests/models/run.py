#!/usr/bin/env python3
"""Goal: what holds where the kernel's atomicity ends holds in every order of steps, and a model that is wrong is noticed.
Method: Spin takes every state of each model as it is, and of each of its planted errors (PLANT 1, 2, ...), which it
has to find. Arguments: the models' names, if not all. Ends with `N passed, M failed, K skipped`."""
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
SECONDS_MAX = 120
VARIANTS = {"interrupt": ["-DLEVEL=0", "-DLEVEL=1"]}
# An error that only one kind of line can have: the other has nothing to find.
ONLY = {("interrupt", 1): "-DLEVEL=0", ("interrupt", 2): "-DLEVEL=1", ("interrupt", 3): "-DLEVEL=0"}


def explore(model, *options):
    """The number of states, and what Spin found ('' for nothing)."""
    with tempfile.TemporaryDirectory(prefix="gemel-spin-") as folder:
        def run(*words):
            return subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX, check=False)
        made = run("spin", *options, "-a", str(model))
        if made.returncode != 0 or not (pathlib.Path(folder) / "pan.c").exists():
            return 0, f"spin: {made.stdout.strip()[-400:]}"
        built = run("gcc", "-O1", "-w", "-DSAFETY", "-DMEMLIM=1024", "-o", "pan", "pan.c")
        if built.returncode != 0:
            return 0, f"gcc: {built.stdout.strip()[-400:]}"
        out = run("./pan", "-m200000").stdout
    states = re.search(r"^\s*(\d+) states, stored", out, re.M)
    errors = re.search(r"errors: (\d+)", out)
    if not states or not errors or "max search depth too small" in out or "out of memory" in out:
        return 0, f"pan: {out.strip()[-400:]}"
    found = re.search(r"^pan:\d+: (.*)$", out, re.M)
    return int(states[1]), "" if errors[1] == "0" else found[1].split(" (at depth")[0] if found else "an error"


def verdict(right, text, counts):
    counts[right] += 1
    print(f"{'ok      ' if right else 'FAILED  '}{text}", flush=True)


def main():
    counts = {True: 0, False: 0}
    for model in sorted(FOLDER.glob("*.pml")):
        if sys.argv[1:] and model.stem not in sys.argv[1:]:
            continue
        plants = max(map(int, re.findall(r"PLANT (\d+):", model.read_text())))
        for variant in VARIANTS.get(model.stem, [""]):
            given = [variant] if variant else []
            title = " ".join([model.stem] + given).replace("-D", "")
            states, found = explore(model, "-DPLANT=0", *given)
            verdict(not found and states > 0, f"{title}: {found or f'{states} states, nothing found'}", counts)
            for plant in range(1, plants + 1):
                if ONLY.get((model.stem, plant), variant) != variant:
                    continue
                states, found = explore(model, f"-DPLANT={plant}", *given)
                verdict(bool(found) and states > 0, f"{title}, planted error {plant}: {found or 'NOT FOUND'}", counts)
    print(f"{counts[True]} passed, {counts[False]} failed, 0 skipped")
    return 2 if counts[False] or not counts[True] else 0


if __name__ == "__main__":
    sys.exit(main())
