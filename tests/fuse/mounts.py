"""What the cases share: images of known trees, mounts that always end, comparisons."""
import contextlib
import errno
import hashlib
import os
import random
import shutil
import stat
import subprocess
import tempfile
import time

ROOT = os.environ.get("GEMEL_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GEMEL = os.path.join(ROOT, "build", os.environ.get("GEMEL_PRESET", "hosted"), "frontends/cli/gemel")
STEPS_MAX = 500  # of 20 ms, for what happens in another process


class Failure(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failure(what)


def equal(found, wanted, what):
    if found != wanted:
        raise Failure(f"{what}: {repr(found)[:400]}, wanted {repr(wanted)[:400]}")


def fails(number, action, *words):
    try:
        action(*words)
    except OSError as error:
        equal(errno.errorcode[error.errno], errno.errorcode[number], f"{action.__name__} {words}")
    else:
        expect(False, f"{action.__name__} {words} did not fail")


def until(condition, what):
    for _ in range(STEPS_MAX):
        if condition():
            return
        time.sleep(0.02)
    raise Failure(f"never came: {what}")


def gemel(*words, **options):
    return subprocess.run([GEMEL, *words], capture_output=True, text=True, timeout=60, **options)


def refused(words, status, *parts, **options):
    """The command fails with this status and one line that holds all parts."""
    done = gemel(*words, **options)
    equal(done.returncode, status, f"status of {' '.join(words)} ({done.stderr.strip()})")
    lines = done.stderr.strip().splitlines()
    equal(len(lines), 1, f"lines of the refusal {lines}")
    for part in parts:
        expect(part in lines[0], f"{part!r} is not in {lines[0]!r}")


def is_mounted(directory):
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == directory for line in mounts)


class Place:
    """A temporary directory; whatever was mounted in it is gone at the end."""

    def __init__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="gemel-fuse-"))
        self.directory = os.path.join(self.path, "mnt")
        os.mkdir(self.directory)

    def file(self, name):
        return os.path.join(self.path, name)

    def end(self):
        for _ in range(3):
            if is_mounted(self.directory):
                subprocess.run([GEMEL, "umount", "--lazy", self.directory], capture_output=True, timeout=60)
        shutil.rmtree(self.path, ignore_errors=True)

    @contextlib.contextmanager
    def mounted(self, image, *words):
        done = gemel("mount", *words, image, self.directory)
        equal(done.returncode, 0, f"status of mount ({done.stderr.strip()})")
        expect(is_mounted(self.directory), "mount came back before the mount was there")
        yield self.directory
        done = gemel("umount", self.directory)
        equal(done.returncode, 0, f"status of umount ({done.stderr.strip()})")
        expect(not is_mounted(self.directory), "umount left the mount")

    @contextlib.contextmanager
    def foreground(self, image, *words):
        """The mounting process itself; the mount is up, and its end is the body's to bring about."""
        process = subprocess.Popen([GEMEL, "mount", "-f", *words, image, self.directory],
                                   stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: is_mounted(self.directory) or process.poll() is not None, "the mount")
            expect(process.poll() is None, "the mount ended at once")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)
            process.stderr.close()


def make_tree(root, seed, files=60):
    """Files of many sizes, holes, links, long and odd names, a large directory, modes and times."""
    choose = random.Random(seed)
    os.makedirs(os.path.join(root, "deep", *("d" * (1 + level) for level in range(12))))
    for number in range(files):
        folder = os.path.join(root, f"folder-{number % 7}")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"file {number}\u00e9")
        size = choose.choice((0, 1, 59, 60, 61, 1023, 1024, 4095, 4096, 4097, 65536, 300_000, 1_500_000))
        with open(path, "wb") as out:
            if number % 9 == 0:
                out.seek(size * 2)
            out.write(choose.randbytes(size))
        os.chmod(path, choose.choice((0o644, 0o600, 0o755, 0o444, 0o4755)))
        os.utime(path, ns=(choose.randrange(2**31) * 10**9 + number, choose.randrange(2**31) * 10**9 + 7))
    with open(os.path.join(root, "n" * 255), "w") as out:
        out.write("the longest name\n")
    os.link(os.path.join(root, "n" * 255), os.path.join(root, "second name"))
    os.symlink("deep/d", os.path.join(root, "short link"))
    os.symlink("/" + "t" * 200, os.path.join(root, "long link"))
    os.mkfifo(os.path.join(root, "pipe"))
    many = os.path.join(root, "many")
    os.mkdir(many)
    for number in range(400):
        with open(os.path.join(many, f"entry-{number:05}"), "w") as out:
            out.write(str(number))


def make_image(path, tree=None, size="48M", *words):
    command = ["mkfs.ext4", "-q", "-F", *words]
    if tree:
        command += ["-d", tree]
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run([*command, path, size], check=True, capture_output=True, env=environment)
    return path


def check_image(path):
    """e2fsck's word that the file system is whole."""
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    done = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True, env=environment)
    equal(done.returncode, 0, f"e2fsck -fn: {done.stdout[-2000:]}")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def described(root, times):
    """Every name below root with what can be seen of it; `times`: to the nanosecond."""
    found = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, root)
            if key == "lost+found":
                continue
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            entry = [kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid]
            if kind == stat.S_IFREG:
                entry += [status.st_size, status.st_nlink, digest(path)]
                entry.append(status.st_mtime_ns if times else status.st_mtime_ns // 10**9)
            elif kind == stat.S_IFLNK:
                entry.append(os.readlink(path))
            found[key] = entry
    return found


def same_trees(found, wanted, times=False):
    one, other = described(found, times), described(wanted, times)
    missing = sorted(set(other) - set(one))
    equal(missing, [], "missing")
    equal(sorted(set(one) - set(other)), [], "not wanted")
    for name, entry in other.items():
        equal(one[name], entry, name)
