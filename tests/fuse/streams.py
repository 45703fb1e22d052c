"""Two file systems side by side: a mount of ours and the kernel's own, both from one image that the kernel made."""
import contextlib
import ctypes
import errno
import mmap
import os
import random
import shutil
import stat
import subprocess
import threading

from mounts import Failure, check_image, digest, equal, expect, gemel, make_image

LIBC = ctypes.CDLL(None, use_errno=True)
KEEP_SIZE, PUNCH, ZERO = 1, 2, 16  # of fallocate(2)
NOREPLACE, EXCHANGE = 1, 2  # of renameat2(2)
HERE = -100  # AT_FDCWD
SHOWN = 12  # steps before a difference
SECONDS_MAX = 120  # of one mount
OLD_NS = 1_500_000_000 * 10**9  # earlier times were set, not taken from a clock
FLAVOURS = (("-b", "1024"), ("-b", "4096"), ("-b", "1024", "-O", "^extents,^64bit"), ("-b", "1024", "-O", "inline_data"),
            ("-b", "4096", "-I", "128"))
INLINE = 3  # the kernel's (6.18) loses bytes of what it moves out of an inode: it has its files in blocks
PLAIN = 2  # flavours that differ from the host's own file system in nothing a program sees
BYTES = random.Random(0).randbytes(1 << 20)


def called(name, *words):
    if getattr(LIBC, name)(*words) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def allocate(descriptor, mode, offset, size):
    called("fallocate", descriptor, mode, ctypes.c_long(offset), ctypes.c_long(size))


def rename(one, two, flags):
    called("renameat2", HERE, one.encode(), HERE, two.encode(), flags)


def write_through_memory(descriptor, offset, content):
    """What of it lies inside the file."""
    content = content[:max(0, os.fstat(descriptor).st_size - offset)]
    if content:
        start = offset - offset % mmap.PAGESIZE
        with mmap.mmap(descriptor, offset - start + len(content), offset=start) as pages:
            pages[offset - start:] = content
            pages.flush()  # the host asks a FUSE server for its holes without that
    return len(content)


def data_ranges(descriptor):
    """(start, end) of what SEEK_DATA and SEEK_HOLE call data."""
    at, ranges = 0, []
    while True:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            equal(error.errno, errno.ENXIO, "error behind the last data")
            return ranges
        end = os.lseek(descriptor, at, os.SEEK_HOLE)
        expect(end > at, f"data of no bytes at {at}")
        ranges.append((at, end))
        at = end


def holes_are_zeros(descriptor):
    size, at = os.fstat(descriptor).st_size, 0
    for start, end in data_ranges(descriptor) + [(size, size)]:
        expect(not any(os.pread(descriptor, start - at, at)), f"bytes in a hole from {at} to {start}")
        at = end


def drop_pages(descriptor):
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def seen(path):
    """What can be seen of a name."""
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    entry = [oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink]
    if status.st_mtime_ns < OLD_NS:
        entry.append(status.st_mtime_ns)
    if kind == stat.S_IFREG:
        entry += [status.st_size, digest(path)]
    if kind == stat.S_IFLNK:
        entry.append(os.readlink(path))
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        entry.append({name: os.getxattr(path, name) for name in sorted(os.listxattr(path)) if "selinux" not in name})
    return entry


def tree(root):
    """Every name below with what can be seen of it."""
    found = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            if os.path.relpath(path, root) != "lost+found":
                found[os.path.relpath(path, root)] = seen(path)
    return found


def same_trees(sides, when):
    ours, wanted = (tree(side.root) for side in sides)
    equal(sorted(set(wanted) ^ set(ours)), [], f"names {when}")
    for name, entry in wanted.items():
        equal(ours[name], entry, f"{name} {when}")


def make_start(root, by_kernel, inline=False):
    """Directories that were thinned out, and files whose maps are no longer simple."""
    choose = random.Random(5)
    for folder, count in (("block", os.statvfs(root).f_bsize // 60), ("first", 120), ("tree", 450)):
        os.mkdir(os.path.join(root, folder))
        os.close(os.open(os.path.join(root, folder, "s"), os.O_CREAT | os.O_WRONLY))
        fill(os.path.join(root, folder), 0, count)
    if by_kernel:
        thin_out(lambda path: os.unlink(os.path.join(root, path)))
    with open(os.path.join(root, "tiny"), "wb") as out:
        out.write(BYTES[:20])
    with open(os.path.join(root, "long"), "wb") as out, open(os.path.join(root, "between"), "wb") as other:
        for number in range(700):  # more than the leaves that the inode names can hold
            os.pwrite(out.fileno(), BYTES[number:number + 1024], number * 2048)
            if number % 3 == 0:
                os.pwrite(other.fileno(), BYTES[:1500], number * 500)
    with open(os.path.join(root, "ahead"), "wb") as out:
        out.write(BYTES[:5000])
        out.flush()
        with contextlib.suppress(OSError):  # files with block pointers have none
            allocate(out.fileno(), KEEP_SIZE, 0, 300_000)
        os.pwrite(out.fileno(), BYTES[:3000], 100_000)
    pointers = os.path.join(root, "pointers")
    with open(pointers, "wb") as out:
        out.write(BYTES[:9000])
    if by_kernel and not inline:  # where ours, once emptied, may go into its inode and come out with extents
        os.sync()
        subprocess.run(["chattr", "-e", pointers], capture_output=True)  # from now on by block pointers
    with open(pointers, "r+b") as out:
        for offset in range(9000, 700_000, 50_000):
            os.pwrite(out.fileno(), choose.randbytes(20_000), offset)


def name_in_row(number):
    return f"n{number:030}"


def fill(folder, first, count):
    """Makes files that are not there. How many."""
    made = 0
    for number in range(first, first + count):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(os.path.join(folder, name_in_row(number)), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            made += 1
    return made


def empty(folder, first, count):
    """Removes files that are there. How many."""
    removed = 0
    for number in range(first, first + count):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(os.path.join(folder, name_in_row(number)))
            removed += 1
    return removed


def thin_out(unlink):
    """The first name of a directory of one block, whose room is too small for others; the first ones of a directory of
    several; most of those of a larger one."""
    choose = random.Random(6)
    unlink("block/s")
    for number in range(100):
        unlink(f"first/{name_in_row(number)}")
    for number in range(450):
        if choose.randrange(10) < 7:
            unlink(f"tree/{name_in_row(number)}")


def make_flavour(place, number):
    """An image of that flavour with the start on it, and what the kernel's side begins with: an image or a directory."""
    image, start = place.file(f"flavour-{number}.img"), place.file(f"start-{number}")
    os.mkdir(start)
    if os.geteuid() == 0:
        images = (image, place.file("blocks.img")) if number == INLINE else (image,)
        for each, flavour in zip(images, (number, 0)):
            make_image(each, None, "32M", *FLAVOURS[flavour])
            with by_kernel(each, start):
                make_start(start, True, number == INLINE)
        return image, images[-1]
    make_start(start, False)
    make_image(image, start, "32M", *FLAVOURS[number])
    commands = []
    thin_out(lambda path: (commands.append(f"rm {path}"), os.unlink(os.path.join(start, path))))
    subprocess.run(["debugfs", "-w", "-f", "-", image], input="\n".join(commands), text=True, check=True,
                   capture_output=True, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"))
    return image, start


@contextlib.contextmanager
def by_kernel(image, directory):
    subprocess.run(["mount", "-o", "loop", image, directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


class Side:
    """One of the two: where it is, and what is open there."""

    def __init__(self, root, ours):
        self.root, self.ours = root, ours
        self.files = {}

    def at(self, name):
        return os.path.join(self.root, name)

    def close(self):
        for descriptor in self.files.values():
            os.close(descriptor)
        self.files.clear()


def difference(ours, wanted):
    """Where two results differ, in words."""
    if isinstance(ours, tuple) and isinstance(wanted, tuple):
        return ", ".join(difference(*pair) for pair in zip(ours, wanted) if pair[0] != pair[1])
    if isinstance(ours, bytes) and isinstance(wanted, bytes):
        at = next((at for at, pair in enumerate(zip(ours, wanted)) if pair[0] != pair[1]), min(len(ours), len(wanted)))
        return f"byte {at}: {ours[at:at + 16]} of {len(ours)} bytes, wanted {wanted[at:at + 16]} of {len(wanted)}"
    return f"{repr(ours)[:200]}, wanted {repr(wanted)[:200]}"


class Stream:
    """Steps that both sides take. `next_step(random)` gives (kind, words...); `take(side, step)` a value or an OSError."""

    def __init__(self, seed, case, next_step, take):
        self.choose = random.Random(seed)
        self.again = f"GEMEL_TEST_SEED={seed} python3 tests/fuse/run.py {case}"
        self.next_step, self.take = next_step, take
        self.steps = []

    def outcome(self, side, step):
        try:
            return self.take(side, step)
        except OSError as error:
            return errno.errorcode[error.errno]
        except Failure as failure:
            raise Failure(f"{side.root}: {failure} {self.told('')}") from failure

    def run(self, sides, count):
        for _ in range(count):
            self.steps.append(self.next_step(self.choose))
            ours, wanted = (self.outcome(side, self.steps[-1]) for side in sides)
            expect(ours == wanted, f"{difference(ours, wanted)} {self.told('')}")

    def told(self, what):
        shown = "\n  ".join(str(step) for step in self.steps[-SHOWN:])
        return f"{what} after step {len(self.steps)}; again by {self.again}\n  {shown}\n"


@contextlib.contextmanager
def kernels_side(place, start):
    """A copy of an image, mounted by the kernel, or of a directory."""
    reference = place.file("reference")
    if os.path.isdir(start):
        shutil.copytree(start, reference, symlinks=True)
        yield reference
        shutil.rmtree(reference)
    else:
        os.makedirs(reference, exist_ok=True)
        shutil.copyfile(start, place.file("kernel.img"))
        with by_kernel(place.file("kernel.img"), reference):
            yield reference


def seeds():
    """GEMEL_TEST_SEED alone, or ten; 200 with GEMEL_TEST_LONG."""
    if "GEMEL_TEST_SEED" in os.environ:
        return [int(os.environ["GEMEL_TEST_SEED"])]
    return range(200 if os.environ.get("GEMEL_TEST_LONG") else 10)


@contextlib.contextmanager
def mounted_for(place, image):
    """A mount for a while: one that answers nothing any more is killed, so that what waits for it fails."""
    with place.foreground(image, "-o", "rw") as process:
        late = []

        def stop():
            late.append(f"not done after {SECONDS_MAX} s")
            process.kill()

        watch = threading.Timer(SECONDS_MAX, stop)
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
        equal(late, [], "a mount")
        equal(gemel("umount", place.directory).returncode, 0, "status of umount")
        equal(process.wait(60), 0, "status of the mount")


def compare(place, case, next_step, take, steps):
    """Streams of each seed, the seed's flavour of volume mounted again in the middle; e2fsck judges after each half."""
    flavours = {}
    for seed in seeds():
        number = seed % (len(FLAVOURS) if os.geteuid() == 0 else PLAIN)
        if number not in flavours:
            flavours[number] = make_flavour(place, number)
        stream = Stream(seed, case, next_step, take)
        image, start = flavours[number]
        ours = shutil.copyfile(image, place.file("ours.img"))
        with kernels_side(place, start) as reference:
            sides = (Side(place.directory, True), Side(reference, False))
            try:
                for _ in range(2):
                    with mounted_for(place, ours):
                        same_trees(sides, stream.told("after the mount"))
                        stream.run(sides, steps // 2)
                        for side in sides:
                            side.close()
                        same_trees(sides, stream.told("at the end"))
                    check_image(ours)
            finally:
                for side in sides:
                    side.close()
