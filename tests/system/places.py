#!/usr/bin/env python3
"""Where the text of programs lies, on any face; and natively, that a file which needs more than its base is refused.

Goal: where a program's text lies is not known. Method: `mischief places` three times in each of two boots. Natively
no place may be that of all runs of a boot; hosted all programs are the one executable, and no place may be that of both
boots. The rest of a program's places: tests/system/mischief.test.

Goal: a relocation that is not applied is named, and its program does not run. Method: one of a good program's becomes
an IRELATIVE, which would call a function of the program's own.

Usage: places.py hosted|x86_64|arm64. The last line counts: N passed, M failed, K skipped."""
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
RUNS = 3
SECONDS_MAX = 300
REGION_BYTES = 2 << 20  # a text begins at a multiple of it, natively
IRELATIVE = {"x86_64": 37, "arm64": 1032}


def output_of(face, image, script):
    start = ["run", image] if face == "hosted" else ["boot", "--arch", face, image]
    return subprocess.run([f"{TOP}/build/hosted/frontends/cli/gemel", *start, "-c", script], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=SECONDS_MAX, check=False).stdout


def texts(face, image):
    output = output_of(face, image, ";".join(["mischief places"] * RUNS))
    return [int(place, 16) for place in re.findall(r"^text (0x[0-9a-f]+)$", output, re.M)]


def wrong_places(face, boots):
    if any(len(boot) != RUNS for boot in boots):
        return "a boot did not say all places"
    if face == "hosted":
        return "two boots have it at the same place" if set(boots[0]) & set(boots[1]) else ""
    if any(len(set(boot)) == 1 for boot in boots):
        return "all runs of a boot have it at the same place"
    in_regions = {place % REGION_BYTES for boot in boots for place in boot}
    return "" if len(in_regions) == 1 else "it moves by less than a region"


def change_relocation(face, program):
    """Makes the third entry of the table another type."""
    sections = subprocess.run(["readelf", "-SW", program], check=True, capture_output=True, text=True).stdout
    table = int(re.search(r"\.rela\.dyn +RELA +[0-9a-f]+ ([0-9a-f]+)", sections)[1], 16)
    with open(program, "r+b") as file:
        file.seek(table + 2 * 24 + 8)
        file.write(struct.pack("<Q", IRELATIVE[face]))


def make_image(face, folder):
    (folder / "root").mkdir()
    if face != "hosted":
        program = folder / "root" / "other"
        program.write_bytes((TOP / "build" / face / "programs" / "mischief").read_bytes())
        change_relocation(face, program)
        program.chmod(0o755)
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(["mkfs.ext4", "-q", "-d", folder / "root", folder / "disk.img", "32M"], check=True, env=environment,
                   stdout=subprocess.DEVNULL)
    return folder / "disk.img"


def main():
    face = sys.argv[1]
    subprocess.run([f"{TOP}/scripts/build.sh", "hosted", "gemel"], check=True)
    if face != "hosted":
        subprocess.run([f"{TOP}/scripts/build.sh", face], check=True)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        image = make_image(face, pathlib.Path(folder))
        boots = [texts(face, image) for _ in range(2)]
        results["where a program's text lies is not known"] = wrong_places(face, boots)
        if face != "hosted":
            said = output_of(face, image, "/other places; echo status $?")
            sentence = rf"^gemel: other: its file has a relocation of type {IRELATIVE[face]}; only R_\w+_RELATIVE is applied$"
            good = re.search(sentence, said, re.M) and not re.search(r"^text|^status 0$", said, re.M)
            results["a relocation that is not applied is named"] = "" if good else said
    print("\n".join(" ".join(hex(place) for place in boot) for boot in boots))
    for name, wrong in results.items():
        print(f"{'FAILED  ' if wrong else 'ok      '}{name}{': ' if wrong else ''}{wrong}")
    failed = sum(map(bool, results.values()))
    print(f"{len(results) - failed} passed, {failed} failed, 0 skipped")
    return 2 if failed else 0


sys.exit(main())
