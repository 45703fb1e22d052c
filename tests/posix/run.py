#!/usr/bin/env python3
"""The POSIX suite. usage: run.py [RUN...], of: reference, fuse, hosted, x86_64, arm64.

Each run has a fresh volume of blocks of 4 KiB that mkfs.ext4 makes, and e2fsck -fn judges it afterwards.
`reference` is the host's own ext4, by a loop mount: it holds the suite itself. The last three run it inside the
system, from the volume. The last line counts them all:
N passed, M failed, K skipped.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PRESET = os.environ.get("GEMEL_PRESET", "hosted")
BUILD = os.path.join(ROOT, "build", PRESET)
GEMEL = os.path.join(BUILD, "frontends/cli/gemel")
SUITE = os.path.join(BUILD, "tests/posix/posix_suite")
ENVIRONMENT = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
IMAGE_BYTES = 600 << 20  # sparse
SECONDS_MAX = 600
SHOWN_MAX = 40
COUNT = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped\r?$", re.M)


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=SECONDS_MAX,
                          env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def inside_mount(mount, unmount, image, directory, *options):
    """The suite in a directory of a mount."""
    status, text = command(*mount)
    if status != 0:
        return None, text.strip()
    try:
        place = os.path.join(directory, "suite")
        os.mkdir(place)
        os.chmod(place, 0o777)
        return command(SUITE, place, *options)
    finally:
        status, text = command(*unmount)
        if status != 0:
            print(f"FAIL posix: unmount: {text.strip()}")


def reference(image, directory):
    return inside_mount(["mount", "-o", "loop", image, directory], ["umount", directory], image, directory)


def fuse(image, directory):
    if not os.path.exists("/dev/fuse"):
        return None, "/dev/fuse is missing"
    return inside_mount([GEMEL, "mount", "-o", "rw,allow_other", image, directory], [GEMEL, "umount", directory],
                        image, directory, "--fuse")


INSIDE = {"hosted": ["run"], "x86_64": ["boot", "--arch", "x86_64"], "arm64": ["boot", "--arch", "arm64"]}


def inside(face):
    def run(image, _):
        return command(GEMEL, *INSIDE[face], "--rw", image, "-c", "mkdir /suite; /bin/posix /suite")

    return run


RUNS = {"reference": reference, "fuse": fuse, **{face: inside(face) for face in INSIDE}}


def make_volume(name, folder, image):
    """Empty; for a run inside the system the program is on it."""
    tree = os.path.join(folder, "tree")
    os.makedirs(os.path.join(tree, "bin"))
    if name in INSIDE:
        face = PRESET if name == "hosted" else name
        shutil.copy(os.path.join(ROOT, "build", face, "programs/posix"), os.path.join(tree, "bin"))
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", "4096", "-d", tree, image], check=True, env=ENVIRONMENT)


def judge(image):
    status, text = command("e2fsck", "-fn", image)
    return "" if status == 0 else text


def one(name):
    """(passed, failed, skipped) of a run."""
    if os.geteuid() != 0 and name in ("reference", "fuse"):
        print(f"skipped: posix, {name}: it acts as several users, which only root can")
        return 0, 0, 1
    with tempfile.TemporaryDirectory(prefix="gemel-posix-") as folder:
        os.chmod(folder, 0o755)  # for the users that the suite acts as
        image, directory = os.path.join(folder, "disk.img"), os.path.join(folder, "mnt")
        os.mkdir(directory)
        make_volume(name, folder, image)
        status, text = RUNS[name](image, directory)
        if status is None:
            print(f"skipped: posix, {name}: {text}")
            return 0, 0, 1
        wrong = judge(image)
    count = COUNT.search(text)
    failures = [line for line in text.splitlines() if "FAIL posix" in line]
    for line in failures[:SHOWN_MAX]:
        print(f"{name}: {line}")
    if len(failures) > SHOWN_MAX:
        print(f"{name}: and {len(failures) - SHOWN_MAX} more")
    if not count:
        print(f"FAIL posix, {name}: no count (status {status}):\n{text[-2000:]}")
        return 0, 1, 0
    passed, failed, skipped = (int(number) for number in count.groups())
    print(f"posix, {name}: {passed} passed, {failed} failed, {skipped} skipped")
    if wrong:
        print(f"FAIL posix, {name}: e2fsck -fn:\n{wrong[-2000:]}")
        failed += 1
    return passed, failed, skipped


def main():
    totals = [one(name) for name in sys.argv[1:] or ["reference", "fuse", "hosted"]]
    passed, failed, skipped = (sum(column) for column in zip(*totals))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 2 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
