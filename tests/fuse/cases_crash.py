"""What goes wrong underneath: the process killed, the image cut short, no room in it or around it. Nothing that fsync
acknowledged is lost, and the error is told."""
import contextlib
import errno
import os
import subprocess
import threading
import time

from mounts import check_image, equal, expect, gemel, is_mounted, make_image, refused

ACKNOWLEDGED_MIN = 20


def put(path, content):
    """Writes and syncs file and name; an OSError when it is not safe."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        while content:
            content = content[os.write(descriptor, content):]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content_of(number):
    return f"{number}\n".encode() * (1 + number * 37 % 3000)


def fill(directory, count, acknowledged):
    """Files one after the other, until one fails. The error's number, or None."""
    for number in range(count):
        try:
            put(os.path.join(directory, f"f{number}"), content_of(number))
        except OSError as error:
            return error.errno
        acknowledged.append(number)
    return None


def all_there(directory, acknowledged):
    for number in acknowledged:
        with open(os.path.join(directory, f"f{number}"), "rb") as file:
            equal(file.read() == content_of(number), True, f"acknowledged file {number}")


def killed_while_writing(place):
    """Goal: after kill -9 of the mounting process all that fsync acknowledged is there, and the volume is in order."""
    image = make_image(place.file("disk.img"), None, "48M")
    acknowledged = []
    with place.foreground(image, "-o", "rw") as process:
        writer = threading.Thread(target=fill, args=(place.directory, 100_000, acknowledged))
        writer.start()
        deadline = time.monotonic() + 30
        while len(acknowledged) < ACKNOWLEDGED_MIN and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        writer.join(60)
        expect(not writer.is_alive(), "a write hangs after the kill")
    expect(len(acknowledged) >= ACKNOWLEDGED_MIN, "too little was written before the kill")
    refused(("umount", place.directory), 2, "had ended")
    with place.mounted(image, "-o", "rw") as directory:
        all_there(directory, acknowledged)
    check_image(image)


def image_cut_short(place):
    """Goal: an image that is truncated underneath gives EIO to who needs the rest; the mount can be ended, which says that
    not all was written."""
    image = make_image(place.file("disk.img"), None, "64M")
    equal(gemel("mount", "-o", "rw", image, place.directory).returncode, 0, "mount")
    put(os.path.join(place.directory, "early"), b"early\n")
    os.truncate(image, 1 << 20)
    error = fill(place.directory, 2000, [])
    expect(error in (errno.EIO, errno.EROFS), f"error after the image was cut: {error}")
    try:
        put(os.path.join(place.directory, "late"), b"late\n")
        expect(False, "a sync was acknowledged on an image that is cut short")
    except OSError as failure:
        expect(failure.errno in (errno.EIO, errno.EROFS, errno.EUCLEAN), f"error of a later write: {failure}")
    refused(("umount", place.directory), 2, image, "not written to the end")
    expect(not is_mounted(place.directory), "the mount stays")


def no_room_in_the_volume(place):
    """Goal: a full volume says ENOSPC, keeps what it acknowledged, and goes on when there is room again."""
    image = make_image(place.file("disk.img"), None, "16M")
    acknowledged = []
    with place.mounted(image, "-o", "rw") as directory:
        equal(fill(directory, 100_000, acknowledged), errno.ENOSPC, "error of a full volume")
        all_there(directory, acknowledged)
        for number in acknowledged[::2]:
            os.unlink(os.path.join(directory, f"f{number}"))
        put(os.path.join(directory, "after"), b"after\n")
        all_there(directory, acknowledged[1::2])
    check_image(image)


@contextlib.contextmanager
def small_host(place):
    """A memory file system of 12 MiB, or None."""
    small = place.file("small")
    os.makedirs(small, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=12M", "tmpfs", small]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield small
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def no_room_around_the_image(place):
    """Goal: when the host cannot store what a sparse image needs, nothing acknowledged is lost.
    Method: the image lies in a memory file system that is too small for it."""
    with small_host(place) as small:
        if not small:
            return "no memory file system can be mounted here"
        image = make_image(os.path.join(small, "disk.img"), None, "64M")
        acknowledged = []
        equal(gemel("mount", "-o", "rw", image, place.directory).returncode, 0, "mount")
        error = fill(place.directory, 100_000, acknowledged)
        expect(error in (errno.EIO, errno.EROFS, errno.ENOSPC), f"error without room: {error}")
        refused(("umount", place.directory), 2, image, "not written to the end")
        expect(not is_mounted(place.directory), "the mount stays")
        subprocess.run(["mount", "-o", "remount,size=128M", small], check=True)
        checked = gemel("fsck", "-y", image)
        expect(checked.returncode in (0, 1), f"fsck: {checked.stdout}")
        with place.mounted(image, "-o", "rw") as directory:
            all_there(directory, acknowledged)
        check_image(image)
    return None


def no_room_for_overwritten_bytes(place):
    """Goal: bytes of a file that the host cannot store are told by the next fsync of it, or by umount when there is none,
    whoever else was told before.
    Method: a preallocated file has its blocks in the volume, but the sparse image has none for them when the host is full."""
    for teller in ("fsync", "umount", "fsync of another file, then fsync"):
        with small_host(place) as small:
            if not small:
                return "no memory file system can be mounted here"
            image = make_image(os.path.join(small, "disk.img"), None, "64M")
            equal(gemel("mount", "-o", "rw", image, place.directory).returncode, 0, "mount")
            put(os.path.join(place.directory, "other"), b"other\n")
            descriptor = os.open(os.path.join(place.directory, "over"), os.O_CREAT | os.O_RDWR, 0o644)
            os.posix_fallocate(descriptor, 0, 4 << 20)
            os.fsync(descriptor)
            with open(os.path.join(small, "ballast"), "wb", buffering=0) as ballast, contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(4096))
            os.pwrite(descriptor, b"x" * (4 << 20), 0)
            if "another" in teller:
                with contextlib.suppress(OSError):
                    put(os.path.join(place.directory, "other"), b"again\n")
            if "fsync" in teller:
                try:
                    os.fsync(descriptor)
                    expect(False, f"{teller}: bytes that the host has no room for were acknowledged")
                except OSError as error:
                    expect(error.errno in (errno.EIO, errno.EROFS, errno.ENOSPC), f"{teller}: {error}")
            with contextlib.suppress(OSError):
                os.close(descriptor)
            refused(("umount", place.directory), 2, image, "not written to the end")
    return None


CASES = (killed_while_writing, image_cut_short, no_room_in_the_volume, no_room_around_the_image,
         no_room_for_overwritten_bytes)
