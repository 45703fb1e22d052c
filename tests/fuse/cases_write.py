"""Writing: on a tmpfs of the system, and on ext4 images where the file system is written."""
import errno
import os
import random
import stat
import struct
import subprocess
import sys

from mounts import check_image, described, digest, equal, expect, fails, gemel, make_image, same_trees, until


def places(place):
    """(name, how to mount it) of everything that can be written here."""
    image = make_image(place.file("rw.img"), None, "64M")
    yield "tmpfs", ("--tmpfs", "-o", "rw"), "none"
    yield "ext4", ("-o", "rw"), image


def on_each(place, body):
    skipped = None
    for name, words, image in places(place):
        if name == "ext4":
            done = gemel("mount", *words, image, place.directory)
            if "can only be read here" in done.stderr:
                skipped = "ext4 is not written yet"
                continue
            equal(done.returncode, 0, f"mount ({done.stderr.strip()})")
            equal(gemel("umount", place.directory).returncode, 0, "umount")
        with place.mounted(image, *words) as directory:
            body(name, directory)
        if name == "ext4":
            check_image(image)
    return None if not skipped else skipped


def files(name, directory):
    path = os.path.join(directory, "file")
    with open(path, "wb") as out:
        out.write(b"one")
        out.flush()
        os.fsync(out.fileno())
    with open(path, "ab") as out:
        out.write(b" two")
    equal(open(path, "rb").read(), b"one two", "appended")
    with open(path, "r+b") as out:
        out.seek(100_000)
        out.write(b"far")
    equal(os.stat(path).st_size, 100_003, "size")
    equal(open(path, "rb").read(), b"one two" + bytes(99_993) + b"far", "with a hole")
    os.truncate(path, 5)
    equal(open(path, "rb").read(), b"one t", "cut")
    os.truncate(path, 10)
    equal(open(path, "rb").read(), b"one t" + bytes(5), "grown")
    content = random.Random(1).randbytes(3_000_001)
    with open(path, "wb") as out:
        out.write(content)
    equal(open(path, "rb").read(), content, "three megabytes")
    with open(path, "rb") as held:
        os.unlink(path)
        fails(errno.ENOENT, os.stat, path)
        equal(held.read(), content, "through an open file without a name")
        equal(os.fstat(held.fileno()).st_size, len(content), "size without a name")
    with open(path, "w+b") as held:
        os.unlink(path)
        held.write(b"nameless")
        held.flush()
        os.ftruncate(held.fileno(), 4)
        held.seek(0)
        equal(held.read(), b"name", "written without a name")


def names(name, directory):
    def at(*parts):
        return os.path.join(directory, *parts)
    os.mkdir(at("a"), 0o750)
    equal(stat.S_IMODE(os.stat(at("a")).st_mode), 0o750, "mode of a directory")
    os.makedirs(at("a", "b", "c"))
    with open(at("a", "b", "c", "f"), "w") as out:
        out.write("deep")
    with open(at("a", "b", "c", "f")) as held:
        os.rename(at("a"), at("x"))
        equal(held.read(), "deep", "through a file whose directory moved")
    equal(open(at("x", "b", "c", "f")).read(), "deep", "at its new place")
    fails(errno.ENOENT, os.stat, at("a"))
    os.symlink("x/b", at("link"))
    equal(os.readlink(at("link")), "x/b", "text of a link")
    equal(os.listdir(at("link")), ["c"], "through a link")
    os.rename(at("x", "b", "c", "f"), at("f"))
    with open(at("g"), "w") as out:
        out.write("g")
    os.rename(at("g"), at("f"))
    equal(open(at("f")).read(), "g", "renamed over")
    equal(sorted(entry for entry in os.listdir(directory) if entry != "lost+found"), ["f", "link", "x"], "names")
    fails(errno.EEXIST, os.mkdir, at("x"))
    fails(errno.ENOTEMPTY, os.rmdir, at("x"))
    fails(errno.ENOTDIR, os.rmdir, at("f"))
    fails(errno.EISDIR, os.unlink, at("x"))
    fails(errno.ENOENT, os.unlink, at("missing"))
    fails(errno.EINVAL, os.rename, at("x"), at("x", "b", "in itself"))
    fails(errno.EISDIR, os.rename, at("f"), at("x"))
    fails(errno.ENOTDIR, os.rename, at("x"), at("f"))
    fails(errno.ENAMETOOLONG, os.mkdir, at("n" * 256))
    fails(errno.ENOENT, os.mkdir, at("missing", "y"))
    fails(errno.ENOTDIR, os.mkdir, at("f", "y"))
    os.rmdir(at("x", "b", "c"))
    os.unlink(at("link"))
    names_before = set()
    for number in range(300):
        os.close(os.open(at("x", f"n{number}"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        names_before.add(f"n{number}")
    equal(set(os.listdir(at("x"))) - {"b"}, names_before, "three hundred names")
    fails(errno.EEXIST, os.open, at("x", "n1"), os.O_CREAT | os.O_EXCL)


def attributes(name, directory):
    path = os.path.join(directory, "file")
    with open(path, "w") as out:
        out.write("x")
    os.chmod(path, 0o4711)
    os.utime(path, ns=(1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
    found = os.stat(path)
    equal(stat.S_IMODE(found.st_mode), 0o4711, "mode")
    equal((found.st_atime_ns, found.st_mtime_ns), (1_000_000_000_123_456_789, 1_100_000_000_987_654_321), "times")
    if os.geteuid() == 0:
        os.chown(path, 1234, 5678)
        found = os.stat(path)
        equal((found.st_uid, found.st_gid), (1234, 5678), "owner")
        equal(stat.S_IMODE(found.st_mode) & 0o4000, 0, "set-user-id after chown")


def nameless_attributes(place):
    """Goal: extended attributes of an open file outlive its name. Method: removed, and renamed over; both ways to cache."""
    image = make_image(place.file("disk.img"), None, "8M")
    for words in ("rw", "rw,writeback"):
        with place.mounted(image, "-o", words) as directory:
            path, other = os.path.join(directory, "file"), os.path.join(directory, "other")
            for take in (os.unlink, lambda name: os.rename(other, name)):
                open(other, "w").close()
                with open(path, "w+b") as held:
                    file = held.fileno()
                    os.setxattr(file, "user.before", b"named")
                    take(path)
                    equal(os.getxattr(file, "user.before"), b"named", "set before")
                    os.setxattr(file, "user.after", b"x" * 300)
                    equal(os.getxattr(file, "user.after"), b"x" * 300, "set after")
                    fails(errno.EEXIST, os.setxattr, file, "user.after", b"", os.XATTR_CREATE)
                    os.removexattr(file, "user.before")
                    fails(errno.ENODATA, os.getxattr, file, "user.before")
                    fails(errno.ENODATA, os.removexattr, file, "user.before")
                    equal(os.listxattr(file), ["user.after"], "names")
        check_image(image)


def random_operations(name, directory):
    """A random stream of operations beside the same on the host's own file system."""
    import shutil
    import tempfile
    choose = random.Random(7)
    reference = tempfile.mkdtemp(prefix="gemel-reference-")
    roots = (directory, reference)
    known = ["."]
    folders = ["."]
    try:
        for step in range(400):
            kind = choose.choice(("write", "write", "mkdir", "unlink", "rename", "truncate", "append", "rmdir"))
            folder = choose.choice(folders)
            name_in = os.path.join(folder, f"n{choose.randrange(12)}")
            other = os.path.join(choose.choice(folders), f"n{choose.randrange(12)}")
            size, offset, byte = choose.randrange(20_000), choose.randrange(20_000), choose.randrange(256)
            outcomes = []
            for root in roots:
                one, two = os.path.join(root, name_in), os.path.join(root, other)
                try:
                    if kind == "write":
                        with open(one, "r+b" if os.path.exists(one) else "wb") as out:
                            out.seek(offset)
                            out.write(bytes([byte]) * size)
                    elif kind == "append":
                        with open(one, "ab") as out:
                            out.write(bytes([byte]) * size)
                    elif kind == "mkdir":
                        os.mkdir(one)
                    elif kind == "unlink":
                        os.unlink(one)
                    elif kind == "rmdir":
                        os.rmdir(one)
                    elif kind == "truncate":
                        os.truncate(one, size)
                    else:
                        os.rename(one, two)
                    outcomes.append(None)
                except OSError as error:
                    outcomes.append(errno.errorcode[error.errno])
            equal(outcomes[0], outcomes[1], f"step {step}: {kind} {name_in} {other}")
            folders = ["."] + [os.path.relpath(os.path.join(at, each), reference)
                               for at, below, _ in os.walk(reference) for each in below]
        same = [{key: entry[:2] + entry[4:7] for key, entry in described(root, False).items()} for root in roots]
        equal(same[0], same[1], "trees after the stream")
        del known
    finally:
        shutil.rmtree(reference, ignore_errors=True)


def writing_files(place):
    """Goal: bytes written are bytes read: appended, far beyond the end, cut, grown, without a name."""
    return on_each(place, files)


def writing_names(place):
    """Goal: names come, move and go as POSIX says, with its errors; what is open is not disturbed."""
    return on_each(place, names)


def writing_attributes(place):
    """Goal: modes, owners and times are what was set."""
    return on_each(place, attributes)


def set_user_bits(place):
    """Goal: a write or a truncation takes the set-user bit away, and root's does not, as write(2) says."""
    if os.geteuid() != 0:
        return "only root writes as somebody else"
    user = 65534
    image = make_image(place.file("bits.img"), None, "16M")
    changes = {"write": "os.write(os.open(path, os.O_WRONLY), b'x')", "shorter": "os.truncate(path, 1)",
               "longer": "os.truncate(path, 9000)"}
    os.chmod(place.path, 0o755)
    with place.mounted(image, "-o", "rw,allow_other") as directory:
        for who, kept in ((user, 0), (0, stat.S_ISUID)):
            for name, change in changes.items():
                path = os.path.join(directory, f"{name}-{who}")
                with open(path, "w") as out:
                    out.write("four")
                os.chown(path, user, user)
                os.chmod(path, 0o4777)
                subprocess.run([sys.executable, "-c", f"import os; os.setuid({who}); path = {path!r}; {change}"],
                               check=True, timeout=60)
                equal(os.stat(path).st_mode & stat.S_ISUID, kept, f"set-user bit after {name} by {who}")
    return None


def extended(name, directory):
    if name == "tmpfs":
        return  # a memory tree keeps none
    path = os.path.join(directory, "x")
    with open(path, "w"):
        pass
    values = {"user.short": b"value", "user.long": bytes(range(256)) * 2, "user.empty": b"",
              "trusted.t": b"t", "security.s": b"s"}
    for name, value in values.items():
        os.setxattr(path, name, value)
    equal({name: os.getxattr(path, name) for name in os.listxattr(path)}, values, "attributes")
    fails(errno.EEXIST, os.setxattr, path, "user.short", b"", os.XATTR_CREATE)
    fails(errno.ENODATA, os.setxattr, path, "user.none", b"", os.XATTR_REPLACE)
    fails(errno.ENODATA, os.getxattr, path, "user.none")
    fails(errno.ENODATA, os.removexattr, path, "user.none")
    fails(errno.ENOSPC, os.setxattr, path, "user.huge", bytes(60_000))
    os.removexattr(path, "user.long")
    del values["user.long"]
    rights = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
        (1, 7, 0xFFFFFFFF), (2, 6, 1000), (4, 5, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)))
    below = os.path.join(directory, "d")
    os.mkdir(below)
    os.setxattr(below, "system.posix_acl_default", rights)
    before = os.umask(0)  # the host's kernel takes it away before it asks
    try:
        os.close(os.open(os.path.join(below, "f"), os.O_CREAT | os.O_WRONLY, 0o666))
    finally:
        os.umask(before)
    equal(os.stat(os.path.join(below, "f")).st_mode & 0o777, 0o660, "inherited permissions")
    given = os.getxattr(os.path.join(below, "f"), "system.posix_acl_access")
    equal(struct.unpack_from("<HHI", given, 12), (2, 6, 1000), "the inherited list's user")


def writing_extended(place):
    """Goal: extended attributes and lists of access rights are kept, with the host's own errors."""
    return on_each(place, extended)


def writing_large_values(place):
    """Goal: with ea_inode an attribute may have as many bytes as the host asks for."""
    image = make_image(place.file("values.img"), None, "16M", "-O", "ea_inode")
    values = {f"user.{size}": bytes(index % 251 for index in range(size)) for size in (3_000, 9_000, 65_536)}
    with place.mounted(image, "-o", "rw") as directory:
        path = os.path.join(directory, "x")
        with open(path, "w"):
            pass
        for name, value in values.items():
            os.setxattr(path, name, value)
    check_image(image)
    with place.mounted(image, "-o", "rw") as directory:
        path = os.path.join(directory, "x")
        equal({name: os.getxattr(path, name) for name in os.listxattr(path)}, values, "attributes")
        os.setxattr(path, "user.9000", b"small")
        free = os.statvfs(directory).f_ffree
        os.unlink(path)
        # The file goes when the host forgets it: the inode of its own, and of two values.
        until(lambda: os.statvfs(directory).f_ffree == free + 3, "three free inodes more")
    check_image(image)


def what_the_volume_says(place):
    """Goal: who waits for a mount knows what for, and who may only read, why."""
    image = make_image(place.file("mmp.img"), None, "16M", "-O", "mmp")
    done = gemel("mount", "-o", "rw", image, place.directory)
    equal(done.returncode, 0, f"mount ({done.stderr.strip()})")
    expect("mmp: waiting 11 seconds to see whether another host writes the volume" in done.stderr, f"told: {done.stderr}")
    equal(gemel("umount", place.directory).returncode, 0, "umount")
    check_image(image)
    image = make_image(place.file("quota.img"), None, "16M", "-O", "quota")
    done = gemel("mount", "-o", "rw", image, place.directory)
    equal(done.returncode, 2, "status")
    expect("the volume can only be read: quota\n" in done.stderr, f"told: {done.stderr}")


def streams_beside_the_host(place):
    """Goal: the same operations give the same results and the same trees as on the host's file system."""
    return on_each(place, random_operations)


def a_tree_survives_remounting(place):
    """Goal: what was written is on the image after umount. Method: tar a tree in, mount again, compare."""
    from mounts import make_tree
    source = place.file("source")
    os.mkdir(source)
    make_tree(source, seed=17)
    image = make_image(place.file("rw.img"), None, "64M")
    done = gemel("mount", "-o", "rw", image, place.directory)
    if "can only be read here" in done.stderr:
        return "ext4 is not written yet"
    equal(done.returncode, 0, f"mount ({done.stderr.strip()})")
    subprocess.run(f"tar -C {source} --format=posix -cf - . | tar -C {place.directory} --warning=no-timestamp -xpf -", shell=True, check=True)
    same_trees(place.directory, source, times=True)
    equal(gemel("umount", place.directory).returncode, 0, "umount")
    check_image(image)
    before = digest(image)
    with place.mounted(image, "-o", "ro") as directory:
        same_trees(directory, source, times=True)
    equal(digest(image), before, "a read-only mount changed the image")


CASES = (nameless_attributes, writing_files, writing_names, writing_attributes, set_user_bits, writing_extended, writing_large_values, what_the_volume_says, streams_beside_the_host, a_tree_survives_remounting)
