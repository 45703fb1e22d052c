"""Random streams of operations on a mount and on the kernel's own ext4: every result and all that is left is the same."""
import os
import stat

import streams
from mounts import Failure, expect
from streams import BYTES, EXCHANGE, KEEP_SIZE, NOREPLACE, PUNCH, ZERO

FILES = ("tiny", "long", "between", "ahead", "pointers", "new")
FILE_BYTES = 1_500_000
ALLOCATIONS = (0, KEEP_SIZE, PUNCH | KEEP_SIZE, ZERO, ZERO | KEEP_SIZE)


# --- one file -----------------------------------------------------------------------------------
def file_step(choose):
    """(kind, words...) on the open file."""
    kind = choose.choice(("read", "read", "write", "write", "write", "append", "truncate", "memory", "allocate", "allocate",
                          "seek", "copy", "sync", "drop", "reopen", "whole"))
    offset = choose.choice((choose.randrange(64), choose.randrange(20_000), choose.randrange(FILE_BYTES)))
    size = choose.choice((choose.randrange(100), choose.randrange(6_000), choose.randrange(80_000)))
    if choose.randrange(3) == 0:
        offset, size = offset & ~1023, size & ~1023
    if kind == "reopen":
        return kind, choose.choice(FILES)
    if kind == "truncate":
        return kind, offset
    if kind == "copy":
        return kind, offset, choose.randrange(FILE_BYTES), size
    if kind == "allocate":
        return kind, choose.choice(ALLOCATIONS), offset, size
    return kind, offset, size, choose.randrange(900_000)


def copy_all(descriptor, offset, target, size):
    copied = 0
    while copied < size:
        done = os.copy_file_range(descriptor, descriptor, size - copied, offset + copied, target + copied)
        if done == 0:
            break
        copied += done
    return copied


def take_file_step(side, step):
    kind, *words = step
    if not side.files or kind == "reopen":
        side.close()
        path = side.at(words[0] if kind == "reopen" else FILES[0])
        side.files["file"] = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        side.files["end"] = os.open(path, os.O_WRONLY | os.O_APPEND)
    descriptor = side.files["file"]
    result = on_file(side, descriptor, kind, words)
    return result, os.fstat(descriptor).st_size


def on_file(side, descriptor, kind, words):
    if kind in ("read", "write", "append", "memory"):
        offset, size, start = words
        content = BYTES[start:start + size]
        if kind == "read":
            return os.pread(descriptor, size, offset)
        if kind == "memory":
            return streams.write_through_memory(descriptor, offset, content)
        return os.pwrite(side.files["end" if kind == "append" else "file"], content, offset)
    if kind == "truncate":
        return os.ftruncate(descriptor, *words)
    if kind == "allocate":
        return streams.allocate(descriptor, *words)
    if kind == "copy":
        return copy_all(descriptor, *words)
    if kind == "seek":
        # The kernel calls some of what it has not placed yet a hole, in files with block pointers.
        return streams.holes_are_zeros(descriptor) if side.ours else None
    if kind == "sync":
        return os.fsync(descriptor) if words[0] % 2 else os.fdatasync(descriptor)
    if kind == "drop":
        streams.drop_pages(descriptor)
    return os.pread(descriptor, 2 * FILE_BYTES + 1, 0)


def one_file_beside_the_kernel(place):
    """Goal: files of every kind of map read, and answer, as on the kernel's ext4, whatever is done to them.
    Method: random steps on one open file after the other, from what the kernel made; the same seed, the same steps."""
    streams.compare(place, "one_file_beside_the_kernel", file_step, take_file_step, 160)


# --- trees --------------------------------------------------------------------------------------
def random_name(choose):
    where = choose.randrange(10)
    if where < 2:
        return f"tree/{streams.name_in_row(choose.randrange(500))}"
    if where < 4:
        return f"{choose.choice(FOLDERS)}/{streams.name_in_row(choose.randrange(130))}"
    name = f"n{choose.randrange(10)}" + choose.choice(("", "", "x" * choose.randrange(240)))
    folders = [f"n{choose.randrange(10)}" for _ in range(choose.choice((0, 0, 1, 1, 2)))]
    return "/".join([*folders, name])


KINDS = ("create", "create", "mkdir", "mkdir", "link", "symlink", "rename", "rename", "rename", "unlink", "unlink", "rmdir",
         "chmod", "chown", "times", "set", "set", "get", "drop", "names", "list", "fifo", "open", "use", "close", "stat",
         "write", "truncate", "sync", "fill", "empty")
FOLDERS = ("block", "first", "tree", "n1")


def tree_step(choose):
    """(kind, name, words...)."""
    kind, name = choose.choice(KINDS), random_name(choose)
    if kind in ("fill", "empty"):
        return kind, choose.choice(FOLDERS), choose.randrange(200), choose.randrange(60)
    if kind in ("link", "rename"):
        return kind, name, random_name(choose), choose.choice((0, 0, NOREPLACE, EXCHANGE, EXCHANGE | NOREPLACE))
    if kind == "symlink":
        return kind, name, choose.choice(("n1", "n2/n3", "t" * choose.randrange(1, 200)))
    if kind in ("create", "mkdir", "chmod", "fifo"):
        return kind, name, choose.randrange(0o10000) if kind == "chmod" else choose.randrange(0o1000)
    if kind == "chown":
        return kind, name, choose.choice((-1, 0, 1000, 70_000)), choose.choice((-1, 0, 1000, 70_000))
    if kind == "times":
        return kind, name, choose.randrange(10**18), choose.randrange(10**18)
    if kind in ("set", "get", "drop"):
        value = BYTES[:choose.choice((0, 5, 40, 120))]
        return kind, name, choose.choice(("user.a", "user.b", "trusted.c")), value, choose.choice((0, 0, os.XATTR_CREATE,
                                                                                               os.XATTR_REPLACE))
    if kind in ("open", "use", "close"):
        return kind, name, choose.randrange(4), choose.randrange(50_000)
    return kind, name, choose.randrange(30_000), choose.randrange(9_000)


def listed(path):
    with os.scandir(path) as entries:
        return sorted((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries
                      if entry.name != "lost+found")


def use_open(side, path, kind, slot, size):
    """A file that is kept open, whatever becomes of its name."""
    if kind == "open":
        if slot in side.files:
            os.close(side.files.pop(slot))
        side.files[slot] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)
    descriptor = side.files.get(slot)
    if descriptor is None:
        return None
    if kind == "close":
        return os.close(side.files.pop(slot))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return status.st_nlink
    os.pwrite(descriptor, BYTES[size:size + size % 5_000], size // 2)
    return status.st_nlink, os.pread(descriptor, 100_000, 0), os.fstat(descriptor).st_size


def put(path, offset, size):
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        return os.pwrite(descriptor, BYTES[offset:offset + size], offset)
    finally:
        os.close(descriptor)


def sync(path):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def change_attribute(path, kind, name, value, mode):
    if kind == "set":
        return os.setxattr(path, name, value, mode)
    return os.getxattr(path, name) if kind == "get" else os.removexattr(path, name)


def take_tree_step(side, step):
    kind, name, *words = step
    path = side.at(name)
    if kind in ("open", "use", "close"):
        return use_open(side, path, kind, *words)
    if kind in ("set", "get", "drop"):
        return change_attribute(path, kind, *words)
    if kind in ("link", "rename"):
        other = side.at(words[0])
        return os.link(path, other, follow_symlinks=False) if kind == "link" else streams.rename(path, other, words[1])
    return SIMPLE[kind](path, *words)


SIMPLE = {
    "create": lambda path, mode: os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)),
    "mkdir": os.mkdir,
    "fifo": os.mkfifo,
    "chmod": os.chmod,
    "chown": os.lchown,
    "symlink": lambda path, text: os.symlink(text, path),
    "times": lambda path, accessed, modified: os.utime(path, ns=(accessed, modified), follow_symlinks=False),
    "unlink": lambda path, *_: os.unlink(path),
    "rmdir": lambda path, *_: os.rmdir(path),
    "names": lambda path, *_: sorted(os.listxattr(path)),
    "list": lambda path, *_: listed(os.path.dirname(path)),
    "stat": lambda path, *_: streams.seen(path),
    "write": put,
    "truncate": lambda path, size, _: os.truncate(path, size),
    "sync": lambda path, *_: sync(path),
    "fill": streams.fill,
    "empty": streams.empty,
}


def trees_beside_the_kernel(place):
    """Goal: names come, move and go as on the kernel's ext4, in directories that it thinned out, with its errors.
    Method: random steps over few names and the kernel's; the same seed, the same steps."""
    if os.geteuid() != 0:
        return "only root may give files away and look everywhere"
    before = os.umask(0)
    try:
        streams.compare(place, "trees_beside_the_kernel", tree_step, take_tree_step, 400)
    finally:
        os.umask(before)
    return None


def a_stream_tells_of_a_difference(place):
    """Goal: a difference in a single byte of one step is found and told with the command that shows it again."""
    def take(side, step):
        result = take_file_step(side, step)
        return (result, "odd") if step[0] == "read" and side.ours and result[1] > 100_000 else result

    try:
        streams.compare(place, "one_file_beside_the_kernel", file_step, take, 160)
    except Failure as failure:
        again = f"GEMEL_TEST_SEED={streams.seeds()[0]} python3 tests/fuse/run.py one_file_beside_the_kernel"
        expect(again in str(failure), f"told: {failure}")
    else:
        expect(False, "the difference was not seen")


CASES = (one_file_beside_the_kernel, trees_beside_the_kernel, a_stream_tells_of_a_difference)
