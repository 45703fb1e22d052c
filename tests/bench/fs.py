#!/usr/bin/env python3
"""./gemel bench fs [--rounds N] [--mib N] [--files N]: a mounted image beside fuse2fs and the kernel's own ext4 on a
loop device, where they exist. Each round mounts a fresh copy of one image for each of them in turn; the medians and
their ratios are printed. Nothing is asserted."""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GEMEL = os.path.join(ROOT, "build", os.environ.get("GEMEL_PRESET", "hosted"), "frontends/cli/gemel")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
MIB = 1 << 20
STEPS_MAX = 500  # of 10 ms


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=300, env=dict(os.environ, PATH=PATH))


def mounted(directory):
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == directory for line in mounts)


class Gemel:
    name = "gemel"

    def mount(self, image, directory, access):
        return run(GEMEL, "mount", "-o", access, image, directory).returncode == 0

    def umount(self, directory):
        run(GEMEL, "umount", directory)


class Fuse2fs:
    name = "fuse2fs"

    def mount(self, image, directory, access):
        words = "ro" if access == "ro" else "rw,fakeroot"
        if not shutil.which("fuse2fs", path=PATH) or run("fuse2fs", "-o", words, image, directory).returncode != 0:
            return False
        for _ in range(STEPS_MAX):
            if mounted(directory):
                return True
            time.sleep(0.01)
        return False

    def umount(self, directory):
        run("fusermount", "-u", directory) if shutil.which("fusermount") else run("umount", directory)


class Kernel:
    name = "kernel"

    def mount(self, image, directory, access):
        return os.geteuid() == 0 and run("mount", "-o", f"loop,{access}", image, directory).returncode == 0

    def umount(self, directory):
        run("umount", directory)


def timed(action):
    begin = time.perf_counter()
    count = action()
    return count / (time.perf_counter() - begin)


def reading(directory, files, mib):
    """(what, unit, value), colder first."""
    tree = os.path.join(directory, "tree")
    big = os.path.join(directory, "big")

    def walk():
        seen = 0
        for _, _, names in os.walk(tree):
            seen += len(names)
        run("du", "-s", tree)
        return seen

    def sequential():
        done = 0
        buffer = bytearray(MIB)
        with open(big, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                done += count
        return done / MIB

    def scattered():
        choose = random.Random(3)
        descriptor = os.open(os.path.join(directory, "scattered"), os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        size = os.fstat(descriptor).st_size // 4096
        offsets = choose.sample(range(size), min(4000, size // 2))
        for offset in offsets:
            os.pread(descriptor, 4096, offset * 4096)
        os.close(descriptor)
        return len(offsets)

    def small_files():
        seen = 0
        for at, _, names in os.walk(tree):
            for name in names:
                with open(os.path.join(at, name), "rb", buffering=0) as file:
                    file.read()
                seen += 1
        return seen

    yield "walk and du, cold", "files/s", timed(walk)
    yield "walk and du, warm", "files/s", timed(walk)
    yield "small files read, cold", "files/s", timed(small_files)
    yield "sequential read, cold", "MB/s", timed(sequential) * MIB / 1e6
    yield "random 4 KiB read, cold", "per s", timed(scattered)


def writing(directory, archive):
    count = 1000
    folder = os.path.join(directory, "made")
    os.mkdir(folder)

    def sequential():
        block = os.urandom(MIB)
        with open(os.path.join(directory, "written"), "wb", buffering=0) as file:
            for _ in range(128):
                file.write(block)
            os.fsync(file.fileno())
        return 128

    def synced():
        block = os.urandom(4096)
        with open(os.path.join(directory, "synced"), "wb", buffering=0) as file:
            for _ in range(300):
                file.write(block)
                os.fsync(file.fileno())
        return 300

    def create():
        for number in range(count):
            os.close(os.open(os.path.join(folder, f"n{number}"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        return count

    def stat():
        for number in range(count):
            os.stat(os.path.join(folder, f"n{number}"))
        return count

    def rename():
        for number in range(count):
            os.rename(os.path.join(folder, f"n{number}"), os.path.join(folder, f"m{number}"))
        return count

    def unlink():
        for number in range(count):
            os.unlink(os.path.join(folder, f"m{number}"))
        return count

    def untar():
        os.mkdir(os.path.join(directory, "untar"))
        run("tar", "-C", os.path.join(directory, "untar"), "-xf", archive)
        return len(os.listdir(os.path.join(directory, "untar")))

    yield "sequential write and fsync", "MB/s", timed(sequential) * MIB / 1e6
    yield "4 KiB write and fsync", "per s", timed(synced)
    yield "create", "per s", timed(create)
    yield "stat", "per s", timed(stat)
    yield "rename", "per s", timed(rename)
    yield "unlink", "per s", timed(unlink)
    yield "untar", "trees/s", timed(lambda: min(1, untar()))


def make_image(work, files, mib):
    tree = os.path.join(work, "source", "tree")
    os.makedirs(tree)
    choose = random.Random(5)
    for number in range(files):
        folder = os.path.join(tree, f"d{number % 40}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"f{number}"), "wb") as out:
            out.write(choose.randbytes(choose.choice((100, 1000, 4000, 9000))))
    for name in ("big", "scattered"):
        with open(os.path.join(work, "source", name), "wb") as out:
            for _ in range(mib):
                out.write(choose.randbytes(MIB))
    image = os.path.join(work, "image")
    done = run("mkfs.ext4", "-q", "-F", "-d", os.path.join(work, "source"), image, f"{2 * mib + 1024}M")
    if done.returncode != 0:
        sys.exit(f"mkfs.ext4: {done.stderr}")
    archive = os.path.join(work, "tree.tar")
    run("tar", "-C", tree, "-cf", archive, ".")
    shutil.rmtree(os.path.join(work, "source"))
    return image, archive


def measure(subject, work, image, archive, options):
    copy = os.path.join(work, "copy")
    directory = os.path.join(work, "mnt")
    os.makedirs(directory, exist_ok=True)
    run("cp", "--sparse=always", image, copy)
    found = {}
    for access in ("ro", "rw"):
        begin = time.perf_counter()
        if not subject.mount(copy, directory, access):
            continue
        found.setdefault(("mount", "ms"), (time.perf_counter() - begin) * 1000)
        try:
            steps = reading(directory, options.files, options.mib) if access == "ro" else writing(directory, archive)
            for what, unit, value in steps:
                found[(what, unit)] = value
        except OSError as error:
            print(f"{subject.name}: {error}", file=sys.stderr)
        finally:
            subject.umount(directory)
    os.unlink(copy)
    return found


def main():
    parser = argparse.ArgumentParser(prog="gemel bench fs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=256, help="size of the file that is read")
    parser.add_argument("--files", type=int, default=4000)
    options = parser.parse_args()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = tempfile.mkdtemp(prefix="gemel-bench-", dir=base)
    subjects = (Gemel(), Fuse2fs(), Kernel())
    values = {subject.name: {} for subject in subjects}
    try:
        image, archive = make_image(work, options.files, options.mib)
        for _ in range(options.rounds):
            for subject in subjects:
                for key, value in measure(subject, work, image, archive, options).items():
                    values[subject.name].setdefault(key, []).append(value)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    keys = list(dict.fromkeys(key for all in values.values() for key in all))
    middle = {name: {key: statistics.median(one) for key, one in all.items()} for name, all in values.items()}
    print(f"{'':28} {'unit':8} {'kernel':>9} {'fuse2fs':>9} {'gemel':>9}  gemel : fuse2fs")
    for key in keys:
        cells = [middle[name].get(key) for name in ("kernel", "fuse2fs", "gemel")]
        text = ["-" if cell is None else f"{cell:.1f}" if cell < 100 else f"{cell:.0f}" for cell in cells]
        ratio = f"{cells[2] / cells[1]:.2f}" if cells[1] and cells[2] else "-"
        print(f"{key[0]:28} {key[1]:8} {text[0]:>9} {text[1]:>9} {text[2]:>9}  {ratio}")


if __name__ == "__main__":
    main()
