"""What the host's own ext4 answers on the same image: a loop mount beside ours."""
import contextlib
import errno
import os
import shutil
import struct
import subprocess

from mounts import check_image, equal, expect, make_image


def has_loop_mounts(place):
    """Whether the host mounts ext4 images itself here."""
    if os.geteuid() != 0:
        return False
    image = make_image(place.file("probe.img"), None, "1M", "-O", "^has_journal")
    try:
        with by_the_kernel(place, image):
            return True
    except subprocess.CalledProcessError:
        return False


@contextlib.contextmanager
def by_the_kernel(place, image, options="rw"):
    directory = place.file("kernel")
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", f"loop,{options}", image, directory], check=True, capture_output=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


def space(place):
    """Goal: df shows what can be had, as the kernel counts it, and a volume is full when nothing is left.
    Method: the numbers of both on images of several kinds. The kernel keeps up to 2% more back for itself."""
    compare = has_loop_mounts(place)
    image = place.file("disk.img")
    for words in ((), ("-b", "4096", "-m", "10"), ("-O", "^has_journal"), ("-O", "meta_bg,^resize_inode"), ("-m", "0"),
                  ("-O", "bigalloc"), ("-O", "^extent,^64bit,^metadata_csum,^flex_bg"), "zero"):
        make_image(image, None, "48M", *(() if words == "zero" else words))
        if words == "zero":  # as old programs left it
            subprocess.run(["debugfs", "-w", "-R", "set_super_value overhead_clusters 0", image], check=True, capture_output=True)
        with place.mounted(image, "-o", "ro") as directory:
            ours = os.statvfs(directory)
        expect(ours.f_bavail <= ours.f_bfree, "more to be had than is free")
        if compare:
            with by_the_kernel(place, image, "ro") as directory:
                wanted = os.statvfs(directory)
            equal((ours.f_frsize, ours.f_blocks, ours.f_bfree, ours.f_files, ours.f_ffree),
                  (wanted.f_frsize, wanted.f_blocks, wanted.f_bfree, wanted.f_files, wanted.f_ffree), f"{words}")
            expect(0 <= ours.f_bavail - wanted.f_bavail <= wanted.f_blocks // 40, f"{words}: {ours} {wanted}")
    make_image(image, None, "16M", "-b", "1024", "-m", "20")
    with place.mounted(image, "-o", "rw") as directory:
        left = os.statvfs(directory)
        expect(left.f_bfree - left.f_bavail == 16384 // 5, f"reserved: {left}")
        done = subprocess.run(["dd", "if=/dev/zero", f"of={directory}/all", "bs=1k"], capture_output=True)
        equal(done.returncode, 1, "a write without end")
        written = os.stat(f"{directory}/all").st_blocks // 2
        expect(left.f_bavail - 64 <= written <= left.f_bavail, f"{written} could be written of {left.f_bavail}")
        equal(os.statvfs(directory).f_bavail // 64, 0, "left at the end")


MOMENTS = ("1800-01-01", "1900-01-01", "1901-12-13 20:45:51", "1901-12-13 20:45:52", "1901-12-13 20:45:53.5", "1960-02-29",
           "1969-12-31 23:59:59.999999999", "1970-01-01", "2038-01-19 03:14:07", "2038-01-19 03:14:08", "2106-02-07 06:28:16.25",
           "2262-04-12", "2300-01-01 12:00:00.123456789", "2446-05-10 22:38:54.5", "2446-05-10 22:38:55", "2446-05-10 22:38:56",
           "2500-01-01", "9999-12-31")
FIRST, LAST, LAST_OF_SMALL = -2**31, 2**34 - 2**31 - 1, 2**31 - 1
SECOND = 10**9


def kept_time(wanted, small):
    """What a disk has bits for: the nearest second at the ends, and whole ones in small inodes."""
    last = LAST_OF_SMALL if small else LAST
    seconds = min(max(wanted // SECOND, FIRST), last)
    return seconds * SECOND + (0 if small or seconds in (FIRST, last) else wanted % SECOND)


def times(place):
    """Goal: times from 1901 to 2446 are kept, and others are the nearest one, as the kernel has it.
    Method: touch on our mount and the kernel's; each is then read by the other, and by ours again."""
    compare = has_loop_mounts(place)
    image = place.file("disk.img")
    for inode_bytes in (256, 128):
        make_image(image, None, "8M", "-I", str(inode_bytes))
        wanted = {}

        def seen(directory, prefix):
            return {moment: os.stat(os.path.join(directory, prefix + moment)).st_mtime_ns for moment in MOMENTS}

        with place.mounted(image, "-o", "rw") as directory:
            for moment in MOMENTS:
                path = os.path.join(directory, "ours " + moment)
                subprocess.run(["touch", "-d", moment + " UTC", path], check=True)
                asked = subprocess.run(["date", "-d", moment + " UTC", "+%s %N"], check=True, capture_output=True).stdout.split()
                wanted[moment] = kept_time(int(asked[0]) * SECOND + int(asked[1]), inode_bytes == 128)
            equal(seen(directory, "ours "), wanted, f"{inode_bytes}: at once")
        if compare:
            with by_the_kernel(place, image) as directory:
                equal(seen(directory, "ours "), wanted, f"{inode_bytes}: to the kernel")
                for moment in MOMENTS:
                    subprocess.run(["touch", "-d", moment + " UTC", os.path.join(directory, "kernel " + moment)], check=True)
                equal(seen(directory, "kernel "), wanted, f"{inode_bytes}: of the kernel")
        with place.mounted(image, "-o", "ro") as directory:
            equal(seen(directory, "ours "), wanted, f"{inode_bytes}: later")
            if compare:
                equal(seen(directory, "kernel "), wanted, f"{inode_bytes}: from the kernel")
        check_image(image)


def outcome(action, *words):
    try:
        action(*words)
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]


def write_at(path, flags, offset):
    file = os.open(path, flags)
    try:
        os.pwrite(file, b"NEW", offset) if offset is not None else os.write(file, b"NEW")
    finally:
        os.close(file)


def make_file(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def battery(root, mark):
    """What every change of a marked file and a marked directory answers."""
    def at(*parts):
        return os.path.join(root, *parts)
    file, folder = at(mark), at("d" + mark)
    return {
        "rename it": outcome(os.rename, file, at("moved")),
        "rename over it": outcome(os.rename, at("plain"), file),
        "link": outcome(os.link, file, at("link")),
        "unlink": outcome(os.unlink, file),
        "chmod": outcome(os.chmod, file, 0o600),
        "chown": outcome(os.chown, file, 1, 1),
        "times": outcome(lambda: os.utime(file, (1, 1))),
        "times to now": outcome(os.utime, file),
        "set attribute": outcome(os.setxattr, file, "user.y", b"1"),
        "remove attribute": outcome(os.removexattr, file, "user.x"),
        "truncate": outcome(os.truncate, file, 0),
        "grow": outcome(os.truncate, file, 100),
        "open and truncate": outcome(write_at, file, os.O_WRONLY | os.O_TRUNC, 0),
        "write": outcome(write_at, file, os.O_WRONLY, 0),
        "append": outcome(write_at, file, os.O_WRONLY | os.O_APPEND, None),
        "chmod directory": outcome(os.chmod, folder, 0o700),
        "attribute of directory": outcome(os.setxattr, folder, "user.y", b"1"),
        "rename directory": outcome(os.rename, folder, at("moved")),
        "remove directory": outcome(os.rmdir, folder),
        "unlink in": outcome(os.unlink, os.path.join(folder, "in")),
        "rename out": outcome(os.rename, os.path.join(folder, "in"), at("out")),
        "rename within": outcome(os.rename, os.path.join(folder, "in"), os.path.join(folder, "again")),
        "rename over in": outcome(os.rename, at("plain"), os.path.join(folder, "in")),
        "create in": outcome(make_file, os.path.join(folder, "made")),
        "mkdir in": outcome(os.mkdir, os.path.join(folder, "sub")),
        "symlink in": outcome(os.symlink, "x", os.path.join(folder, "symlink")),
        "link in": outcome(os.link, at("plain"), os.path.join(folder, "linked")),
        "rename into": outcome(os.rename, at("plain"), os.path.join(folder, "moved")),
        "content": open(file, "rb").read(),
    }


def flags(place):
    """Goal: chattr's +i and +a hold through a mount as they do in the kernel.
    Method: every change of marked files and directories, here and on the kernel's own mount of the same image."""
    source = place.file("source")
    for folder in ("di", "da"):
        os.makedirs(os.path.join(source, folder))
        open(os.path.join(source, folder, "in"), "w").close()
    for name in ("i", "a", "plain"):
        with open(os.path.join(source, name), "w") as out:
            out.write("content")
        os.setxattr(os.path.join(source, name), "user.x", b"x")
    image, other = make_image(place.file("disk.img"), source, "8M"), place.file("other.img")
    for name, number in (("i", 0x10), ("a", 0x20)):
        for path in (name, "d" + name):
            subprocess.run(["debugfs", "-w", "-R", f"sif /{path} flags {number | 0x80000:#x}", image], check=True, capture_output=True)
    shutil.copy(image, other)
    with place.mounted(image, "-o", "rw") as directory:
        found = {mark: battery(directory, mark) for mark in ("i", "a")}
    check_image(image)
    allowed = ("times to now", "append", "create in", "mkdir in", "symlink in", "link in", "rename into")
    names = [name for name in found["i"] if name != "content"]
    equal(found["i"], {name: "EPERM" for name in names} | {"content": b"content"}, "immutable")
    equal(found["a"], {name: "ok" if name in allowed else "EPERM" for name in names} | {"content": b"contentNEW"}, "append-only")
    if has_loop_mounts(place):
        with by_the_kernel(place, other) as directory:
            equal({mark: battery(directory, mark) for mark in ("i", "a")}, found, "the kernel")


def access_list(*entries):
    """A value of system.posix_acl_access: (tag, permissions, id) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


OWNER, USER, GROUP, MASK, OTHERS, NOBODY = 1, 2, 4, 16, 32, 65534
NO_ID = 0xFFFFFFFF


def listed(nobodys, mask=7):
    return access_list((OWNER, 6, NO_ID), (USER, nobodys, NOBODY), (GROUP, 4, NO_ID), (MASK, mask, NO_ID), (OTHERS, 4, NO_ID))


def as_nobody(*words):
    done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *words], capture_output=True)
    return done.returncode == 0


def use_lists(root):
    """What a user may who is named in lists, and what becomes of the lists."""
    def at(name):
        return os.path.join(root, name)
    seen = {}
    os.chmod(root, 0o755)
    for name, value in (("refused", listed(0)), ("readable", listed(4)), ("writable", listed(6)), ("masked", listed(6, mask=4))):
        with open(at(name), "w") as out:
            out.write("text")
        os.setxattr(at(name), "system.posix_acl_access", value)
        seen[name] = (as_nobody("cat", at(name)), as_nobody("sh", "-c", 'echo >> "$0"', at(name)), os.stat(at(name)).st_mode & 0o777)
    os.chmod(at("writable"), 0o644)
    seen["after chmod"] = (as_nobody("sh", "-c", 'echo >> "$0"', at("writable")), os.getxattr(at("writable"), "system.posix_acl_access"))
    os.removexattr(at("refused"), "system.posix_acl_access")
    seen["after removal"] = (as_nobody("cat", at("refused")), os.stat(at("refused")).st_mode & 0o777)
    os.mkdir(at("folder"), 0o755)
    os.setxattr(at("folder"), "system.posix_acl_default", listed(0))
    os.close(os.open(at("folder/new"), os.O_CREAT | os.O_WRONLY, 0o644))
    seen["inherited"] = (as_nobody("cat", at("folder/new")), os.getxattr(at("folder/new"), "system.posix_acl_access"))
    os.mkdir(at("folder/sub"))
    seen["inherited by a directory"] = (as_nobody("ls", at("folder/sub")), os.getxattr(at("folder/sub"), "system.posix_acl_default"))
    return seen


def lists(place):
    """Goal: with allow_other the host's kernel keeps who is named in an access control list from what that forbids.
    Method: a user who is named, on our mount and on the kernel's."""
    if os.geteuid() != 0:
        return "only root shows its mounts to others"
    os.chmod(place.path, 0o755)
    images = [make_image(place.file(name), None, "8M") for name in ("disk.img", "other.img")]
    with place.mounted(images[0], "-o", "rw,allow_other") as directory:
        found = use_lists(directory)
    check_image(images[0])
    with place.mounted(images[0], "-o", "ro,allow_other") as directory:
        expect(not as_nobody("cat", os.path.join(directory, "folder/new")), "read after another mount")
        expect(as_nobody("cat", os.path.join(directory, "readable")), "not read after another mount")
    equal([found[name][:2] for name in ("refused", "readable", "writable", "masked")],
          [(False, False), (True, False), (True, True), (True, False)], "who may")
    equal((found["after chmod"][0], found["after removal"][0], found["inherited"][0]), (False, True, False), "later")
    if has_loop_mounts(place):
        with by_the_kernel(place, images[1]) as directory:
            equal(use_lists(directory), found, "the kernel")


CASES = (space, times, flags, lists)
