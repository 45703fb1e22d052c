#!/usr/bin/env python3
"""Simulated runs in the build that sees races between tasks (`gemel sim --races`). An argument names tests by a part of their
names. The last line counts. Expects the builds hosted and hosted-tsan."""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS_MAX = 900
# Few of each: a run takes about ten times as long there.
SMOKE = (("boot", "none", 4), ("posix-mix", "none", 4), ("posix-mix", "default", 4), ("fs-crash", "default", 3),
         ("server-kill", "default", 4), ("vfs-race", "none", 3), ("cap-storm", "default", 3), ("session", "none", 2))


def gemel(*words, preset="hosted"):
    """Exit status and output."""
    done = subprocess.run(
        [f"{TOP}/build/{preset}/frontends/cli/gemel", *words], capture_output=True, text=True, errors="replace",
        timeout=SECONDS_MAX, env=dict(os.environ, GEMEL_ROOT=TOP), stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def test_a_race_is_told():
    """Goal: two threads with nothing between them are told of, by their lines, in every run alike, although nothing goes wrong;
    the journal replays in the build that made it, whichever program is asked."""
    words = ("sim", "--workload", "till", "--seeds", "1..3", "--faults", "none")
    status, text = gemel(*words)
    expect(status == 0, f"it shows without looking for it: {text}")
    with tempfile.TemporaryDirectory(prefix="gemel-races-") as folder:
        status, text = gemel(*words, "--races", "--journals", folder)
        told = [line for line in text.splitlines() if line.startswith("FAIL ")]
        place = r"(write|read) of 8 bytes at examples/till/till\.cpp:\d+"
        expect(status == 2 and len(told) == 3, text)
        expect(all(re.match(f"FAIL race  \"{place}, and another thread's {place}\"", line) for line in told), text)
        expect("--faults none --races" in text, f"how to run it again: {text}")
        status, again = gemel(*words, "--races", "--journals", folder)
        expect([line for line in again.splitlines() if line.startswith("FAIL ")] == told, f"first: {text}\nthen: {again}")
        journal = f"{folder}/fail-{re.search(r'L1 ([0-9a-f]{8})', told[0])[1]}.gemel"
        status, text = gemel("replay", journal)
        expect(status == 2 and text.splitlines()[0] == told[0], f"told: {told[0]}\nreplayed: {text}")


def test_equal_runs():
    """Goal: looking on makes no difference: the same runs as in the ordinary build, and no race in the system's own servers."""
    for workload, faults, seeds in SMOKE:
        words = ("sim", "--workload", workload, "--faults", faults, "--seeds", f"1..{seeds}", "--each", "--journals", "/tmp")
        hashes = []
        for preset in ("hosted", "hosted-tsan"):
            status, text = gemel(*words, preset=preset)
            hashes.append(re.findall(r"\bL1 ([0-9a-f]{32})", text))
            expect(status == 0 and len(hashes[-1]) == seeds, f"{preset}, {workload}, faults {faults}: status {status}\n{text[-3000:]}")
        expect(hashes[0] == hashes[1], f"{workload}, faults {faults}: {hashes[0]} is not {hashes[1]}")


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = 0
    for test in (test_a_race_is_told, test_equal_runs):
        if wanted not in test.__name__:
            continue
        try:
            test()
            passed += 1
            print(f"ok   {test.__name__[5:]}", flush=True)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAIL {test.__name__[5:]}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed or not passed else 0)


if __name__ == "__main__":
    main()
