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
# Never written: what the compiler emits for a reference.
ALLOWED = re.compile(r"^(DW\.ref\.|_ZGR.*const)")


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


def constants(top):
    """Names that the sources declare constexpr: the compiler may still put a table that holds addresses, or whose
    type it deduced, into a writable section."""
    listing = subprocess.run(
        ["git", "grep", "-hoE", r"constexpr [^;=()]*\b[a-z_]+( \{| =|\[\])", "--", *FOLDERS],
        cwd=top, capture_output=True, text=True, check=True,
    ).stdout
    return set(re.findall(r"\b([a-z_]+)(?: \{| =|\[\])", listing))


def last_name(symbol):
    return re.sub(r"\[abi:\w+\]", "", symbol).split("::")[-1].split("(")[0]


def violations(build):
    found = list(objects(build))
    constant = constants(os.path.dirname(os.path.dirname(build)))
    if not found:
        yield f"{os.path.basename(build)}: nothing is built, so nothing can be judged (./gemel test hosted)"
    for path in found:
        for section, size, name in symbols(path):
            name = re.sub(r"^\.hidden ", "", name)
            if size and WRITABLE.match(section) and not ALLOWED.match(name) and last_name(name) not in constant:
                short = os.path.relpath(path, build)
                yield f"{short}: {name} ({size} bytes in {section}) is a mutable global"
