#!/usr/bin/env python3
"""./gemel bench fs [--quick] [--rounds N]: a mounted image beside fuse2fs, the kernel's own ext4 on a loop device and a
FUSE server that does nothing (idle_mount.cpp), where they exist. Each round gives each of them a fresh copy of one
sparse image of 6 GiB in memory, in turn; the medians and their ratios are printed. Nothing is asserted."""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import fs_inside

ROOT = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", os.environ.get("GEMEL_PRESET", "hosted"))
GEMEL = os.path.join(BUILD, "frontends/cli/gemel")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
MIB = 1 << 20
ROUND_SECONDS_MAX = 90  # to begin another one
STEPS_MAX = 500  # of 10 ms
COLUMNS = ("kernel ext4", "FUSE, doing nothing", "fuse2fs", "gemel")


class Amounts:
    """How much of everything is done."""

    def __init__(self, quick):
        self.image = "6G"
        self.mib = 32 if quick else 192
        self.names = 500 if quick else 3000
        self.synced = 200 if quick else 2000
        self.scattered = 1000 if quick else 8000
        self.archived = 1000 if quick else 25_000
        self.listed = 5000 if quick else 100_000
        self.cloned = 300 if quick else 4650


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=300, env=dict(os.environ, PATH=PATH), **more)


def mounted(directory):
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == directory for line in mounts)


def wait_for(condition):
    for _ in range(STEPS_MAX):
        if condition():
            return True
        time.sleep(0.01)
    return False


def server_of(directory):
    """The process that was started with the directory as a word, or None."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                if directory.encode() in file.read().split(b"\0"):
                    return int(number)
        except OSError:
            pass
    return None


class Subject:
    keeps = True  # its files are in the image, and there after another mount
    cache_mib = 0  # of its own, bounded

    def umount(self, directory):
        """Ends with the server, so that nothing of it is written later."""
        server = server_of(directory)
        run("fusermount3", "-u", directory)
        wait_for(lambda: server is None or not os.path.exists(f"/proc/{server}"))

    def peak_mib(self, directory):
        server = server_of(directory)
        if server is None:
            return None
        with open(f"/proc/{server}/status") as file:
            peak = next(line for line in file if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024 - self.cache_mib


class Gemel(Subject):
    name = "gemel"
    cache_mib = 66  # servers/ext4: 2 of blocks of metadata, 64 of the device

    def mount(self, image, directory):
        return run(GEMEL, "mount", "-o", "rw", image, directory).returncode == 0

    def peak_mib(self, directory):
        """The machine's memory counts once, though tasks and kernel map it both; it keeps what it ever had."""
        server = server_of(directory)
        if server is None:
            return None
        with open(f"/proc/{server}/status") as file:
            own = sum(int(line.split()[1]) for line in file if line.startswith(("RssAnon", "RssFile"))) / 1024
        descriptors = [f"/proc/{server}/fd/{name}" for name in os.listdir(f"/proc/{server}/fd")]
        machine = [os.stat(path).st_blocks / 2048 for path in descriptors if "memfd:gemel" in os.readlink(path)]
        return own + sum(machine) - self.cache_mib


class Fuse2fs(Subject):
    name = "fuse2fs"

    def mount(self, image, directory):
        if not shutil.which("fuse2fs", path=PATH) or run("fuse2fs", "-o", "rw,fakeroot", image, directory).returncode != 0:
            return False
        return wait_for(lambda: mounted(directory))


class Idle(Subject):
    name = "FUSE, doing nothing"
    keeps = False

    def mount(self, image, directory):
        return run(os.path.join(BUILD, "tests/bench_idle_mount"), directory).returncode == 0

    def peak_mib(self, directory):
        return None  # all files are in it


class Kernel(Subject):
    name = "kernel ext4"

    def mount(self, image, directory):
        return os.geteuid() == 0 and run("mount", "-o", "loop", image, directory).returncode == 0

    def umount(self, directory):
        run("umount", directory)


def timed(action):
    begin = time.perf_counter()
    count = action()
    return count / (time.perf_counter() - begin)


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


# --- the work: each gives (what, unit, value) ---------------------------------------------------

def sequential_write(directory, mib):
    block = os.urandom(MIB)
    with open(os.path.join(directory, "big"), "wb", buffering=0) as file:
        for _ in range(mib):
            file.write(block)
        os.fsync(file.fileno())
    return mib


def sequential_read(directory):
    done = 0
    buffer = bytearray(MIB)
    with open(os.path.join(directory, "big"), "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            done += count
    return done / MIB


def scattered_reads(directory, count):
    choose = random.Random(3)
    descriptor = os.open(os.path.join(directory, "big"), os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    blocks = os.fstat(descriptor).st_size // 4096
    offsets = choose.sample(range(blocks), min(count, blocks))
    begin = time.perf_counter()
    for offset in offsets:
        os.pread(descriptor, 4096, offset * 4096)
    rate = len(offsets) / (time.perf_counter() - begin)
    os.close(descriptor)
    return rate


def scattered_synced_writes(directory, count):
    block = os.urandom(4096)
    choose = random.Random(7)
    descriptor = os.open(os.path.join(directory, "big"), os.O_WRONLY)
    blocks = os.fstat(descriptor).st_size // 4096
    for _ in range(count):
        os.pwrite(descriptor, block, choose.randrange(blocks) * 4096)
        os.fsync(descriptor)
    os.close(descriptor)
    return count


def names_work(directory, count):
    folder = os.path.join(directory, "made")
    os.mkdir(folder)
    old = [os.path.join(folder, f"n{number}") for number in range(count)]
    new = [os.path.join(folder, f"m{number}") for number in range(count)]
    block = os.urandom(4096)

    def create(content=b""):
        for name in old:
            descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            if content:
                os.write(descriptor, content)
            os.close(descriptor)
        return count

    def stat():
        for name in old:
            os.stat(name)
        return count

    def rename():
        for one, other in zip(old, new):
            os.rename(one, other)
        return count

    def unlink():
        for name in new:
            os.unlink(name)
        return count

    yield "create", "per s", timed(create)
    yield "stat", "per s", timed(stat)
    yield "rename", "per s", timed(rename)
    yield "unlink", "per s", timed(unlink)
    yield "create + 4 KiB", "per s", timed(lambda: create(block))


def first_mount(subject, directory, made, amounts):
    yield "sequential write", "MB/s", timed(lambda: sequential_write(directory, amounts.mib)) * MIB / 1e6
    if not subject.keeps:
        yield from reads(directory, amounts)
    yield "random 4 KiB write + fsync", "per s", timed(lambda: scattered_synced_writes(directory, amounts.synced))
    yield from names_work(directory, amounts.names)
    target = os.path.join(directory, "untar")
    os.mkdir(target)
    yield f"untar of {amounts.archived} files", "s", seconds(lambda: run("tar", "-C", target, "-xf", made.archive))
    clone = os.path.join(directory, "clone")
    yield (f"git clone of {amounts.cloned} files", "s",
           seconds(lambda: run("git", "clone", "-q", "--no-hardlinks", made.repository, clone)))
    peak = subject.peak_mib(directory)
    if peak is not None:
        yield "peak memory beyond the cache", "MiB", peak


def reads(directory, amounts):
    descriptor = os.open(os.path.join(directory, "big"), os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    yield "sequential read", "MB/s", timed(lambda: sequential_read(directory)) * MIB / 1e6
    yield "random 4 KiB read", "per s", scattered_reads(directory, amounts.scattered)


def second_mount(directory, amounts):
    tree = os.path.join(directory, "tree")
    yield f"du of {amounts.listed} files, cold", "s", seconds(lambda: run("du", "-s", tree))
    yield "the same, warm", "s", seconds(lambda: run("du", "-s", tree))
    yield from reads(directory, amounts)


# --- what is worked on --------------------------------------------------------------------------

class Made:
    """The image, the archive and the repository, the same for every subject."""

    def __init__(self, work, amounts):
        self.work = work
        self.image = os.path.join(work, "image")
        self.archive = os.path.join(work, "tree.tar")
        self.repository = os.path.join(work, "repository")
        choose = random.Random(5)
        self.make_image(os.path.join(work, "source"), amounts)
        self.make_archive(os.path.join(work, "archived"), amounts, choose)
        self.make_repository(amounts, choose)

    def make_image(self, source, amounts):
        for number in range(amounts.listed):
            folder = os.path.join(source, "tree", f"d{number % 997}")
            if number < 997:
                os.makedirs(folder)
            os.close(os.open(os.path.join(folder, f"f{number}"), os.O_CREAT | os.O_WRONLY))
        done = run("mkfs.ext4", "-q", "-F", "-d", source, self.image, amounts.image)
        if done.returncode != 0:
            sys.exit(f"mkfs.ext4: {done.stderr}")
        shutil.rmtree(source)

    def make_archive(self, tree, amounts, choose):
        for number in range(amounts.archived):
            folder = os.path.join(tree, f"d{number % 40}", f"e{number % 480}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"f{number}"), "wb") as out:
                out.write(choose.randbytes(choose.choice((100, 1000, 4000, 9000, 20_000))))
        run("tar", "-C", tree, "-cf", self.archive, ".")
        shutil.rmtree(tree)

    def make_repository(self, amounts, choose):
        for number in range(amounts.cloned):
            folder = os.path.join(self.repository, f"d{number % 61}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"f{number}"), "w") as out:
                out.write(choose.randbytes(choose.choice((200, 1000, 3000))).hex())
        words = ("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-C", self.repository)
        run(*words, "init", "-q")
        run(*words, "add", ".")
        run(*words, "commit", "-q", "-m", "files")


def measure(subject, made, amounts):
    copy = os.path.join(made.work, "copy")
    directory = os.path.join(made.work, "mnt")
    os.makedirs(directory, exist_ok=True)
    run("cp", "--sparse=always", made.image, copy)
    found = {}
    mounts = []
    for time_around in range(2 if subject.keeps else 1):
        begin = time.perf_counter()
        if not subject.mount(copy, directory):
            break
        mounts.append((time.perf_counter() - begin) * 1000)
        found["mount", "ms"] = statistics.median(mounts)
        try:
            steps = first_mount(subject, directory, made, amounts) if time_around == 0 else second_mount(directory, amounts)
            for what, unit, value in steps:
                found[what, unit] = value
        except OSError as error:
            print(f"{subject.name}: {error}", file=sys.stderr)
        finally:
            subject.umount(directory)
    os.unlink(copy)
    return found


ORDER = ("mount", "sequential write", "sequential read", "random 4 KiB read", "random 4 KiB write + fsync", "create", "stat",
         "rename", "unlink", "create + 4 KiB", "untar", "du", "the same, warm", "git clone", "peak memory")


def place_of(what):
    return max((index for index, start in enumerate(ORDER) if what.startswith(start)), key=lambda index: len(ORDER[index]))


def text_of(value):
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def ratio_of(unit, ours, other):
    """Over 1: ours is the faster (or smaller) one."""
    if not ours or not other:
        return "-"
    return f"{ours / other if unit.endswith('/s') or unit == 'per s' else other / ours:.2f}"


def rows_of(values):
    """(what, cells...) of each row, the medians of all rounds."""
    middle = {name: {key: statistics.median(one) for key, one in all.items()} for name, all in values.items()}
    keys = sorted({key for all in middle.values() for key in all}, key=lambda key: place_of(key[0]))
    for what, unit in keys:
        cells = [middle[name].get((what, unit)) for name in COLUMNS]
        ratios = [ratio_of(unit, cells[3], cells[2]), ratio_of(unit, cells[3], cells[1])]
        yield [f"{what}, {unit}", *map(text_of, cells), *ratios]


HEADER = ["work", *COLUMNS, "gemel : fuse2fs", "gemel : nothing"]


def measured(rounds, quick):
    amounts = Amounts(quick)
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = os.path.realpath(tempfile.mkdtemp(prefix="gemel-bench-", dir=base))
    subjects = (Gemel(), Fuse2fs(), Idle(), Kernel())
    values = {name: {} for name in COLUMNS}
    try:
        made = Made(work, amounts)
        begin = time.monotonic()
        for done in range(rounds):
            if done and (time.monotonic() - begin) / done > ROUND_SECONDS_MAX:
                break  # a busy machine, or a slow one: what there is has to do
            for subject in subjects:
                for key, value in measure(subject, made, amounts).items():
                    values[subject.name].setdefault(key, []).append(value)
        inside = list(fs_inside.rows(GEMEL, work, quick))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return list(rows_of(values)), inside


def part_tables(rounds=3, quick=False):
    """For docs/numbers.md: (header, rows) of each table."""
    outside, inside = measured(rounds, quick)
    yield HEADER, outside
    yield fs_inside.HEADER, inside


def show(header, rows):
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths))))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(prog="gemel bench fs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="less of everything, one round")
    options = parser.parse_args()
    for header, rows in part_tables(1 if options.quick else options.rounds, options.quick):
        show(header, rows)


if __name__ == "__main__":
    main()
