#!/usr/bin/env python3
"""Threads stopped inside their code. The last line counts: N passed, M failed, K skipped. `run.py long`: also what takes
its time. Expects the builds hosted and hosted-preempt, and for `long` hosted-preempt-memory."""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS_MAX = 1800
RUNS, RUNS_LONG = 10, 200
DECISIONS_MOST = 5


def gemel(*words, preset="hosted-preempt", environment=None, before=()):
    """Exit status and output."""
    done = subprocess.run(
        [*before, f"{TOP}/build/{preset}/frontends/cli/gemel", *words], capture_output=True, text=True,
        errors="replace", timeout=SECONDS_MAX, env=environment, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def trace_of(*words, **more):
    """L1, edges and stops of one run that passes. L1 holds each stop: its thread, its edge, and who ran instead."""
    status, text = gemel("sim", *words, "--preempt", **more)
    match = re.search(r"\bL1 ([0-9a-f]{32}) .*  (\d+) edges  (\d+) stops$", text, re.M)
    expect(status == 0 and match, f"gemel sim {' '.join(words)}: status {status}\n{text[-2000:]}")
    return match.groups()


def told_of(text):
    line = next(line for line in text.splitlines() if line.startswith("FAIL "))
    return line, f"fail-{re.search(r'L1 ([0-9a-f]{8})', line)[1]}.gemel"


def test_race():
    """Goal: a race without a kernel entry in it is found by stops alone, shrinks to them, and replays; also when the
    ordinary program is asked, which goes on in the build that made the journal."""
    words = ("sim", "--workload", "till", "--seeds", "1..20", "--faults", "none")
    status, text = gemel(*words, preset="hosted")
    expect(status == 0, f"it shows without stops inside code: {text}")
    with tempfile.TemporaryDirectory(prefix="gemel-preempt-") as folder:
        status, text = gemel(*words, "--preempt", "--journals", folder)
        expect(status == 2, f"twenty seeds do not find the race in examples/till: {text}")
        told, journal = told_of(text)
        expect('FAIL workload  "till: coins were lost"' in told and "--faults none --preempt" in text, text)
        status, text = gemel("replay", f"{folder}/{journal}", preset="hosted", environment=dict(os.environ, GEMEL_ROOT=TOP))
        expect(status == 2 and told in text.splitlines(), f"told: {told}\nreplayed: {text}")
        status, text = gemel("when", f"{folder}/{journal}", "--seeds", "4", "--points", "2", preset="hosted",
                             environment=dict(os.environ, GEMEL_ROOT=TOP))
        expect(status == 0 and told.startswith(text.splitlines()[0]), f"told: {told}\nwhen: {text}")
        status, text = gemel("shrink", f"{folder}/{journal}")
        left = re.search(r"shrunk \d+ decisions -> (\d+) in", text)
        expect(status == 0 and left and 1 <= int(left[1]) <= DECISIONS_MOST, text)
        expect(re.search(r"preempt till\(\d+\)@examples/till/till\.cpp:\d+ edge \d+ -> till\(\d+\)", text), text)
        status, again = gemel("replay", f"{folder}/{journal}")
        expect(status == 2 and again.splitlines()[0] == text.splitlines()[0], again)


def test_campaign():
    """Goal: a campaign of stopped threads finds that race, and its journal is shrunk and replays in the build that made it."""
    with tempfile.TemporaryDirectory(prefix="gemel-preempt-") as folder:
        words = ["--store", f"{folder}/campaign", "--journals", folder, "--workload", "till", "--faults", "none"]
        done = subprocess.run(
            [sys.executable, f"{TOP}/frontends/campaign/explore.py", *words, "--seeds", "1..20", "--preempt"], text=True,
            capture_output=True, timeout=SECONDS_MAX, env=dict(os.environ, GEMEL_ROOT=TOP), stdin=subprocess.DEVNULL, check=False)
        found = re.search(r"replay:  gemel replay (\S+) --gdb   \((\d+) decisions?\)", done.stdout)
        expect(done.returncode == 2 and "till: coins were lost" in done.stdout and found, done.stdout + done.stderr)
        expect(1 <= int(found[2]) <= DECISIONS_MOST and " --preempt --faults none" in done.stdout, done.stdout)
        status, text = gemel("replay", found[1], preset="hosted", environment=dict(os.environ, GEMEL_ROOT=TOP))
        expect(status == 2 and 'FAIL workload  "till: coins were lost"' in text, text)


def test_debugger():
    """Goal: gdb stands at the stop that a shrunk journal is left with, in the code of the thread that was stopped."""
    with tempfile.TemporaryDirectory(prefix="gemel-preempt-") as folder:
        _, text = gemel("sim", "--workload", "till", "--seeds", "1..20", "--faults", "none", "--preempt", "--journals", folder)
        _, journal = told_of(text)
        _, text = gemel("replay", f"{folder}/{journal}", "--gdb", "--ex", "bt", "--ex", "info tasks")
        expect(re.search(r"^\* +\d+ till ", text, re.M) and "gemel::till::server_main" in text, text[-3000:])


def test_exceptions():
    """Goal: two threads that are stopped inside `catch` keep their own exceptions."""
    stops = 0
    for seed in range(1, 9):
        stops += int(trace_of("--workload", "catch-race", "--seed", str(seed), "--faults", "none")[2])
    expect(stops > 100, f"only {stops} stops: it was not tried")


def test_no_alarm():
    """Goal: the system survives being stopped anywhere."""
    status, text = gemel("sim", "--workload", "posix-mix", "--seeds", "1..6", "--faults", "none", "--preempt")
    expect(status == 0 and re.search(r"^\d+ edges, [1-9]\d* stops inside code$", text, re.M), text)


def repeat(runs):
    words = ("--workload", "posix-mix", "--seed", "4", "--faults", "none")
    usual = trace_of(*words)
    expect(int(usual[2]) > 0, "no stop: nothing is shown")
    padded = dict(os.environ, PADDING="x" * 5000)
    for i in range(runs):
        before = (["setarch", "-R"], [])[i % 2]
        again = trace_of(*words, before=before, environment=(None, padded)[i // 2 % 2])
        expect(again == usual, f"run {i}: {again} is not {usual}")


def test_repeated():
    """Goal: ten runs of one seed are one, with address randomisation and without."""
    repeat(RUNS)


def test_twice():
    """Goal: L2, with the places of the stops and all memory, is equal for one build."""
    status, text = gemel("sim", "--workload", "posix-mix", "--seeds", "1..3", "--preempt", "--twice", "--journals", "/tmp")
    expect(status != 3 and " 0 different" in text, text)


def test_counters():
    """Goal: counted in memory, edges are as many, and stops the same, as counted in registers."""
    for workload, seeds in (("boot", (1, 2)), ("posix-mix", (1, 2, 3, 4)), ("catch-race", (1, 2)), ("steady", (1, 2))):
        for seed in seeds:
            words = ("--workload", workload, "--seed", str(seed), "--faults", "none")
            both = trace_of(*words), trace_of(*words, preset="hosted-preempt-memory")
            expect(both[0] == both[1], f"{workload}, seed {seed}: {both[0]} in registers, {both[1]} in memory")


def test_repeated_long():
    """Goal: two hundred runs of one seed are one."""
    repeat(RUNS_LONG)


TESTS = [test_race, test_campaign, test_debugger, test_exceptions, test_no_alarm, test_repeated, test_twice]
LONG = [test_counters, test_repeated_long]


def main():
    names = sys.argv[1:]
    chosen = LONG if names == ["long"] else TESTS
    if names and names != ["long"]:
        chosen = [test for test in TESTS + LONG if test.__name__[5:] in names]
    passed = failed = 0
    for test in chosen:
        try:
            test()
            passed += 1
            print(f"ok   {test.__name__[5:]}", flush=True)
        except (AssertionError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAIL {test.__name__[5:]}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed or not passed else 0)


if __name__ == "__main__":
    main()
