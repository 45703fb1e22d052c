"""Whether every native program can lie anywhere and stays what it is: position-independent, relocated by its base alone
and never in its text, and nothing of it both written and executed. Usage: pie.py x86_64|arm64"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELATIVE = {"x86_64": "R_X86_64_RELATIVE", "arm64": "R_AARCH64_RELATIVE"}
PROGRAMS_LEAST = 20
SEGMENT = re.compile(r"^  (LOAD|DYNAMIC) +0x\w+ 0x(\w+) 0x\w+ 0x\w+ 0x(\w+) (.{3}) ")
RELOCATION = re.compile(r"^([0-9a-f]{16}) +[0-9a-f]{16} (R_\w+)")
FOREIGN = re.compile(r"\((NEEDED|TEXTREL|JMPREL|REL|RELR|PLTRELSZ)\)")


def readelf(*words):
    return subprocess.run(["readelf", "-W", *words], check=True, capture_output=True, text=True).stdout


def wrong_with(face, program):
    if not re.search(r"Type: +DYN ", readelf("-h", str(program))):
        yield "is not position-independent"
    segments = []
    for line in readelf("-l", str(program)).splitlines():
        found = SEGMENT.match(line)
        if found and found[1] == "LOAD":
            segments.append((int(found[2], 16), int(found[3], 16), found[4]))
    if not any("E" in access for _, _, access in segments):
        yield "has no text"
    for begin, _, access in segments:
        if "W" in access and "E" in access:
            yield f"is written and executed at {begin:#x}"
    section = readelf("-d", str(program))
    for tag in FOREIGN.findall(section):
        yield f"has {tag} in its dynamic section"
    if "There is no dynamic section" in section:
        yield "has no dynamic section"
    relocations = [RELOCATION.match(line) for line in readelf("-r", str(program)).splitlines()]
    relocations = [(int(found[1], 16), found[2]) for found in relocations if found]
    if len(relocations) < 2:
        yield f"has {len(relocations)} relocations: that is no program of ours"
    for offset, kind in relocations:
        access = [access for begin, size, access in segments if begin <= offset <= begin + size - 8]
        if kind != RELATIVE[face]:
            yield f"has a relocation {kind} at {offset:#x}"
        if len(access) != 1 or "E" in access[0]:
            yield f"is relocated at {offset:#x}, in {access or 'nothing'}"


def main():
    face = sys.argv[1]
    build = ROOT / "build" / face
    programs = sorted((build / "programs").glob("*.elf"))
    wrong = [f"{program.name} {line}" for program in programs for line in list(wrong_with(face, program))[:3]]
    if len(programs) < PROGRAMS_LEAST:
        wrong.append(f"only {len(programs)} programs in {build / 'programs'}")
    for line in wrong:
        print(f"FAIL every program can lie anywhere: {line}")
    print(f"{max(len(programs) - len(wrong), 0)} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


sys.exit(main())
