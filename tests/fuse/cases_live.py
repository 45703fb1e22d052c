"""`gemel run --fuse DIR`: the disk of a running system in a directory of the host."""
import os
import re
import subprocess

from mounts import GEMEL, ROOT, check_image, equal, expect, is_mounted, make_image, refused, until


def live_export(place):
    """Goal: host and system see at once what the other one changed, the host may unmount and the system goes on, and the
    end of the system ends the mount. Method: a shell without a prompt, told line by line; e2fsck at the end."""
    image = make_image(place.file("disk.img"), None, "32M")
    environment = dict(os.environ, GEMEL_ROOT=ROOT)
    process = subprocess.Popen([GEMEL, "run", "--rw", "--fuse", place.directory, image], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)

    def tell(line):
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def host(name):
        return os.path.join(place.directory, name)

    def content(name):
        with open(host(name)) as file:
            return file.read()

    try:
        until(lambda: is_mounted(place.directory) or process.poll() is not None, "the mount")
        expect(process.poll() is None, "the system ended at once")
        expect(not os.path.exists(host("a")), "a file before it was made")
        tell("echo one > /a; echo done > /a-done")
        until(lambda: os.path.exists(host("a-done")), "the system's file")
        equal(content("a"), "one\n", "the system's file")
        tell("echo another one > /a; rm /a-done")
        until(lambda: not os.path.exists(host("a-done")), "the end of a file")
        equal(content("a"), "another one\n", "the system's change")
        with open(host("b"), "w") as out:
            out.write("from the host\n")
        os.mkdir(host("d"))
        os.rename(host("b"), host("d/b"))
        tell("cat /d/b > /c; mv /d/b /d/moved; echo done > /c-done")
        until(lambda: os.path.exists(host("c-done")), "the system's copy")
        equal(content("c"), "from the host\n", "what the system read")
        equal(sorted(os.listdir(host("d"))), ["moved"], "names after the system's rename")
        tell("shutdown")
        equal(process.wait(60), 0, "status of the system")
        until(lambda: not is_mounted(place.directory), "the end of the mount")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        process.stdin.close()
        process.stderr.close()
    check_image(image)


def live_export_unmounted(place):
    """Goal: the host may let go, and the system goes on; a wrong place is refused before anything starts."""
    image = make_image(place.file("disk.img"), None, "16M")
    refused(("run", "--fuse", place.file("missing"), "-c", "true", image), 125, "mkdir")
    environment = dict(os.environ, GEMEL_ROOT=ROOT)
    process = subprocess.Popen([GEMEL, "run", "--rw", "--fuse", place.directory, image], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    try:
        until(lambda: is_mounted(place.directory) or process.poll() is not None, "the mount")
        with open(os.path.join(place.directory, "kept"), "w") as out:
            out.write("kept\n")
        subprocess.run(["fusermount3", "-u", place.directory], check=True)
        said, _ = process.communicate("cat /kept\nshutdown\n", timeout=60)
        expect("kept\n" in said, f"the system does not read on: {said}")
        equal(process.returncode, 0, "status of the system")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
    check_image(image)


def one_message_for_each(place):
    """Goal: what the host makes or changes is one message to the file system, which tells what it made.
    Method: the trace of a running system, with what the host asks for beforehand left out."""
    image = make_image(place.file("disk.img"), None, "16M")
    trace = place.file("trace")

    def host(name):
        return os.path.join(place.directory, name)

    with open(trace, "w") as out:
        process = subprocess.Popen([GEMEL, "run", "--trace", "--rw", "--fuse", place.directory, image],
                                   stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL, text=True,
                                   env=dict(os.environ, GEMEL_ROOT=ROOT))
    try:
        until(lambda: is_mounted(place.directory) or process.poll() is not None, "the mount")
        expect(process.poll() is None, "the system ended at once")
        for make in (lambda: os.mkdir(host("folder")),
                     lambda: os.close(os.open(host("file"), os.O_CREAT | os.O_EXCL | os.O_WRONLY)),
                     lambda: os.mkfifo(host("pipe")),
                     lambda: os.symlink("file", host("symlink")),
                     lambda: os.link(host("file"), host("second")),
                     lambda: os.chmod(host("file"), 0o600)):
            make()
            os.statvfs(place.directory)  # shows in the trace where each one ends
        process.communicate("shutdown\n", timeout=60)
        equal(process.returncode, 0, "status of the system")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
    with open(trace) as lines:
        messages = re.findall(r"directory\.(\w+)\(.*-> (\w+)(.*)", lines.read())
    while messages and messages[0][0] != "mkdir":  # what the system did to start
        messages.pop(0)
    for kind in ("mkdir", "open", "make_node", "symlink", "link", "set_attributes"):
        at = next((at for at, message in enumerate(messages) if message[0] == kind and message[1] == "ok"), None)
        expect(at is not None, f"no {kind} among {messages}")
        expect("status_bytes=0" not in messages[at][2], f"{kind} told nothing: {messages[at]}")
        equal(messages[at + 1][0], "statfs", f"what comes after {kind}")


CASES = (live_export, live_export_unmounted, one_message_for_each)
