"""Images that mkfs.ext4 made, seen through the mount."""
import os
import subprocess
import threading

from mounts import check_image, digest, equal, expect, make_image, make_tree, same_trees

IMAGES = (
    ("4 KiB blocks", ("-b", "4096")),
    ("1 KiB blocks", ("-b", "1024")),
    ("2 KiB blocks, 128-byte inodes", ("-b", "2048", "-I", "128")),
    ("ext2 with block pointers", ("-b", "1024", "-O", "^extents,^has_journal,^64bit")),
    ("inline data", ("-b", "4096", "-I", "256", "-O", "inline_data")),
)


def whole_trees(place):
    """Goal: every name, attribute and byte is what was put in. Method: a tree of random files on images of
    five kinds, compared with its source after two passes (cold and from the host's cache)."""
    for index, (name, words) in enumerate(IMAGES):
        source = place.file(f"source-{index}")
        os.mkdir(source)
        make_tree(source, seed=index)
        image = make_image(place.file(f"image-{index}"), source, "48M", *words)
        before = digest(image)
        with place.mounted(image, "-o", "ro") as directory:
            same_trees(directory, source)  # mkfs.ext4 -d keeps whole seconds
            same_trees(directory, source)
        equal(digest(image), before, f"{name}: a read-only mount changed the image")


def host_tools(place):
    """Goal: the tools that people use agree. Method: diff, tar, find and ls on both sides."""
    source = place.file("source")
    os.mkdir(source)
    make_tree(source, seed=99)
    os.remove(os.path.join(source, "pipe"))  # diff would wait for it
    image = make_image(place.file("image"), source)
    with place.mounted(image, "-o", "ro") as directory:
        done = subprocess.run(["diff", "-r", "--no-dereference", "-x", "lost+found", source, directory],
                              capture_output=True, text=True)
        equal((done.returncode, done.stdout), (0, ""), "diff -r")
        outputs = []
        for root in (source, directory):
            archive = subprocess.run(
                ["tar", "-cf", "-", "--exclude=./lost+found", "--sort=name", "--format=gnu", "--mtime=@0", "."],
                cwd=root, capture_output=True, check=True).stdout
            found = subprocess.run("find . -name lost+found -prune -o -printf '%p %m %l\\n' | sort", shell=True,
                                   cwd=root, capture_output=True, check=True).stdout
            outputs.append((archive, found))
        expect(outputs[0][0] == outputs[1][0], "tar makes another archive")
        expect(outputs[0][1] == outputs[1][1], "find finds something else")
        listed = subprocess.run(["ls", "-lRa", directory], capture_output=True, check=True).stdout
        expect(listed.count(b"entry-") == 400, "ls -lR does not show the large directory")
        equal(os.statvfs(directory).f_namemax, 255, "longest name")


def parallel_readers(place):
    """Goal: many readers at once each get their own bytes. Method: eight threads, other offsets, one image."""
    source = place.file("source")
    os.mkdir(source)
    content = bytes(range(256)) * 40_000
    for number in range(8):
        with open(os.path.join(source, str(number)), "wb") as out:
            out.write(bytes([number]) + content)
    image = make_image(place.file("image"), source, "160M")
    wrong = []

    def reader(directory, number):
        descriptor = os.open(os.path.join(directory, str(number)), os.O_RDONLY)
        for step in range(400):
            offset = (step * 7919 * (number + 1)) % len(content)
            found = os.pread(descriptor, 5000, 1 + offset)
            if found != content[offset:offset + 5000]:
                wrong.append((number, offset))
        os.close(descriptor)

    with place.mounted(image, "-o", "ro") as directory:
        threads = [threading.Thread(target=reader, args=(directory, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        equal(wrong, [], "bytes that differ")


def errors_of_a_read_only_mount(place):
    """Goal: what cannot be done fails with the host's own numbers."""
    import errno
    source = place.file("source")
    os.mkdir(source)
    make_tree(source, seed=5, files=3)
    image = make_image(place.file("image"), source)

    def fails(number, action, *words):
        try:
            action(*words)
        except OSError as error:
            equal(errno.errorcode[error.errno], errno.errorcode[number], f"{action.__name__} {words}")
        else:
            expect(False, f"{action.__name__} {words} did not fail")

    with place.mounted(image, "-o", "ro") as directory:
        def at(*parts):
            return os.path.join(directory, *parts)
        fails(errno.EROFS, os.mkdir, at("new"))
        fails(errno.EROFS, open, at("new"), "w")
        fails(errno.EROFS, os.unlink, at("second name"))
        fails(errno.EROFS, os.chmod, at("second name"), 0o600)
        fails(errno.ENOENT, os.stat, at("nothing"))
        fails(errno.ENOENT, os.stat, at("nothing"))  # from the host's memory of it
        fails(errno.ENOTDIR, os.stat, at("second name", "x"))
        fails(errno.ENAMETOOLONG, os.stat, at("m" * 256))
        fails(errno.EINVAL, os.readlink, at("second name"))
        fails(errno.ENOTDIR, os.listdir, at("second name"))
    check_image(image)


CASES = (whole_trees, host_tools, parallel_readers, errors_of_a_read_only_mount)
