"""No mutable globals in what tasks and the kernel run: hosted, everyone shares one process, and one process
may hold two machines. Judged by the objects that the hosted build made."""
import glob
import os
import re
import subprocess

# Sections of an object that can be written after the program started.
WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss)(\.(?!rel\.ro).*)?$")
# Folders of the build whose objects are the kernel's or a task's own.
FOLDERS = ("core", "servers", "examples")
# Never written: what the compiler emits for a reference, and constant tables that hold addresses, which it puts
# into a writable section for the linker to relocate.
ALLOWED = re.compile(r"^(DW\.ref\.|_ZGR.*const|gemel::(operations|calls)$)")


def objects(build):
    for folder in FOLDERS:
        for path in sorted(glob.glob(f"{build}/{folder}/**/*.o", recursive=True)):
            if "_test.dir/" not in path and not path.endswith(("_test.cpp.o", "_fuzz.cpp.o")):
                yield path


def symbols(path):
    """(section, size, name) of every object symbol."""
    listing = subprocess.run(["objdump", "-tC", path], capture_output=True, text=True, check=True).stdout
    for line in listing.split("\n"):
        match = re.match(r"[0-9a-f]{16} .{6}O (\S+)\t([0-9a-f]{16})\s+(.*)", line)
        if match:
            yield match[1], int(match[2], 16), match[3]


def violations(build):
    found = list(objects(build))
    if not found:
        yield f"{os.path.basename(build)}: nothing is built, so nothing can be judged (./gemel test hosted)"
    for path in found:
        for section, size, name in symbols(path):
            name = re.sub(r"^\.hidden ", "", name)
            if size and WRITABLE.match(section) and not ALLOWED.match(name):
                short = os.path.relpath(path, build)
                yield f"{short}: {name} ({size} bytes in {section}) is a mutable global"
