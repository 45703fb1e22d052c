"""Coming and going: refusals, signals, locks, the background, an ordinary user."""
import contextlib
import errno
import os
import shutil
import signal
import stat
import struct
import subprocess

from mounts import GEMEL, ROOT, check_image, equal, expect, gemel, is_mounted, make_image, refused, until


def simple_image(place):
    source = place.file("source")
    os.makedirs(source)
    with open(os.path.join(source, "hello"), "w") as out:
        out.write("hello\n")
    return make_image(place.file("disk.img"), source, "8M")


def refusals(place):
    """Goal: each mistake is one line that names it, and nothing stays mounted."""
    image = simple_image(place)
    directory = place.directory
    refused(("mount", image, place.file("missing")), 2, "missing", "mkdir")
    refused(("mount", image, image), 2, "not a directory")
    refused(("mount", image, place.path), 2, "not empty")
    refused(("mount", place.file("no.img"), directory), 2, "no.img", "No such file")
    refused(("mount", "-o", "colour=red", image, directory), 1, "colour=red")
    refused(("mount", place.path, directory), 2, "is a directory")
    with open(place.file("noise"), "wb") as out:
        out.write(os.urandom(1 << 20))
    refused(("mount", place.file("noise"), directory), 2, "noise")
    with open(image, "rb") as whole, open(place.file("cut"), "wb") as out:
        out.write(whole.read(1 << 20))
    refused(("mount", place.file("cut"), directory), 2, "truncated")
    bad = place.file("bad")
    with open(image, "rb") as whole, open(bad, "wb") as out:
        content = bytearray(whole.read())
        content[1024 + 0x60:1024 + 0x64] = b"\xff\xff\xff\x7f"  # s_feature_incompat
        out.write(content)
    refused(("mount", bad, directory), 2, "ext4")
    refused(("umount", directory), 2, "nothing of Gemel's is mounted")
    expect(not is_mounted(directory), "a refused mount stayed")
    equal(gemel("mount").returncode, 1, "status without arguments")


def without_bundle(place):
    """Goal: a program that was taken out of its build tree says what it misses. Method: a copy of it."""
    image = simple_image(place)
    program = place.file("a/b/gemel")
    os.makedirs(os.path.dirname(program))
    shutil.copy(GEMEL, program)
    for words in ([], ["-f"]):
        done = subprocess.run([program, "mount", *words, image, place.directory], capture_output=True, text=True, timeout=60)
        equal(done.returncode, 2, "status")
        expect("bundle.cpio is missing" in done.stderr, f"the reason: {done.stderr!r}")
    expect(not is_mounted(place.directory), "a refused mount stayed")


def locks(place):
    """Goal: an image has one writer; who holds it is named."""
    image = simple_image(place)
    other = place.file("other")
    os.mkdir(other)
    with place.mounted(image, "-o", "ro"):
        refused(("mount", image, other), 2, "in use by gemel (process ")
        refused(("mount", "-o", "rw", image, other), 2, "in use by gemel (process ")
        done = gemel("mount", "-o", "ro", image, other)  # two readers are no trouble
        equal(done.returncode, 0, f"a second read-only mount: {done.stderr}")
        subprocess.run(["fusermount3", "-u", other], check=True)


def background(place):
    """Goal: the command returns when the mount is up and leaves nothing behind when it is gone.
    Method: the mounting process is found by its lock and must end by itself after umount."""
    image = simple_image(place)
    with place.mounted(image) as directory:
        with open(os.path.join(directory, "hello")) as file:
            equal(file.read(), "hello\n", "content")
        holders = subprocess.run(["pgrep", "-f", f"mount {image} {directory}"], capture_output=True, text=True).stdout
        equal(len(holders.split()), 1, "mounting processes")
        process = int(holders.split()[0])
        equal(os.path.realpath(f"/proc/{process}/fd/2"), "/dev/null", "its standard error")
    until(lambda: not os.path.exists(f"/proc/{process}"), "the end of the mounting process")


def signals(place):
    """Goal: each signal that ends programs unmounts first, with status 0."""
    image = simple_image(place)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with place.foreground(image) as process:
            process.send_signal(number)
            equal(process.wait(60), 0, f"status after {number.name}")
            expect(not is_mounted(place.directory), f"{number.name} left the mount")


def umount_by_the_host(place):
    """Goal: the host's own umount ends the process as well as ours does."""
    image = simple_image(place)
    with place.foreground(image) as process:
        subprocess.run(["fusermount3", "-u", place.directory], check=True)
        equal(process.wait(60), 0, "status")


def busy(place):
    """Goal: what is in use is not taken away: umount refuses, a signal waits for the last user."""
    image = simple_image(place)
    with place.foreground(image) as process:
        with open(os.path.join(place.directory, "hello")) as file:
            refused(("umount", place.directory), 2, "in use", "--lazy")
            process.send_signal(signal.SIGTERM)
            until(lambda: not is_mounted(place.directory), "the mount out of sight")
            equal(file.read(), "hello\n", "content through a file that is still open")
            expect(process.poll() is None, "the process left its user alone")
        equal(process.wait(60), 0, "status")
        expect("in use" in process.stderr.read(), "nobody was told why it stays")


def killed(place):
    """Goal: after kill -9 nothing hangs: uses fail at once, a new mount says what to do, umount mends it."""
    image = simple_image(place)
    with place.foreground(image, "-o", "ro") as process:
        process.kill()
        process.wait(60)
    expect(is_mounted(place.directory), "the mount is gone by itself")
    try:
        os.listdir(place.directory)
        expect(False, "a dead mount was listed")
    except OSError as error:
        equal(error.strerror, "Transport endpoint is not connected", "error of a dead mount")
    refused(("mount", image, place.directory), 2, "gemel umount")
    equal(gemel("umount", place.directory).returncode, 0, "umount of a dead mount")
    with place.foreground(image, "-o", "rw") as process:
        process.kill()
        process.wait(60)
    refused(("umount", place.directory), 2, image, "had ended")
    with place.mounted(image):
        pass


def open_device(place):
    """Words before a command by which it sees a /dev/fuse that is everybody's, in mounts of its own; None: not here."""
    node = place.file("fuse")
    os.mknod(node, stat.S_IFCHR | 0o666, os.stat("/dev/fuse").st_rdev)
    os.chmod(node, 0o666)
    words = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /dev/fuse && exec "$@"', node]
    return words if subprocess.run([*words, "true"], capture_output=True).returncode == 0 else None


@contextlib.contextmanager
def small_host(place, size):
    """A file system of the host with this much room."""
    where = place.file("small")
    os.mkdir(where)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def unwritten(place):
    """Goal: an unmount that could not write everything says so, whether the process is in sight or not.
    Method: more is written into an image than the host's file system has room for; another mount beside it ends well."""
    if os.geteuid() != 0:
        return "only root mounts a tmpfs"
    other = place.file("other")
    os.mkdir(other)
    with small_host(place, "6M") as small:
        for number, fore in enumerate((False, True)):
            image = make_image(os.path.join(small, f"disk-{number}"), None, "16M", "-b", "1024")
            process = None
            if fore:
                process = subprocess.Popen([GEMEL, "mount", "-f", "-o", "rw", image, place.directory],
                                           stderr=subprocess.PIPE, text=True)
                until(lambda: is_mounted(place.directory), "the mount")
            else:
                equal(gemel("mount", "-o", "rw", image, place.directory).returncode, 0, "mount")
            equal(gemel("mount", "--tmpfs", "-o", "rw", "none", other).returncode, 0, "mount of the other one")
            with open(os.path.join(place.directory, "file"), "wb") as out:
                out.write(os.urandom(7 << 20))
            refused(("umount", place.directory), 2, image, "not written to the end")
            expect(not is_mounted(place.directory), "the mount stayed")
            done = gemel("umount", other)
            equal((done.returncode, done.stderr), (0, ""), "the other one")
            if process:
                equal(process.wait(60), 2, "status of the mounting process")
                expect("not written to the end" in process.stderr.read(), "nobody was told")
                process.stderr.close()
            os.unlink(image)


def killed_while_written(place):
    """Goal: a mounting process that is killed leaves no umount in the belief that all is written."""
    image = simple_image(place)
    with place.foreground(image, "-o", "rw") as process:
        process.send_signal(signal.SIGSTOP)
        umount = subprocess.Popen([GEMEL, "umount", place.directory], stderr=subprocess.PIPE, text=True)
        until(lambda: not is_mounted(place.directory), "the mount out of sight")
        expect(umount.poll() is None, "umount does not wait")
        process.kill()
        equal(umount.wait(60), 2, "status of umount")
        expect("ended before" in umount.stderr.read(), "the reason")
        umount.stderr.close()


def two_readers(place):
    """Goal: who reads the same image keeps no umount waiting."""
    image = simple_image(place)
    other = place.file("other")
    os.mkdir(other)
    with place.mounted(image, "-o", "ro"):
        equal(gemel("mount", "-o", "ro", image, other).returncode, 0, "a second mount")
        equal(gemel("umount", other).returncode, 0, "umount beside another reader")


def access_by_default(place):
    """Goal: a mount can be written where the image can, else only read with one line that says so; rw insists on it.
    Method: an image, one that must not be written, and one with a feature that is only read."""
    def options(directory):
        with open("/proc/self/mountinfo") as mounts:
            return next(line.split()[5] for line in mounts if line.split()[4] == directory).split(",")[0]
    image = simple_image(place)
    with place.mounted(image) as directory:
        equal(options(directory), "rw", "access of a mount")
        with open(os.path.join(directory, "made"), "w") as out:
            out.write("made\n")
    check_image(image)
    with place.mounted(image, "-o", "ro") as directory:
        equal(options(directory), "ro", "access with ro")
        with open(os.path.join(directory, "made")) as file:
            equal(file.read(), "made\n", "content")
    readable = make_image(place.file("quota.img"), None, "8M", "-O", "quota")
    images = [(readable, "quota")]
    if os.geteuid() == 0 and subprocess.run(["mount", "--bind", image, image], capture_output=True).returncode == 0:
        subprocess.run(["mount", "-o", "remount,bind,ro", image], check=True)
        images.append((image, "cannot be written"))
    try:
        for path, why in images:
            done = gemel("mount", path, place.directory)
            equal(done.returncode, 0, f"mount ({done.stderr})")
            equal(len(done.stderr.splitlines()), 1, f"lines: {done.stderr}")
            expect(why in done.stderr and path in done.stderr, f"the reason: {done.stderr}")
            equal(options(place.directory), "ro", f"access: {why}")
            try:
                open(os.path.join(place.directory, "new"), "w").close()
                expect(False, "a file was made")
            except OSError as error:
                equal(error.errno, errno.EROFS, "error of a change")
            equal(gemel("umount", place.directory).returncode, 0, "umount")
            expect(gemel("mount", "-o", "rw", path, place.directory).returncode == 2, "rw was not refused")
            expect(not is_mounted(place.directory), "a refused mount stayed")
    finally:
        if len(images) > 1:
            subprocess.run(["umount", image], check=True)


def ordinary_user(place):
    """Goal: a user without rights mounts through fusermount3, and only that user sees the files."""
    user = 65534
    if os.geteuid() != 0:
        return "this is the ordinary user's own run"
    everybodys = os.stat("/dev/fuse").st_mode & stat.S_IWOTH
    before = [] if everybodys else open_device(place)
    if before is None:
        return "/dev/fuse is root's alone here, and there are no mounts of one's own"
    image = simple_image(place)
    for path in (place.path, place.directory, image):
        os.chown(path, user, user)
    user_sees = f'setpriv --reuid={user} --regid={user} --clear-groups "$@"'
    script = f"""
as_user() {{ {user_sees}; }}
as_user {GEMEL} mount {image} {place.directory} || exit 1
as_user cat {place.directory}/hello || exit 2
cat {place.directory}/hello 2>/dev/null && exit 3
as_user {GEMEL} umount {place.directory} || exit 4"""
    done = subprocess.run([*before, "sh", "-c", script], capture_output=True, text=True, timeout=120)
    equal(done.returncode, 0, f"the step that failed ({done.stderr.strip()})")
    equal(done.stdout, "hello\n", "content")


def image_commands(place):
    """Goal: ls, cat, cp and create work on an image and leave nothing mounted."""
    image = place.file("made.img")

    def command(*words, status=0):
        done = subprocess.run([os.path.join(ROOT, "gemel"), "image", *words], capture_output=True, text=True, timeout=300)
        equal(done.returncode, status, f"status of image {' '.join(words)} ({done.stderr.strip()})")
        return done.stdout

    source = place.file("source")
    os.mkdir(source)
    content = bytes(range(256)) * 500
    with open(os.path.join(source, "bytes"), "wb") as out:
        out.write(content)
    command("create", image, "8M", source)
    command("create", image, "8M", status=2)
    expect(" bytes" in command("ls", image), "ls does not show the file")
    command("cp", image, ":/bytes", place.file("copy"))
    with open(place.file("copy"), "rb") as found:
        expect(found.read() == content, "cp copied something else")
    with open(os.path.join(source, "words"), "w") as out:
        out.write("words\n")
    other = make_image(place.file("other.img"), source, "8M")
    equal(command("cat", other, "/words", "words"), "words\nwords\n", "cat")
    command("cat", other, "/missing", status=2)
    command("ls", status=1)
    command("grow", other, "20M")
    equal(os.path.getsize(other), 20 << 20, "size after growing")
    check_image(other)
    equal(command("cat", other, "/words"), "words\n", "content after growing")
    command("grow", other, "16M", status=2)
    command("grow", other, "much", status=2)
    with open("/proc/self/mountinfo") as mounts:
        expect(image not in mounts.read(), "a mount was left")


def partitions(place):
    """Goal: a volume inside a larger image is mounted where it lies, and nothing around it changes.
    Method: one volume twice in an image with a boot record, by number and by offset; write in one."""
    mebi = 1 << 20
    with open(simple_image(place), "rb") as file:
        volume = file.read()
    disk = place.file("parts.img")
    with open(disk, "wb") as out:
        record = bytearray(512)
        for index, first in ((0, 1), (1, 12)):
            entry = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", first * mebi // 512, len(volume) // 512)
            record[446 + 16 * index:462 + 16 * index] = entry
        record[510:] = b"\x55\xaa"
        out.write(record)
        for first in (1, 12):
            out.seek(first * mebi)
            out.write(volume)
        out.write(b"end")
    refused(("mount", disk, place.directory), 2, "--partition")
    refused(("mount", "--partition", "3", disk, place.directory), 2, "no partition 3")
    refused(("mount", "--partition", "1", "-o", f"offset={mebi}", disk, place.directory), 1, "one of them")
    refused(("mount", "-o", "offset=77", disk, place.directory), 1, "512")
    refused(("mount", "-o", f"offset={64 * mebi}", disk, place.directory), 2, "ends before")
    with place.mounted(disk, "-o", f"ro,offset={mebi}") as directory:
        expect(os.path.exists(os.path.join(directory, "hello")), "nothing at the offset")
    with place.mounted(disk, "--partition", "2", "-o", "rw") as directory:
        with open(os.path.join(directory, "new"), "w") as out:
            out.write("new\n")
    with open(disk, "rb") as file:
        expect(file.read(mebi) == bytes(record) + bytes(mebi - 512), "the record changed")
        expect(file.read(len(volume)) == volume, "the other partition changed")
        file.seek(12 * mebi)
        with open(place.file("second"), "wb") as out:
            out.write(file.read(len(volume)))
        equal(file.read(), b"end", "what follows the partition")
    check_image(place.file("second"))


CASES = (image_commands, partitions, refusals, without_bundle, locks, background, signals, umount_by_the_host, busy, killed,
         access_by_default, unwritten, killed_while_written, two_readers, ordinary_user)
