"""What a mount costs the host, in counts: system calls for each request, wakings while nobody asks."""
import contextlib
import os
import random
import re
import shutil
import subprocess
import time

from mounts import GEMEL, equal, expect, is_mounted, make_image, until

REQUESTS = 1000
BLOCK = 4096


def image_with_file(place, mib=16):
    source = place.file("source")
    os.makedirs(source)
    with open(os.path.join(source, "big"), "wb") as out:
        out.write(os.urandom(mib << 20))
    return make_image(place.file("disk.img"), source)


@contextlib.contextmanager
def counted(place, *words):
    """A mount in the foreground under strace; afterwards the dictionary holds each system call's count."""
    counts = {}
    report = place.file("calls")
    process = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", report, GEMEL, "mount", "-f", *words,
                                place.directory], stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: is_mounted(place.directory) or process.poll() is not None, "the mount")
        expect(process.poll() is None, "the mount ended at once")
        yield counts
        subprocess.run(["fusermount3", "-u", place.directory], check=True)
        equal(process.wait(60), 0, "status")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        process.stderr.close()
    with open(report) as lines:
        for count, name in re.findall(r"^ *(\d+) (\w+)$", lines.read(), re.MULTILINE):
            counts[name] = int(count)


def few_calls(place):
    """Goal: a request is read, carried out and answered; nothing else is asked of the host for it.
    Method: scattered reads that the host has not cached, counted by strace."""
    if not shutil.which("strace"):
        return "strace is missing"
    image = image_with_file(place)
    choose = random.Random(3)
    with counted(place, image) as counts:
        descriptor = os.open(os.path.join(place.directory, "big"), os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        for block in choose.sample(range((16 << 20) // BLOCK), REQUESTS):
            os.pread(descriptor, BLOCK, block * BLOCK)
        os.close(descriptor)
    expect(REQUESTS <= counts["writev"] < REQUESTS * 1.1, f"answers: {counts}")
    expect(counts["pread64"] < REQUESTS * 1.2, f"reads of the image: {counts}")
    ticks = counts.get("rt_sigreturn", 0)  # one of them stops the timer, and the next request starts it
    expect(counts.get("timer_settime", 0) <= 2 * ticks + 2, f"the timer is set for each request: {counts}")
    expect(counts.get("sched_setaffinity", 0) < REQUESTS / 10, f"the thread is moved for each request: {counts}")


def switches(process):
    with open(f"/proc/{process}/status") as status:
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)


def idle(place):
    """Goal: while nobody asks, a mount sleeps. Method: its context switches in two seconds, right after work."""
    image = image_with_file(place, 1)
    with place.foreground(image, "-o", "ro") as process:
        for _ in range(200):
            os.statvfs(place.directory)
        before = switches(process.pid)
        time.sleep(2)
        expect(switches(process.pid) - before < 20, f"{switches(process.pid) - before} switches of an idle mount")


def machine_mib(process):
    """Of the machine's memory, what was ever touched."""
    with open(f"/proc/{process}/status") as status:
        return int(next(line for line in status if line.startswith("RssShmem")).split()[1]) / 1024


def memory(place):
    """Goal: a mount holds its caches and, of each file that the host knows, a few hundred bytes.
    Method: a large file and the first half of the files fill the caches, the second half is what is counted."""
    files = 20_000
    source = place.file("source")
    for number in range(files):
        if number % 500 == 0:
            os.makedirs(os.path.join(source, f"folder {number // 500:03}"))
        os.close(os.open(os.path.join(source, f"folder {number // 500:03}", f"a file's name {number}"), os.O_CREAT))
    with open(os.path.join(source, "large"), "wb") as large:
        large.write(b"large" * ((80 << 20) // 5))
    image = make_image(place.file("disk.img"), source, "160M", "-N", "30000")
    with place.foreground(image, "-o", "ro") as process:
        taken = [machine_mib(process.pid)]
        with open(os.path.join(place.directory, "large"), "rb") as large:
            while large.read(1 << 20):
                pass
        folders = sorted(name for name in os.listdir(place.directory) if name.startswith("folder"))
        for half in (folders[:len(folders) // 2], folders[len(folders) // 2:]):
            known = sum(os.lstat(os.path.join(place.directory, folder, name)).st_nlink
                        for folder in half for name in os.listdir(os.path.join(place.directory, folder)))
            equal(known, files // 2, "files")
            taken.append(machine_mib(process.pid))
    expect(taken[0] < 6, f"{taken[0]:.1f} MiB of a mount that nobody used")
    each = (taken[2] - taken[1]) * (1 << 20) / (files // 2)
    expect(each < 400, f"{each:.0f} bytes for each file")


CASES = (few_calls, idle, memory)
