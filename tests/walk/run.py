#!/usr/bin/env python3
"""Walks (`gemel trace --one`): what docs/life-of-a-read.md shows is what happens. The last line counts."""
import difflib
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRACE = [sys.executable, f"{TOP}/frontends/campaign/walk.py"]
PAGE = f"{TOP}/docs/life-of-a-read.md"
OK, USAGE, FAILED = 0, 1, 2
TIMEOUT_S = 60


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


def trace(*words, status=OK):
    done = subprocess.run(TRACE + list(words), env=dict(os.environ, GEMEL_ROOT=TOP), capture_output=True, text=True, timeout=TIMEOUT_S)
    expect(done.returncode == status, f"status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    return done.stdout if status == OK else done.stderr


def plain(line):
    """Without what another boot or another disk image changes: threads' numbers and places on the disk."""
    line = re.sub(r"(\w)\(\d+\)  ", r"\1  ", line)
    return re.sub(r"(lba=|sector |offset=)[1-9]\d*", r"\1N", line)


def test_the_page_shows_the_walk_of_a_read():
    walk = [plain(line) for line in trace("--one", "read").splitlines()[1:]]
    with open(PAGE, encoding="utf-8") as file:
        blocks = re.findall(r"```text\n(.*?)```", file.read(), re.S)
    expect(len(blocks) == 1, f"{len(blocks)} walks in {PAGE}, not 1")
    told = blocks[0].splitlines()
    difference = "\n".join(difflib.unified_diff(told, walk, PAGE, "gemel trace --one read", lineterm=""))
    expect(told == walk, f"the walk is another one: mend the page\n{difference}")


def test_a_walk_is_the_same_each_time():
    expect(trace("--one", "open") == trace("--one", "open"), "two walks of the same line differ")


def test_a_warm_read_asks_nobody_else():
    walk = trace("--one", "read", "cat /etc/motd; cat /etc/motd")
    expect("cat(" in walk and "ext4(" in walk and "block.read" not in walk, walk)


def test_every_kind_has_a_line_of_its_own():
    kinds = {"write": "file.write", "open": "vfs.open", "stat": "vfs.stat", "mkdir": "vfs.mkdir",
             "unlink": "vfs.unlink", "spawn": "processes.create", "start": "process.start"}
    for kind, operation in kinds.items():
        lines = trace("--one", kind).splitlines()
        expect(f": {operation}(" in lines[0] and " -> ok" in lines[0], lines[0])
        expect(operation in lines[1] and lines[1].lstrip().startswith("0.000us"), lines[1])
        expect(lines[-1].endswith("  reply"), lines[-1])


def test_every_step_has_a_name():
    for kind in "read", "write", "open", "unlink", "start":
        walk = trace("--one", kind)
        expect(not re.search(r"not named|call \d|task \d|unknown", walk), walk)


def test_errors_say_what_to_do():
    expect("say which line makes one" in trace("--one", "nonsense", status=USAGE), "no advice")
    expect("makes no request of the kind chown" in trace("--one", "chown", "ls /", status=FAILED), "no kinds")
    expect("--one" in trace(status=USAGE), "no usage")


def main(words):
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or not all(word in name for word in words):
            continue
        try:
            test()
            passed += 1
        except (Failed, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAILED {name}: {error}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return FAILED if failed else OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
