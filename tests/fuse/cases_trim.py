"""fstrim(8) on a mount: the host passes its request on, and the image's file gives the room back."""
import errno
import fcntl
import os
import random
import shutil
import struct
import subprocess

from mounts import check_image, digest, equal, expect, fails, make_image

FITRIM = 0xC0185879  # Linux include/uapi/linux/fs.h


def told_free(path, start=0, length=2**64 - 1, shortest=0):
    """The bytes that the image's device is told of, of this part of the volume."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        told = bytearray(struct.pack("=QQQ", start, length, shortest))
        fcntl.ioctl(descriptor, FITRIM, told)
        return struct.unpack("=QQQ", told)[1]
    finally:
        os.close(descriptor)


def trim(place):
    """Goal: the host's fstrim reaches the image, whose file gives the room back; what cannot be trimmed says so.
    Method: a large file is made and removed; the blocks that the image takes of the host are counted."""
    image = make_image(place.file("disk.img"), None, "64M")

    def taken():
        return os.stat(image).st_blocks * 512

    with place.mounted(image, "-o", "rw") as directory:
        path = os.path.join(directory, "large")
        for name in (path, path + "-kept"):
            with open(name, "wb") as out:
                out.write(random.Random(7).randbytes(16 << 20))
                out.flush()
                os.fsync(out.fileno())
        full = taken()
        kept = digest(path + "-kept")
        os.unlink(path)
        os.sync()
        expect(told_free(directory, length=1 << 20) <= 1 << 20, "more than the part of the volume")
        equal(told_free(directory, shortest=1 << 40), 0, "runs that are longer than any")
        if shutil.which("fstrim"):
            done = subprocess.run(["fstrim", "-v", directory], capture_output=True, text=True)
            equal(done.returncode, 0, f"fstrim ({done.stderr.strip()})")
            expect("trimmed" in done.stdout, done.stdout)
        else:
            told_free(directory)
        expect(full - taken() >= 15 << 20, f"the image took {full} bytes and takes {taken()}")
        equal(digest(path + "-kept"), kept, "the other file")
        descriptor = os.open(directory, os.O_RDONLY)
        fails(errno.ENOTTY, fcntl.ioctl, descriptor, FITRIM + 1, bytes(24))
        os.close(descriptor)
    check_image(image)
    with place.mounted(image, "-o", "ro") as directory:
        fails(errno.EROFS, told_free, directory)
    with place.mounted("none", "--tmpfs", "-o", "rw") as directory:
        fails(errno.EOPNOTSUPP, told_free, directory)


CASES = (trim,)
