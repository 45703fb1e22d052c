"""Whether the stacks of programs are guarded: that each source of theirs is compiled so, and that each program has
functions of ours that check. Usage: guards.py hosted|x86_64|arm64"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WANTED = "-fstack-protector-strong"
# What runs before the guard is set (servers/libc/CMakeLists.txt).
BEFORE = {"servers/libc/memory.cpp", "servers/libc/start.cpp", "servers/libc/thread_local.cpp"}
OBJDUMP = {"hosted": "objdump", "x86_64": "objdump", "arm64": "aarch64-linux-gnu-objdump"}
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
LEAST = {"native": 10, "hosted": 500}  # functions of ours that check: in a program, in the one executable


def unguarded_sources(build: pathlib.Path) -> list[str]:
    found = []
    sources = 0
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(ROOT) or path.suffix not in (".cpp", ".c"):
            continue
        name = str(path.relative_to(ROOT))
        if not name.startswith(("servers/", "examples/")) or name.endswith("_test.cpp") or "/test/" in name:
            continue
        sources += 1
        options = [word for word in entry["command"].split() if re.fullmatch(r"-f(no-)?stack-protector.*", word)]
        if name not in BEFORE and options[-1:] != [WANTED]:
            found.append(f"{name}: compiled with {options or 'no such option'}, not {WANTED}")
    return found if sources > 100 else [f"only {sources} sources in compile_commands.json"]


def guarded_functions(face: str, program: pathlib.Path) -> int:
    text = subprocess.run([OBJDUMP[face], "-dC", "--no-show-raw-insn", str(program)], check=True,
                          capture_output=True, text=True).stdout
    found = set()
    function = ""
    for line in text.splitlines():
        header = FUNCTION.match(line)
        if header:
            function = header[1]
        elif "<__stack_chk_fail" in line and "gemel::" in function:
            found.add(function)
    return len(found)


def main() -> int:
    face = sys.argv[1]
    build = ROOT / "build" / face
    hosted = face == "hosted"
    programs = [build / "frontends/cli/gemel"] if hosted else sorted((build / "programs").glob("*.elf"))
    least = LEAST["hosted" if hosted else "native"]
    wrong = [f"every source is compiled with guards: {line}" for line in unguarded_sources(build)]
    for program in programs:
        count = guarded_functions(face, program)
        if count < least:
            wrong.append(f"every program checks its guards: {program.name} does in {count} functions; "
                         f"there should be {least} or more")
    if not hosted and len(programs) < 20:
        wrong.append(f"every program checks its guards: only {len(programs)} programs in {build / 'programs'}")
    for line in wrong:
        print(f"FAIL {line}")
    print(f"{max(len(programs) + 2 - len(wrong), 0)} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


sys.exit(main())
