"""Open files of a mount that nobody else uses: the host opens them without a word (decision 0029)."""
import os
import shutil

from cases_cost import counted
from mounts import check_image, equal, expect, make_image, until

FILES = 400  # more than the gate keeps open with their names (servers/hostmount/gate.hpp, node_files_max)
BYTES = 20_000


def content(number, round_of_writing=0):
    return f"{number}.{round_of_writing},".encode() * (BYTES // 5)


def drop_pages(descriptor):
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def files_without_a_name(place):
    """Goal: an open file serves on without its name, whether it was removed or another one took its place, and however many
    are open; its blocks are free once it is closed. Method: nothing of it is in the host's pages when it is read."""
    image = make_image(place.file("disk.img"), None, "64M")
    with place.mounted(image, "-o", "rw") as directory:
        free = os.statvfs(directory).f_bfree

        def path(number):
            return os.path.join(directory, f"file-{number}")

        opened = []
        for number in range(FILES):
            with open(path(number), "wb") as out:
                out.write(content(number))
            opened.append(os.open(path(number), os.O_RDWR))
        for number in range(0, FILES, 2):
            os.unlink(path(number))
        for number in range(1, FILES, 4):  # the file behind goes, its place is another's
            with open(path(number) + ".new", "wb") as out:
                out.write(b"new")
            os.rename(path(number) + ".new", path(number))
        for number, descriptor in enumerate(opened):
            drop_pages(descriptor)
            equal(os.pread(descriptor, BYTES * 2, 0), content(number), f"file {number}")
            os.pwrite(descriptor, content(number, 1), 0)
            os.ftruncate(descriptor, BYTES // 2)
            drop_pages(descriptor)
            equal(os.pread(descriptor, BYTES * 2, 0), content(number, 1)[:BYTES // 2], f"file {number}, written")
            equal(os.fstat(descriptor).st_nlink, 0 if number % 2 == 0 or number % 4 == 1 else 1, f"links of file {number}")
        for descriptor in opened:
            os.close(descriptor)
        for number in range(1, FILES, 2):
            os.unlink(path(number))
        equal(os.listdir(directory), ["lost+found"], "names")
        until(lambda: free - os.statvfs(directory).f_bfree < 64, "the room of closed files")  # the names took some
    check_image(image)


def opens_cost_nothing(place):
    """Goal: opening, reading cached bytes and closing ask the mount for nothing. Method: strace counts its answers."""
    if not shutil.which("strace"):
        return "strace is missing"
    uses = 1000
    image = make_image(place.file("disk.img"), None, "16M")
    with counted(place, "-o", "rw", image) as counts:
        path = os.path.join(place.directory, "file")
        with open(path, "wb") as out:
            out.write(content(1))
        for _ in range(uses):
            descriptor = os.open(path, os.O_RDONLY)  # Python's own open asks whether it is a terminal
            equal(os.read(descriptor, BYTES * 2), content(1), "the file")
            os.close(descriptor)
    expect(counts["writev"] < uses / 10, f"answers: {counts}")


CASES = (files_without_a_name, opens_cost_nothing)
