#!/usr/bin/env python3
"""The gemel program's simulator, from outside. The last line counts: N passed, M failed, K skipped.

--other PRESET   instead: the same seeds give the same L1 in that build (hosted-asan)
--long           also other compilers, and a thousand pairs of runs
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SMOKE = [("boot", "1..3"), ("posix-mix", "1..6"), ("server-kill", "1..4"), ("fs-crash", "1..4")]
SECONDS_MAX = 900


class Skipped(Exception):
    """A test cannot be judged here; says why."""


def program(preset="hosted"):
    return f"{TOP}/build/{preset}/frontends/cli/gemel"


def gemel(*words, preset="hosted", environment=None, before=()):
    """Exit status and output."""
    done = subprocess.run(
        [*before, program(preset), *words], capture_output=True, text=True, errors="replace",
        timeout=SECONDS_MAX, env=environment, stdin=subprocess.DEVNULL, check=False,
    )
    return done.returncode, done.stdout + done.stderr


def l1_of(*words, **more):
    """L1 of one run, whatever its verdict."""
    status, text = gemel("sim", *words, **more)
    match = re.search(r"\bL1 ([0-9a-f]{32})", text)
    if not match:
        raise AssertionError(f"no L1 from gemel sim {' '.join(words)} (status {status}): {text[-1500:]}")
    return match[1]


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def seeds():
    for workload, numbers in SMOKE:
        first, last = map(int, numbers.split(".."))
        for seed in range(first, last + 1):
            yield ["--workload", workload, "--seed", str(seed)]


def test_twice():
    """Goal: every smoke seed gives equal L1 and L2, and L1 also with another heap fill and stack."""
    for workload, numbers in SMOKE:
        status, text = gemel("sim", "--workload", workload, "--seeds", numbers, "--twice")
        expect(status != 3, f"{workload}: nondeterminism\n{text}")
        expect("DIFFERENT" not in text and "LEAK" not in text, text)
        expect(" 0 different" in text, text)


def lines_of(text):
    """L1 by seed, from the lines of gemel sim --each."""
    return {int(seed): l1 for seed, l1 in re.findall(r"^seed (\d+)  L1 ([0-9a-f]{32})", text, re.M)}


def test_booted():
    """Goal: a seed is the same run whether the world boots for it or has booted for others before, whatever ran in
    between and however many run at a time. Method: ranges that share boots (1,024 seeds do), that cross into the next
    one and that cut the power, beside each of their seeds alone."""
    for words, numbers in ((["--workload", "posix-mix"], (1, 8)), (["--workload", "server-kill"], (1020, 1027)),
                           (["--workload", "fs-crash"], (1, 8))):
        _, text = gemel("sim", *words, "--seeds", "{}..{}".format(*numbers), "--each")
        _, mixed = gemel("sim", *words, "--seeds", "{}..{}".format(*numbers), "--each", "--jobs", "3")
        alone = {seed: l1_of(*words, "--seed", str(seed)) for seed in range(numbers[0], numbers[1] + 1)}
        expect(lines_of(text) == alone, f"{words}: {lines_of(text)}, alone {alone}")
        expect(lines_of(mixed) == alone, f"{words}, three at a time: {lines_of(mixed)}, alone {alone}")


def test_processors():
    """Goal: with several virtual processors, whose turns the world chooses, a seed is a function of itself, replayed from
    its journal, smaller after shrinking, and no alarm without a defect. Method: seeds of the mix on two and three, each
    other runs than on one; the race of examples/bank on two."""
    for cpus in ("2", "3"):
        status, text = gemel("sim", "--workload", "posix-mix", "--seeds", "1..3", "--cpus", cpus, "--twice")
        expect(status == 0 and " 0 different" in text, text)
        ours = lines_of(text)
        others = {seed: l1_of("--workload", "posix-mix", "--seed", str(seed)) for seed in ours}
        expect(len(ours) == 3 and not any(ours[seed] == others[seed] for seed in ours), f"{cpus} run as one does")
        status, text = gemel("sim", "--workload", "posix-mix", "--seeds", "1..16", "--cpus", cpus, "--faults", "none")
        expect(status == 0, text)
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("sim", "--workload", "bank", "--faults", "none", "--seeds", "1..20", "--cpus", "2",
                             "--journals", folder)
        expect(status == 2 and re.search(r"^  again: .* --faults none --cpus 2$", text, re.M), text)
        told = next(line for line in text.splitlines() if line.startswith("FAIL workload"))
        journal = f"{folder}/fail-{re.search(r'L1 ([0-9a-f]{8})', told)[1]}.gemel"
        status, again = gemel("replay", journal)
        expect(status == 2 and again.splitlines()[0] == told, again)
        status, text = gemel("shrink", journal)
        left = re.search(r"shrunk (\d+) decisions -> (\d+) in", text)
        expect(status == 0 and left and int(left[2]) <= 5, text)


def test_no_alarm():
    """Goal: without faults nothing is reported, whatever the schedule."""
    for strategy in ("run-to-block", "random-walk", "preempt", "pct", "delay", "pos", "urw"):
        status, text = gemel(
            "sim", "--workload", "posix-mix", "--seeds", "1..8", "--faults", "none", "--strategy", strategy
        )
        expect(status == 0, f"{strategy}: status {status}\n{text}")


def test_environment():
    """Goal: L1 does not depend on the environment, the host's address layout or the working directory."""
    for words in (["--workload", "posix-mix", "--seed", "3"], ["--workload", "server-kill", "--seed", "2"]):
        usual = l1_of(*words)
        padded = dict(os.environ, PADDING="x" * 5000, LC_ALL="C", TZ="Asia/Tokyo")
        expect(l1_of(*words, environment=padded) == usual, f"{words}: the environment shows")
        expect(l1_of(*words, environment={"PATH": os.environ["PATH"]}) == usual, f"{words}: the environment shows")
        expect(l1_of(*words, before=["setarch", "-R"]) == usual, f"{words}: address randomisation shows")
        expect(l1_of(*words, "--heap-fill", "165") == usual, f"{words}: the heap's fill shows")
        expect(l1_of(*words, "--stack-pad", "100000") == usual, f"{words}: the stack's place shows")


def test_diverge():
    """Goal: diverge names the first event that differs, and says so when none does."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        one, same, other = (f"{folder}/{name}" for name in ("one", "same", "other"))
        for path, seed in ((one, "3"), (same, "3"), (other, "5")):
            gemel("sim", "--workload", "posix-mix", "--seed", seed, "--faults", "none", "--events", path)
        status, text = gemel("diverge", one, same)
        expect(status == 0 and text.startswith("equal:"), text)
        status, text = gemel("diverge", one, other)
        expect(status == 3, text)
        number = int(re.search(r"differ from event (\d+) on", text)[1])
        with open(one, "rb") as left, open(other, "rb") as right:
            left.seek(40), right.seek(40)
            first = next(i for i in range(10**7) if left.read(32) != right.read(32))
        expect(number == first, f"diverge says {number}, byte by byte it is {first}")
        with open(other, "r+b") as file:
            file.truncate(1000)
        status, text = gemel("diverge", one, other)
        expect(status == 2 and "cut off" in text, text)


def bank_failure(folder):
    """The journal of a failure of examples/bank, and the line that told of it."""
    status, text = gemel(
        "sim", "--workload", "bank", "--faults", "none", "--seeds", "1..20", "--journals", folder
    )
    expect(status == 2, f"twenty seeds do not find the race in examples/bank: {text}")
    told = next(line for line in text.splitlines() if line.startswith("FAIL workload"))
    return f"{folder}/fail-{re.search(r'L1 ([0-9a-f]{8})', told)[1]}.gemel", told


def test_replay():
    """Goal: from a red line to the same failure, smaller, as docs/simulator.md says."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, told = bank_failure(folder)
        expect(os.path.getsize(journal) < 10240, "the journal is 10 KB or more")
        status, text = gemel("replay", journal)
        expect(status == 2 and text.splitlines()[0] == told, f"told: {told}\nreplayed: {text}")
        status, text = gemel("shrink", journal, "-o", f"{folder}/small.gemel")
        left = re.search(r"shrunk (\d+) decisions -> (\d+) in", text)
        expect(status == 0 and left and 1 <= int(left[2]) <= 5, text)
        status, again = gemel("replay", f"{folder}/small.gemel")
        expect(status == 2 and again.splitlines()[0] == text.splitlines()[0], again)
        status, text = gemel("replay", journal, "--to", "event:1000")
        expect(status == 0 and "reached;" in text and "thread 1 init" in text, text)


def seldom(folder, first, second):
    """The journal of a failure of a pipe whose ends both fail, where the second did first: with fewer decisions that is the
    first one's."""
    status, text = gemel("sim", "--workload", f"echo FAIL {first} > /dev/console | echo FAIL {second}", "--faults", "none",
                         "--seeds", "1..40", "--journals", folder)
    told = re.findall(r'^FAIL workload  "(.*)"  t=.* L1 ([0-9a-f]{8})', text, re.M)
    expect(status == 2 and {what for what, _ in told} == {first, second}, text)
    return f"{folder}/fail-{next(l1 for what, l1 in told if what == second)}.gemel"


def test_one_kind():
    """Goal: what shrinks stays the failure it was, and a future that fails for another reason is another one; numbers alone
    are no other reason."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("shrink", seldom(folder, "a1", "a0x2F"))
        expect(status == 0 and text.startswith('FAIL workload  "a1"') and "decisions -> 0" in text, text)
        journal = seldom(folder, "one", "two")
        status, text = gemel("when", journal, "--seeds", "8", "--points", "2")
        expect(status == 0 and "in another way" in text.splitlines()[2], text)
        status, text = gemel("shrink", journal)
        expect(status == 0 and text.startswith('FAIL workload  "two"') and "decisions -> 0" not in text, text)
        status, text = gemel("replay", journal)
        expect(status == 2 and text.startswith('FAIL workload  "two"'), text)


def planted_host():
    """The environment of a host that goes wrong as host_plant.c says."""
    return dict(os.environ, LD_PRELOAD=f"{TOP}/build/hosted/tests/libhost_plant.so")


def shrinks(journal, begin, environment, *words):
    """The journal's failure begins with `begin` after shrinking, too, and is one of some decisions, but few."""
    status, text = gemel("shrink", journal, *words, environment=environment)
    left = re.search(r"shrunk (\d+) decisions -> (\d+) in", text)
    expect(status == 0 and text.startswith(begin) and left and 1 <= int(left[2]) <= 5, f"{status} {text}")
    return text


def test_every_end_shrinks():
    """Goal: whatever way a run ends badly, it shrinks, and to the same end: a leak, a signal, no word, a loop, two runs that
    differ. Method: a host that does so when the second end of a pipe was quicker than the first, which a few schedules of
    forty lead to."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        host = planted_host()
        for letter, begin, words in (("L", "LEAK jail", []), ("S", "FAIL host  \"the run died of", []),
                                     ("X", "FAIL host  \"the run ended", []),
                                     ("H", "INCONCLUSIVE watchdog", ["--processor-seconds", "2"])):
            workload = ["--workload", f"echo PLANT-A > /dev/console | echo PLANT-{letter}", "--faults", "none"]
            status, text = gemel("sim", *workload, "--seeds", "20..40", "--first-failure", "--journals", folder, *words,
                                 environment=host)
            told = re.search(r"^  shrink:  gemel shrink (\S+)$", text, re.M)
            expect(status in (2, 3) and text.startswith(begin) and told, f"{status} {text}")
            shrunk = shrinks(told[1], begin, host, *words)
            status, again = gemel("replay", told[1], *words, environment=host)
            expect(status in (2, 3) and again.splitlines()[0] == shrunk.splitlines()[0], again)
        workload = ["--workload", "echo PLANT-A > /dev/console | echo PLANT-X", "--faults", "none"]
        status, text = gemel("sim", *workload, "--seeds", "24..25", "--twice", "--first-failure", "--journals", folder,
                             environment=host)
        told = re.search(r"^  shrink:  gemel shrink (\S+)$", text, re.M)
        expect(status == 3 and text.count("DIFFERENT seed") >= 1 and told, f"{status} {text}")
        shrinks(told[1], "LEAK different", host)
        status, again = gemel("replay", told[1], environment=host)
        expect(status == 3 and again.startswith("DIFFERENT seed"), again)
        status, again = gemel("replay", told[1])
        expect(status == 0 and "without a failure" in again, f"there is nothing wrong with this host: {again}")


def test_e2fsck_shrinks():
    """Goal: what e2fsck alone finds shrinks by what e2fsck says. Method: one that finds something in every disk."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        with_contents(f"{folder}/e2fsck", b"#!/bin/sh\nexit 4\n")
        os.chmod(f"{folder}/e2fsck", 0o755)
        strict = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")
        status, text = gemel("sim", "--workload", "fs-crash", "--seeds", "10..10", "--journals", folder, environment=strict)
        told = re.search(r"^  shrink:  gemel shrink (\S+)$", text, re.M)
        expect(status == 2 and text.startswith("FAIL e2fsck") and told, text)
        status, text = gemel("shrink", told[1], environment=strict)
        expect(status == 0 and text.startswith("FAIL e2fsck") and "decisions -> 0 in" in text, text)


def test_shrink_in_time():
    """Goal: shrinking ends by its time with the best that it has, and what is no time is refused."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, _ = bank_failure(folder)
        status, text = gemel("shrink", journal, "--time", "1ns")
        expect(status == 2 and "no time" in text, text)
        status, text = gemel("shrink", journal, "--time", "soon")
        expect(status == 1 and "60s" in text, text)
        status, text = gemel("shrink", journal, "--time", "10m")
        expect(status == 0 and re.search(r"decisions -> [1-5] in", text), text)


def test_kind():
    """Goal: a failure's kind is told in one line, whatever it is and however many lines tell of it, the same by sim, replay
    and shrink, and numbers are none of it."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("sim", "--workload", "cat", "--faults", "none", "--seeds", "1..2", "--journals", folder)
        kinds = re.findall(r"^  kind:    (.*)$", text, re.M)
        expect(status == 2 and len(kinds) == 2 and kinds[0] == kinds[1], text)
        expect(kinds[0].startswith("deadlock: nothing can happen any more; who waits:; thread N init"), kinds[0])
        journal = re.search(r"^  shrink:  gemel shrink (\S+)$", text, re.M)[1]
        for command in ("replay", "shrink"):
            _, text = gemel(command, journal)
            expect(re.findall(r"^  kind:    (.*)$", text, re.M) == kinds[:1], text)


def test_sites_of_the_workload():
    """Goal: sites are those of the workload that was named, of posix-mix when none was."""
    usual, boot, mix = (gemel("sites", "--seeds", "1..2", *words)
                        for words in ([], ["--workload", "boot"], ["--workload", "posix-mix"]))
    expect(usual == mix and usual[0] == 0, f"{usual}{mix}")
    reached = [sum(map(int, re.findall(r"^ *(\d+) ", text, re.M))) for _, text in (boot, mix)]
    expect(0 < reached[0] < reached[1], f"boot reaches {reached[0]}, posix-mix {reached[1]}")


HEADER_BYTES, RECORD_BYTES = 304, 12
WORD = (1 << 64) - 1


def checksum(data):
    """sim/trace/trace.hpp, Hash: the lower half, over the bytes as words."""
    high, low = 0x6C62272E07BB0142, 0x62B821756295C58D
    for byte in data:
        high = (high ^ byte) * 0x9FB21C651E98DF25 & WORD
        high ^= high >> 32
        low = (low + (byte ^ high >> 7)) * 0xD6E8FEB86659FD93 & WORD
        low ^= low >> 29
    return low.to_bytes(8, "little")


def resealed(data):
    """A journal with a count and checks for all that stands in there (sim/replay/journal.cpp)."""
    header, records = data[:HEADER_BYTES], data[HEADER_BYTES:]
    count = (len(records) // RECORD_BYTES).to_bytes(4, "little")
    header = header[:48] + count + header[52:-16] + checksum(records)
    return header + checksum(header) + records


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def with_contents(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


def test_journal_damage():
    """Goal: a journal that was cut off anywhere, between two records too, is refused, and so is one of another
    version, by its name."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, _ = bank_failure(folder)
        whole = contents(journal)
        expect(resealed(whole) == whole and len(whole) > HEADER_BYTES + RECORD_BYTES, "the checks are others")
        for data, said in ((b"", "no journal"), (whole[:20], "header"), (whole[:-5], "cut off"),
                           (whole[:-RECORD_BYTES], "cut off"), (whole[:HEADER_BYTES], "cut off"),
                           (whole[:30] + b"X" + whole[31:], "header"),
                           (whole[:-7] + b"X" + whole[-6:], "cut off"),
                           (b"GEMELJ01" + whole[8:], "GEMELJ01")):
            for command in ("replay", "shrink", "when"):
                status, text = gemel(command, with_contents(f"{folder}/cut", data))
                expect(status == 2 and said in text, f"{command} of {len(data)} bytes: status {status}\n{text}")


def test_journal_answers():
    """Goal: answers that nobody can give, in a journal whose checks are right, are no failures of the kernel's.
    Method: a run on two processors, whose turns name processors beyond those of a word of 32 bits."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("sim", "--workload", "bank", "--faults", "none", "--seeds", "1..20", "--cpus", "2",
                             "--journals", folder, "--first-failure")
        journal = re.search(r"gemel replay (\S+)", text)[1]
        data, turns = contents(journal), 0
        for at in range(HEADER_BYTES, len(data), RECORD_BYTES):
            if data[at] == 15:  # Kind::processor
                data, turns = data[:at + 8] + (33 + turns % 2).to_bytes(4, "little") + data[at + 12:], turns + 1
        status, text = gemel("replay", with_contents(f"{folder}/far", resealed(data)))
        expect(turns > 0 and "assertion" not in text and "DIFFERENT" in text, f"{turns} turns: {status}\n{text}")


def test_replay_compares():
    """Goal: a replay that fails in another way than its journal says tells so, though L1 is equal. Method: a journal
    with another text of the failure, whose checks are right; the same with another check."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, _ = bank_failure(folder)
        data = contents(journal)
        what_hash = HEADER_BYTES - 24
        for at in (what_hash, data.index(b"workload\0", 56 + 48)):
            other = resealed(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
            status, text = gemel("replay", with_contents(f"{folder}/other", other))
            expect(status == 3 and "DIFFERENT: the journal says" in text and "money was made" in text, text)


def test_replay_to():
    """Goal: --to has an exact answer or an error: a place behind the end, the beginning, and no number."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, _ = bank_failure(folder)
        for to, status, said in (("event:99999999", 2, "end of the run: event "), ("1h", 2, "behind the end"),
                                 ("0s", 1, "after 0"), ("0.0ms", 1, "after 0"), ("1.5.5s", 1, "no length of time"),
                                 (".s", 1, "no length of time"), ("99999999999h", 1, "no length of time"),
                                 ("event:-1", 1, "event:N"), ("event:", 1, "event:N"), ("1ns", 0, "reached;")):
            got, text = gemel("replay", journal, "--to", to)
            expect(got == status and said in text, f"--to {to}: status {got}\n{text}")
        for to, told in (("event:99999999", True), ("1h", True), ("event:1000", False)):
            _, text = gemel("replay", journal, "--gdb", "--to", to, "--ex", "tt")
            expect(("behind the end of the run" in text) == told, f"--gdb --to {to}: {text}")


def test_lost_runs():
    """Goal: a run that ends without a word, in a loop without kernel entries, leaves a journal that gives the same
    verdict, from a seed and from a corpus, whose decisions no seed gives."""
    loop = ["--workload", "while true; do x=1; done", "--processor-seconds", "1"]
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        for words, name in ((["--seed", "4"], "seed4"), (["--seeds", "5..5", "--corpus", f"{folder}/corpus"], "run5")):
            status, text = gemel("sim", *loop, *words, "--journals", folder)
            expect(status == 2 and text.startswith("INCONCLUSIVE watchdog"), text)
            expect(f"gemel replay {folder}/fail-{name}.gemel --gdb" in text, text)
            status, again = gemel("replay", f"{folder}/fail-{name}.gemel", "--processor-seconds", "1")
            expect(status == 2 and again.splitlines()[0] == text.splitlines()[0], again)


def refuse_filters():
    """From here on seccomp is refused to this process and its children: a filter of ours forbids another one."""
    import ctypes
    import struct

    seccomp, prctl, set_seccomp, errno_eperm = 317, 157, 22, 0x00050001

    def line(code, yes, no, value):
        return struct.pack("HBBI", code, yes, no, value)
    load, equal, answer = 0x20, 0x15, 0x06
    program = b"".join((
        line(load, 0, 0, 0), line(equal, 3, 0, seccomp), line(equal, 0, 3, prctl), line(load, 0, 0, 16),
        line(equal, 0, 1, set_seccomp), line(answer, 0, 0, errno_eperm), line(answer, 0, 0, 0x7FFF0000)))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(set_seccomp, 2, ctypes.c_char_p(header), 0, 0) != 0:
        os._exit(77)


def test_not_jailed():
    """Goal: a run that the host lets out of the jail says so, whether it booted for itself or not, and so does a
    replay; an ordinary one says nothing of the kind."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, _ = bank_failure(folder)
        for words in (["sim", "--workload", "boot", "--seeds", "1..3"], ["replay", journal]):
            for before, told in ((None, 0), (refuse_filters, 1)):
                done = subprocess.run([program(), *words], capture_output=True, text=True, errors="replace",
                                      timeout=SECONDS_MAX, preexec_fn=before, check=False)
                expect(done.stderr.count("NOT JAILED") == told, f"{words}: {done.stdout}{done.stderr}")


def test_debugger():
    """Goal: gdb stands in the task that failed, with its own stack under it."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, _ = bank_failure(folder)
        _, text = gemel("replay", journal, "--gdb", "--ex", "bt", "--ex", "info tasks")
        expect("gemel::bank::server_main" in text, text[-3000:])
        expect(re.search(r"^\* +\d+ bank ", text, re.M), text[-3000:])
        _, text = gemel("replay", journal, "--gdb", "--to", "event:1000", "--ex", "bt")
        expect("gemel_replay_reached" in text and "gemel::arch::system_call" in text, text[-3000:])


def sections(page):
    """Code blocks of a document, each as lines, by the heading that they stand under."""
    found = {}
    with open(f"{TOP}/docs/{page}", encoding="utf-8") as file:
        for part in re.split(r"^## ", file.read(), flags=re.M):
            blocks = re.findall(r"^```(.*?)^```", part, re.M | re.S)
            found[part.splitlines()[0]] = [block.splitlines()[1:] for block in blocks]
    return found


def shape(line):
    """A line of output without what is one build's: numbers, bars, the width of columns."""
    line = re.sub(r"[#.]{40}", "BAR", line)
    line = re.sub(r"[0-9a-f]{8}\b|\d+", "N", re.sub(r"0x[0-9a-f]+ in ", "", line))
    return re.sub(r"\s+", " ", line).strip()


def shows(output, lines):
    there = {shape(line) for line in output.splitlines()}
    for line in lines:
        expect(any(shape(line) in each for each in there), f"no line like {line!r} in\n{output[-3000:]}")


def in_folder(folder, command):
    """What a person sees who types it there."""
    words = command.replace("./gemel", program(), 1)
    done = subprocess.run(["bash", "-c", words], cwd=folder, capture_output=True, text=True, errors="replace",
                          timeout=SECONDS_MAX, stdin=subprocess.DEVNULL, check=False)
    return done.stdout + done.stderr


def gdb_session(folder, block):
    """The commands that stand behind (gdb), in one gdb at the failure; the other lines are what they print."""
    typed = [re.split(r"  +", line[6:])[0] for line in block if line.startswith("(gdb) ")]
    output = in_folder(folder, "./gemel replay fail-*.gemel --gdb " + " ".join(f"--ex '{each}'" for each in typed))
    errors = re.findall(r"^(?:Undefined command|usage:|No symbol|Python Exception|.*[Ee]rror).*", output, re.M)
    expect(len(typed) > 3 and not errors, f"{errors}\n{output}")
    shows(output, [line for line in block if not line.startswith(("(gdb) ", "$ "))])


def test_documents():
    """Goal: the commands of docs/simulator.md and docs/debugging.md, typed as they stand there, lead from nothing to
    gdb and back, and show what stands there but for the numbers."""
    red, certain = (sections("simulator.md")[title] for title in ("From a red line to gdb", "When was it certain?"))
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        commands = [re.split(r"  +# ", line, maxsplit=1) for line in red[0]]
        expect(len(commands) == 4, red[0])
        told = in_folder(folder, commands[0][0])
        shows(told, [commands[0][1]])
        expect(in_folder(folder, commands[1][0]).splitlines()[0] in told.splitlines(), f"not the same line: {told}")
        shrunk = in_folder(folder, commands[2][0])
        with open(f"{TOP}/docs/simulator.md", encoding="utf-8") as file:
            decision = re.search(r"decision that is left reads `([^`]+)`", file.read())[1]
        shows(shrunk, [commands[2][1], decision])
        expect(commands[3][0] == "./gemel replay fail-*.gemel --gdb", commands[3])
        gdb_session(folder, red[1])
        gdb_session(folder, sections("debugging.md")["Going back in time"][0])
        shows(in_folder(folder, certain[0][0][2:]), certain[0][1:])


def test_when():
    """Goal: `when` finds the instant from which on every future fails, which is before the failure; futures before it
    differ; it says the same with more jobs, and as JSON. Method: the race of examples/bank, whose outcome is open until
    the one transfer that goes wrong."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        journal, told = bank_failure(folder)
        words = ["when", journal, "--seeds", "8", "--points", "4"]
        status, text = gemel(*words, "--jobs", "2")
        expect(status == 0 and text.splitlines()[0] in told, text)
        rows = [tuple(map(int, row)) for row in re.findall(r"^ +(\d+)  \+\S+ +(\d+) of 8 ", text, re.M)]
        certain = int(re.search(r"^certain from event (\d+) on, t=\S+, in task bank$", text, re.M)[1])
        failed_at = int(re.search(r" event (\d+) ", told)[1])
        expect(rows[-1] == (failed_at, 8) and rows == sorted(rows) and len(rows) > 4, text)
        expect((certain, 8) in rows and certain < failed_at, text)
        expect(any(event == certain - 1 and failed < 8 for event, failed in rows), text)
        expect(all(failed == 8 for event, failed in rows if event >= certain), text)
        expect(any(0 < failed < 8 for _, failed in rows), text)
        status, text = gemel(*words, "--json")
        found = json.loads(text)
        expect(status == 0 and found["certain"]["event"] == certain and found["certain"]["task"] == "bank", text)
        expect([(each["event"], each["failed"]) for each in found["instants"]] == rows, text)
        status, text = gemel("when", f"{folder}/none.gemel")
        expect(status == 2 and "none.gemel" in text, text)
        status, text = gemel("when", journal, "--strategy", "luck")
        expect(status == 1 and "luck" in text, text)


def fields(data):
    """Number, wire type and value of each field of a protobuf message."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            expect(key & 7 == 2, f"wire type {key & 7} at {at}")
            size = number()
            expect(at + size <= len(data), f"a field ends {at + size - len(data)} bytes behind its message")
            value, at = data[at:at + size], at + size
        yield key >> 3, key & 7, value


def decoded(path):
    """Tracks (number -> name) and events (a dictionary of fields, with its time) of a Perfetto trace."""
    with open(path, "rb") as file:
        data = file.read()
    tracks, events = {}, []
    for number, _, packet in fields(data):
        expect(number == 1, f"field {number} in a trace")
        parts = {field: value for field, _, value in fields(packet)}
        expect(parts.get(10) == 1, "a packet without its sequence")
        if 60 in parts:
            track = {field: value for field, _, value in fields(parts[60])}
            tracks[track[1]] = track[2].decode()
        else:
            event = {field: (kind, value) for field, kind, value in fields(parts[11])}
            events.append({"time": parts[8], **event})
    return tracks, events


def test_trace():
    """Goal: a trace has one TrackEvent for each event of L1, in order of time, with slices that close and arrows that
    arrive, of a run and of its replay; the text has a line for each. Method: a decoder of its own."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("sim", "--workload", "fs-crash", "--seed", "8", "--trace", f"{folder}/t",
                             "--trace-text", f"{folder}/text")
        expect(status == 0, text)
        count = int(re.search(r"  (\d+) events  ", text)[1])
        tracks, events = decoded(f"{folder}/t")
        with open(f"{folder}/text", encoding="utf-8", errors="replace") as file:
            lines = file.read().count("\n")
        expect(len(events) == count == lines, f"{len(events)} events and {lines} lines for {count} of L1")
        expect([e["time"] for e in events] == sorted(e["time"] for e in events), "time goes back")
        expect({"init", "ext4", "fs-crash", "world"} <= set(tracks.values()), sorted(set(tracks.values())))
        expect(all(event[11][1] in tracks for event in events), "an event on a track that is not described")
        depth, left, arrived = {}, set(), 0
        for event in events:
            kind, track = event[9][1], event[11][1]
            if event.get(23, (2, b""))[1] == b"power cut":
                depth.clear()
            depth[track] = depth.get(track, 0) + {1: 1, 2: -1, 3: 0}[kind]
            expect(0 <= depth[track] <= 1, f"slices of track {track} do not close")
            if 47 in event:
                expect(event[47][0] == 1, "an arrow of another wire type is dropped by readers")
                left.add(event[47][1])
            if 48 in event:
                expect(event[48][1] in left, "an arrow that never left arrives")
                arrived += 1
        expect(arrived > count // 20, f"{arrived} arrows arrive")
        journal, _ = bank_failure(folder)
        status, text = gemel("replay", journal, "--trace", f"{folder}/r")
        _, events = decoded(f"{folder}/r")
        expect(status == 2 and len(events) > 1000, text)


def test_block_log():
    """Goal: the log has every request of the disk, in order of time, of a simulated and of a live one, and says where the
    power failed; it makes no other run."""
    line = re.compile(r"\+\d+\.\d{9}s  (read |write|flush|discard)  (sector \d+ \+ \d+  )?(done|failed|the power fails)\n")
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        words = ["--workload", "fs-crash", "--seed", "2"]
        expect(l1_of(*words, "--block-log", f"{folder}/log") == l1_of(*words), "the log shows in L1")
        with open(f"{folder}/log", encoding="utf-8") as file:
            lines = file.readlines()
        expect(lines and all(line.fullmatch(each) for each in lines), "".join(lines[:5]))
        times = [each.split("s")[0] for each in lines]
        expect([float(each) for each in times] == sorted(map(float, times)), "time goes back")
        kinds = [line.fullmatch(each)[1].strip() for each in lines]
        expect({"read", "write", "flush", "discard"} == set(kinds), set(kinds))
        status, text = gemel("sim", "--workload", "fs-crash", "--seeds", "2..2")
        cuts = int(re.search(r"(\d+) power cuts", text)[1])
        expect(cuts == sum("the power fails" in each for each in lines) > 0, f"{cuts} cuts\n{text}")
        status, text = gemel("run", "--block-log", f"{folder}/live", "-c", "cat /srv/greeting > /dev/null; sync")
        with open(f"{folder}/live", encoding="utf-8") as file:
            lines = file.readlines()
        expect(lines and all(line.fullmatch(each) for each in lines), f"{status} {text} {lines[:5]}")


def test_power_cuts():
    """Goal: cut off anywhere, the system comes up again with what was durable; e2fsck agrees on a sample."""
    status, text = gemel("sim", "--workload", "fs-crash", "--seeds", "1..40")
    expect(status == 0, text)
    counts = re.search(r"(\d+) power cuts, (\d+) crash states checked, \d+ a second; (\d+) disks judged", text)
    expect(counts and int(counts[1]) >= 30 and int(counts[2]) >= 500 and int(counts[3]) == 4, text)


def test_lying_disk():
    """Goal: a disk that answers flushes without doing them is caught, and the lie is what is left after shrinking."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("sim", "--workload", "fs-crash", "--seeds", "1..200", "--journals", folder,
                             "--faults", "power-cut,recovery-cut,disk-lie")
        expect(status == 2, f"two hundred seeds of lies are believed: {text}")
        kinds = {line.split()[1] for line in text.splitlines() if line.startswith("FAIL ")}
        expect(kinds <= {"volume", "workload"} and "workload" in kinds, text)
        told = next(line for line in text.splitlines() if line.startswith("FAIL workload"))
        journal = f"{folder}/fail-{re.search(r'L1 ([0-9a-f]{8})', told)[1]}.gemel"
        status, again = gemel("replay", journal)
        expect(status == 2 and again.splitlines()[0] == told, again)
        status, text = gemel("shrink", journal)
        left = re.search(r"shrunk \d+ decisions -> (\d+) in", text)
        expect(status == 0 and left and int(left[1]) <= 5 and "disk-lie" in text and "power-cut" in text, text)


def test_usage():
    """Goal: wrong words end with status 1 and say what is right."""
    for words, said in (
        (["--faults", "rain"], "disk-error"),
        (["--strategy", "luck"], "random-walk"),
        (["--seeds", "9..3"], "A..B"),
        (["--until", "soon"], "60s"),
        (["--workload", "echo " * 12], "a journal holds 47"),
        (["--faults", "preempt"], "say --preempt"),
        (["--faults", "disk-error,processor"], "say --cpus"),
        (["--faults", "schedule"], "say --strategy"),
        (["--faults", "power-loss"], "comes with power-cut"),
        (["--faults", "entropy"], "no fault"),
        (["--seeds", "1..3", "--events", "/dev/null"], "--events is one run's"),
        (["--seeds", "1..3", "--trace-text", "/dev/null"], "--trace-text is one run's"),
        (["--seeds", "1..3", "--block-log", "/dev/null"], "--block-log is one run's"),
        (["--time", "1s", "--trace", "/dev/null"], "--trace is one run's"),
    ):
        status, text = gemel("sim", *words)
        expect(status == 1 and said in text, f"{words}: status {status}\n{text}")


def test_unknown_workload():
    """Goal: a workload that does not exist is a failure, not a success."""
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        status, text = gemel("sim", "--workload", "no-such-thing", "--seed", "1", "--journals", folder)
        expect(status == 2 and "does not work without faults" in text, text)


def test_faults_of_a_program():
    """Goal: a program that is no workload of ours gets the faults of posix-mix, unless the user says otherwise."""
    def decisions(*words):
        _, text = gemel("sim", "--strategy", "run-to-block", "--seeds", "1..12", "--each", *words)
        return sum(int(count) for count in re.findall(r"  (\d+) decisions", text))
    expect(decisions("--workload", "till") > 0, "no fault happens to examples/till")
    expect(decisions("--workload", "till", "--faults", "none") == 0, "faults happen though none were asked for")


def sites_of(*words):
    """How often each site was reached, by its label, with its kind."""
    status, text = gemel("sites", *words)
    expect(status == 0, text)
    rows = re.findall(r"^ *(\d+)  (\w+) +(\S+) +\S+:\d+$", text, re.M)
    return {label: (kind, int(times)) for times, kind, label in rows}


def test_sites():
    """Goal: `sites` tells how often each was reached, --never-hit the same without those, and a campaign of workloads
    that try for it reaches the states that it should. Method: servers killed, power cut, snapshots of memory, and the mix; the
    union."""
    mix = sites_of("--seeds", "1..4")
    unhit = sites_of("--seeds", "1..4", "--never-hit")
    expect(unhit == {label: told for label, told in mix.items() if told[1] == 0}, f"{mix}\n{unhit}")
    expect(mix["kernel.no_page"][0] == "fault" and mix["kernel.no_page"][1] > 100, mix)
    others = [sites_of("--workload", workload, "--seeds", seeds_of) for workload, seeds_of in (
        ("server-kill", "1..12"), ("fs-crash", "1..12"), ("fs-crash-long", "1..12"), ("paged", "1..12"))]
    expect(all(set(mix) == set(other) for other in others), "another list of sites")
    most = {label: max(each[label][1] for each in (mix, *others)) for label in mix}
    kinds = [kind for kind, _ in mix.values()]
    expect(kinds.count("sometimes") >= 9 and "never" in kinds, mix)
    expect(not any(most[label] for label in mix if mix[label][0] == "never"), f"reached, and nothing failed: {most}")
    for label in ("init.service_restarted", "ext4.journal_replayed", "ext4.revoke_written", "ext4.absence_remembered",
                  "ext4.orphan_found", "ext4.log_wraps", "pager.copied_on_write", "pager.last_of_a_snapshot"):
        expect(most[label] > 0, f"{label} is not reached: {most}")


def test_cap_storm():
    """Goal: whatever several tasks do to capabilities at once, on one processor and on two, with faults and without,
    none sees what must not be, and the books are right."""
    for words in (["--seeds", "1..8"], ["--seeds", "9..16", "--cpus", "2"], ["--seeds", "17..24", "--faults", "none"]):
        status, text = gemel("sim", "--workload", "cap-storm", *words)
        expect(status == 0, text)


def test_interrupts():
    """Goal: interrupts of the disk that are lost cost time alone, and such that come again and again nothing. Method: seeds with
    nothing but those, of which enough happen; fs-crash asks the disk more often than the mix does."""
    for family in ("interrupt-lost", "interrupt-burst"):
        decisions = 0
        for words in (["--workload", "posix-mix", "--seeds", "1..12", "--strategy", "run-to-block"],
                      ["--workload", "fs-crash", "--seeds", "1..12", "--strategy", "run-to-block"]):
            faults = family if "posix-mix" in words else f"{family},power-cut"
            status, text = gemel("sim", *words, "--faults", faults, "--each")
            expect(status == 0, f"{family}: {text}")
            decisions += sum(int(count) for count in re.findall(r"  (\d+) decisions", text))
        expect(decisions > 20, f"{family}: {decisions} decisions")


def test_sequences():
    """Goal: sequences that are the seed's own survive power cuts, which come once what they need is durable. Method: all
    of one operation, and a sample of two and three."""
    for length, seeds_of in ((1, "1..84"), (2, "1..40"), (3, "1..40")):
        status, text = gemel("sim", "--workload", f"fs-crash-{length}", "--seeds", seeds_of, "--jobs", "2")
        expect(status == 0, text)
        counts = re.search(r"(\d+) power cuts, (\d+) crash states checked, \d+ a second; (\d+) disks judged", text)
        expect(counts and int(counts[1]) >= 20 and int(counts[3]) >= 4, text)
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        gemel("sim", "--workload", "fs-crash-2", "--seed", "7", "--trace-text", f"{folder}/t", "--block-log", f"{folder}/b")
        with open(f"{folder}/b", encoding="utf-8") as file:
            before = file.read().split("the power fails")[0]
        expect(before.count("flush") >= 2, f"it failed before the tree was made: {before}")


def test_fair():
    """Goal: nobody who waits at a port starves, whoever runs next, with faults and on two processors."""
    for words in (["--seeds", "1..14"], ["--seeds", "1..14", "--faults", "none"], ["--seeds", "1..14", "--cpus", "2"]):
        status, text = gemel("sim", "--workload", "fair", *words)
        expect(status == 0, text)


def test_scan():
    """Goal: no object of ours reads a clock or chance by itself; a planted one is refused."""
    scan = [sys.executable, f"{TOP}/tests/sim/scan.py"]
    done = subprocess.run([*scan, f"{TOP}/build/hosted"], capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stdout)
    with tempfile.TemporaryDirectory(prefix="gemel-sim-") as folder:
        source, result = f"{folder}/plant.cpp", f"{folder}/plant.o"
        for body in (
            "unsigned long long f() { unsigned long long v; __builtin_ia32_rdrand64_step(&v); return v; }",
            "unsigned long long f() { return __builtin_ia32_rdtsc(); }",
            "#include <ctime>\nlong f() { timespec t; clock_gettime(CLOCK_REALTIME, &t); return t.tv_nsec; }",
            "#include <random>\nunsigned f() { std::random_device d; return d(); }",
            "#include <thread>\nvoid f() { std::thread([] {}).detach(); }",
            "#include <cstdlib>\nchar* f() { return std::getenv(\"X\"); }",
        ):
            with open(source, "w", encoding="utf-8") as file:
                file.write(body + "\n")
            subprocess.run(["g++", "-O1", "-mrdrnd", "-c", source, "-o", result], check=True)
            done = subprocess.run([*scan, "--object", result], capture_output=True, text=True, check=False)
            expect(done.returncode == 2, f"not refused: {body}")


def test_pairs():
    """Goal (long): a thousand pairs of runs give equal L1 and L2."""
    status, text = gemel("sim", "--workload", "posix-mix", "--seeds", "1..1000", "--twice", "--jobs", "2")
    expect(status != 3 and " 0 different" in text, text[-3000:])


def test_compilers():
    """Goal (long): g++ -O0 and clang -O2 give the L1 of the ordinary build."""
    for name, words in (
        ("sim-O0", ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0 -g1 -DNDEBUG"]),
        ("sim-clang", ["-DCMAKE_CXX_COMPILER=clang++-16", "-DCMAKE_C_COMPILER=clang-16"]),
    ):
        if name == "sim-clang" and not shutil.which("clang++-16"):
            raise Skipped("clang++-16 is missing (package clang-16); g++ -O0 was compared")
        subprocess.run(
            ["cmake", "-S", TOP, "-B", f"{TOP}/build/{name}", "-G", "Ninja", "-DGEMEL_FACE=hosted", *words],
            check=True, stdout=subprocess.DEVNULL,
        )
        subprocess.run(["ninja", "-C", f"{TOP}/build/{name}", "gemel"], check=True, stdout=subprocess.DEVNULL)
        compare_builds(name)


def compare_builds(preset):
    for words in seeds():
        ours, theirs = l1_of(*words), l1_of(*words, preset=preset)
        expect(ours == theirs, f"{' '.join(words)}: hosted gives L1 {ours}, {preset} {theirs}")


TESTS = [
    test_twice, test_booted, test_processors, test_no_alarm, test_environment, test_diverge, test_replay, test_one_kind,
    test_every_end_shrinks, test_e2fsck_shrinks, test_shrink_in_time, test_kind, test_journal_damage,
    test_journal_answers, test_replay_compares, test_replay_to, test_lost_runs, test_not_jailed,
    test_faults_of_a_program, test_sites, test_sites_of_the_workload, test_cap_storm, test_interrupts, test_sequences,
    test_fair, test_documents, test_debugger, test_when, test_trace, test_block_log, test_power_cuts, test_lying_disk,
    test_usage, test_unknown_workload, test_scan,
]
LONG = [test_pairs, test_compilers]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--other")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = TESTS + (LONG if options.long else [])
    if options.names:
        chosen = [test for test in TESTS + LONG if test.__name__[5:] in options.names]
    if options.other:
        chosen = [lambda: compare_builds(options.other)]
        chosen[0].__name__ = f"test_same_as_{options.other}"
    passed = failed = skipped = 0
    for test in chosen:
        try:
            test()
            passed += 1
            print(f"ok   {test.__name__[5:]}", flush=True)
        except Skipped as reason:
            skipped += 1
            print(f"skipped: {reason}", flush=True)
        except (AssertionError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAIL {test.__name__[5:]}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
