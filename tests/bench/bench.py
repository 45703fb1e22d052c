#!/usr/bin/env python3
"""Measures what docs/numbers.md shows: ratios and counts, each from one run of the system. Prints them as they
come; --write makes the document. scripts/bench.sh builds what is measured."""
import argparse
import datetime
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import fs
import planted

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "campaign"))
import false_alarms  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GEMEL = f"{TOP}/build/hosted/frontends/cli/gemel"
FACES = ("x86_64", "arm64")
STARTS = 20
FILE_MIB = 64
LISTED_FILES = 10_000
UML_STARTS = 3
FUNCTIONS = 25
PREEMPT_ROUNDS = 5
COVERAGE_ROUNDS = 30


def output_of(words, timeout=600, **more):
    run = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=timeout, errors="replace", env=dict(os.environ, GEMEL_ROOT=TOP), **more,
    )
    return run.stdout


def found(pattern, text, what):
    match = re.search(pattern, text, re.M)
    if not match:
        sys.exit(f"bench: {what} did not say {pattern!r}:\n{text[-2000:]}")
    return match


def make_disk(path, tree, mib):
    tools = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    subprocess.run(["mkfs.ext4", "-q", "-d", tree, path, f"{mib}M"], check=True, env=tools, stdout=subprocess.DEVNULL)


# --- parts: each yields (what, value, beside) ---------------------------------------------------

def part_ipc():
    text = output_of([f"{TOP}/build/hosted/tests/bench_ipc"])
    value = {name: found(rf"^ipc\.{name} p50=(\S+) p99=(\S+)", text, "bench_ipc").groups()
             for name in ("round_trip_ns", "raw_switch_pair_ns")}
    ratio = found(r"ratio=(\S+)", text, "bench_ipc")[1]
    isolated = found(r"^ipc\.isolated_per_plain ratio=(\S+)", text, "bench_ipc")[1]
    trip, pair = value["round_trip_ns"], value["raw_switch_pair_ns"]
    yield "hosted round trip, two tasks' threads", f"p50 {trip[0]} ns, p99 {trip[1]} ns", f"{ratio} raw switch pairs ({pair[0]} ns)"
    yield "the same with `--isolate`", f"{isolated} times as long", "both threads of one task; the kernel's memory is hidden at each of four exits"


def hosted_start_ms(image):
    text = output_of([GEMEL, "run", "--verbose", "-c", "true"] + ([image] if image else []))
    return float(found(r"gemel: up in ([\d.]+) ms", text, "gemel run")[1])


def part_boot():
    starts = sorted(hosted_start_ms(None) for _ in range(STARTS))
    yield "hosted, process start to prompt, ext4 disk", f"p50 {statistics.median(starts):.1f} ms, best {starts[0]:.1f} ms", uml_start()
    began = time.monotonic()
    output_of([f"{TOP}/gemel", "run", "-c", "true"])
    yield "`./gemel run -c true`, whole command, nothing to build", f"{time.monotonic() - began:.2f} s", ""
    memory = output_of([GEMEL, "run", "-c", "free"])
    yield "memory in use at the prompt (`free`)", "`" + " ".join(memory.split("\n")[1].split()) + "`", ""
    for face in FACES:
        text = output_of([GEMEL, "boot", "--arch", face, "--verbose", "--memory", "64", "--qemu=-icount", "--qemu=shift=0", "-c", "true"])
        milliseconds = float(found(r"gemel: up in ([\d.]+) ms", text, f"gemel boot --arch {face}")[1])
        yield f"{face}, instructions from boot to prompt, 64 MiB", f"{milliseconds:.0f} million", "1 ns an instruction (`-icount shift=0`)"


def uml_start():
    """User-mode Linux to its first user program, when it is installed."""
    program = shutil.which("linux.uml") or shutil.which("linux")
    if not program:
        return "User-mode Linux is not installed here"
    times = []
    for _ in range(UML_STARTS):
        began = time.monotonic()
        output_of([program, "mem=64M", "rootfstype=hostfs", "root=/dev/root", "rw", "quiet", "init=/bin/true"], timeout=60)
        times.append((time.monotonic() - began) * 1000)
    return f"User-mode Linux to its first program: {min(times):.0f} ms"


def seconds_of(script, image):
    text = output_of([GEMEL, "run", image, "-c", script])
    return float(found(r"real ([\d.]+) s", text, script)[1])


def part_files():
    with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
        os.makedirs(f"{folder}/one")
        with open(f"{folder}/one/big", "wb") as file:
            file.write(os.urandom(FILE_MIB << 20))
        make_disk(f"{folder}/one.img", f"{folder}/one", FILE_MIB * 2)
        yield from read_speed(folder)
        os.makedirs(f"{folder}/many")
        for number in range(LISTED_FILES):
            where = f"{folder}/many/{number // 100}"
            os.makedirs(where, exist_ok=True)
            with open(f"{where}/file-{number}", "w", encoding="utf-8") as file:
                file.write(str(number))
        make_disk(f"{folder}/many.img", f"{folder}/many", 64)
        inside = seconds_of("time ls -lR / > /dev/null", f"{folder}/many.img")
        began = time.monotonic()
        output_of(["ls", "-lR", f"{folder}/many"])
        yield f"`ls -lR` of {LISTED_FILES} files, hosted", f"{inside * 1000:.0f} ms", f"the host's own on its own disk: {(time.monotonic() - began) * 1000:.0f} ms"


def read_speed(folder):
    image = f"{folder}/one.img"
    cold = FILE_MIB / seconds_of("time cat /big > /dev/null", image)
    warm = FILE_MIB / seconds_of("cat /big > /dev/null; time cat /big > /dev/null", image)
    began = time.monotonic()
    output_of(["dd", f"if={image}", "of=/dev/null", "bs=64k"])
    host = FILE_MIB * 2 / (time.monotonic() - began)
    block = bytearray(FILE_MIB << 20)
    began = time.monotonic()
    copied = bytes(block)
    memory = len(copied) / (1 << 20) / (time.monotonic() - began)
    yield f"`cat` of {FILE_MIB} MiB through ext4, hosted, first time", f"{cold:.0f} MB/s", f"`dd` of the image: {host:.0f} MB/s"
    yield "the same again", f"{warm:.0f} MB/s", f"one memcpy: {memory:.0f} MB/s"


def part_counts():
    counts = {face: parse_counts(output_of([sys.executable, f"{TOP}/tests/native/run.py", "bench", "--face", face])) for face in FACES}
    for name, value in counts["x86_64"].items():
        yield f"{name}, instructions", f"x86_64 {value}", f"arm64 {counts['arm64'].get(name, '-')}"


def parse_counts(text):
    return dict(re.findall(r"^(.+?):? +(\d+)(?: instructions)?$", text, re.M))


def part_cpus():
    alone = {}
    for cpus in (1, 2, 4, 8):
        values = []
        for face in FACES:
            text = output_of([sys.executable, f"{TOP}/tests/native/run.py", "scale", "--face", face, "--cpus", str(cpus), "--thread", "single"])
            count = int(found(r"^round trip on \d processors: (\d+)$", text, "scale")[1])
            values.append(f"{face} {count} ({count / alone.setdefault(face, count):.2f} times one processor's)")
        yield f"a round trip while {cpus} processors make them, instructions of all", values[0], values[1]
    yield from hosted_cpus()


def hosted_cpus(rounds=15, trips=20000):
    """In turn, and the best of each: a busy host takes its time from both."""
    for cpus in (1, 2, 4, 8):
        taken = {1: [], 0: []}
        for _ in range(rounds):
            for threads, values in taken.items():
                text = output_of([f"{TOP}/build/hosted/tests/native_scale", f"cpus={cpus}", f"host_threads={threads}", f"trips={trips}"])
                values.append(int(found(r"^round trip on \d processors: (\d+)$", text, "scale")[1]))
        yield (f"a round trip while {cpus} processors make them, hosted, a host thread each", f"{min(taken[1])} ns",
            f"{min(taken[0])} ns, in turns on one host thread")


def part_size():
    for face in FACES:
        text = output_of([f"{TOP}/scripts/size.sh", face])
        yield f"resident kernel, {face}", found(r"(\d[\d,]*) (?:resident )?bytes", text, "size.sh")[0], "goal 8,192"
    yield from largest_functions(FUNCTIONS)


def largest_functions(count):
    """What is largest on either face, and all the rest in one line. A function that one face has inlined is 0 there."""
    sizes = {face: {name: int(size) for size, name in re.findall(
        r"^(\d+) (.+)$", output_of([f"{TOP}/scripts/size.sh", "--functions", face]), re.M)} for face in FACES}
    names = sorted(set().union(*sizes.values()), key=lambda name: (-sum(sizes[face].get(name, 0) for face in FACES), name))
    for name in names[:count]:
        yield f"`{name}`", *(f"{face} {sizes[face].get(name, 0)}" for face in FACES)
    rest = {face: sum(sizes[face].get(name, 0) for name in names[count:]) for face in FACES}
    yield f"the other {len(names) - count}", *(f"{face} {rest[face]}" for face in FACES)


def part_mutants():
    text = output_of([sys.executable, f"{TOP}/tests/mutants/run.py", "--table"], timeout=3600)
    minutes = found(r"^\d+ mutants in ([\d.]+) minutes", text, "tests/mutants/run.py")[1]
    files = {}
    for file, verdict in re.findall(r"^\| \d+ \| (\S+) \| .* \| (\w+)[^|]* \|$", text, re.M):
        files.setdefault(file, []).append(verdict)
    every = [verdict for verdicts in files.values() for verdict in verdicts]
    yield "defects planted in core/ that its tests notice", f"{len(every) - every.count('alive')} of {len(every)}", f"{minutes} minutes"
    for file, verdicts in sorted(files.items()):
        killers = ", ".join(f"{name} {verdicts.count(name)}" for name in ("refusals", "model", "explore") if name in verdicts)
        yield f"in core/{file}", f"{len(verdicts) - verdicts.count('alive')} of {len(verdicts)}", f"noticed by: {killers}"


class Simulated:
    """Runs of `gemel sim`, and the processor time that they took: the host may be busy with something else."""

    def __init__(self, *words):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.text = output_of([GEMEL, "sim", *words])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        line = found(r"^(\d+) runs of .*: (\d+) failed.*; (\d+) events, (\d+) virtual ms", self.text, "gemel sim")
        self.runs, _, self.events, self.virtual_ms = map(int, line.groups())


def counting_coverage(folder, round):
    """Processor seconds of the first run of a corpus, which is that of the first seed."""
    return Simulated("--workload", "steady", "--faults", "none", "--seeds", "1..1", "--corpus", f"{folder}/corpus-{round}").seconds


def part_sim():
    unit = "for each second of one processor"
    with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
        boots = [Simulated("--workload", "boot", "--seeds", "1..1") for _ in range(10)]
        alone = sorted(each.seconds for each in boots)[len(boots) // 2]
        forked = Simulated("--workload", "boot", "--seeds", "1..100")
        yield "boot to shell and down again", f"{alone * 1000:.1f} ms of processor time", "goal 20 ms; the whole command, median of 10"
        yield "the same in a campaign, from a world that has booted", f"{forked.seconds * 1000 / forked.runs:.1f} ms of processor time", "mean of 100"
        mix = Simulated("--workload", "posix-mix", "--seeds", "1..100", "--journals", folder)
        yield f"short seeds (posix-mix, faults) {unit}", f"{mix.runs / mix.seconds:.0f}", "goal 50"
        yield f"virtual seconds of the mix {unit}", f"{mix.virtual_ms / 1000 / mix.seconds:.1f}", "goal 1,000; the mix never idles: 1 us for each kernel entry"
        thinking = Simulated("--workload", "session", "--seeds", "1..100", "--journals", folder)
        yield f"virtual seconds of the mix by a user who thinks (session, faults) {unit}", f"{thinking.virtual_ms / 1000 / thinking.seconds:,.0f}", "goal 1,000"
        steady = Simulated("--workload", "steady", "--seeds", "1..20")
        yield f"kernel events, hashed (L1), {unit}", f"{steady.events / steady.seconds / 1e6:.2f} million", "goal 5 million; processes are loaded, files read"
        ratio = min(counting_coverage(folder, round) for round in range(COVERAGE_ROUNDS)) / min(
            Simulated("--workload", "steady", "--faults", "none", "--seeds", "1..1").seconds for _ in range(COVERAGE_ROUNDS))
        yield "the same run with its coverage counted, as in a corpus", f"{ratio:.3f} times the processor time", "best of the rounds; goal 1.03"
        idle = Simulated("--workload", "sleep 36000", "--seeds", "1..2", "--until", "100h")
        yield f"idle virtual seconds {unit}", f"{idle.virtual_ms / 1000 / idle.seconds:.0f}", "goal 1,000,000"
        crash = Simulated("--workload", "fs-crash", "--seeds", "1..60", "--journals", folder)
        states = int(found(r"(\d+) crash states checked", crash.text, "gemel sim")[1])
        yield f"crash states {unit}", f"{states / crash.seconds:.0f}", "goal 1,000; boots, recoveries and e2fsck included"
        text = output_of([GEMEL, "sim", "--workload", "bank", "--faults", "none", "--seeds", "1..20", "--journals", folder])
        found("^FAIL workload", text, "the bank")
        sizes = sorted(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder))
        yield "journals of failures of examples/bank", f"{sizes[0]} to {sizes[-1]} bytes", "goal under 10,240"


def computing(preset):
    text = output_of([f"{TOP}/build/{preset}/tests/bench_edges"])
    return {name: float(value) for name, value in re.findall(r"^(\w+) ([\d.]+) us", text, re.M)}


def simulating(preset):
    """Seconds of a processor for a few whole runs, whose threads are stopped nowhere."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = output_of([f"{TOP}/build/{preset}/frontends/cli/gemel", "sim", "--workload", "posix-mix", "--seeds", "1..10",
                      "--faults", "none", "--strategy", "run-to-block"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found(r"^10 runs of posix-mix: 0 failed", text, preset)
    return {"sim": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def part_preempt():
    presets = {"hosted-clang": [], "hosted-preempt": [], "hosted-preempt-memory": []}
    for _ in range(PREEMPT_ROUNDS):  # one after the other: what else the host does meets all alike
        for preset, rounds in presets.items():
            rounds.append(computing(preset) | simulating(preset))
    plain, register, memory = (
        {name: min(each[name] for each in rounds) for name in rounds[0]} for rounds in presets.values())
    ratios = {name: (register[name] / plain[name], memory[name] / plain[name]) for name in plain}
    computed = [ratio for name, ratio in ratios.items() if name != "sim"]
    mean = [statistics.geometric_mean(ratio[i] for ratio in computed) for i in (0, 1)]
    unit = "times the time without counting (clang, best of the rounds)"
    yield f"computing code that counts its edges, {unit}", f"{mean[0]:.2f} in a register", f"{mean[1]:.2f} in memory; goal 1.15; geometric mean of:"
    for name, (in_register, in_memory) in ratios.items():
        if name != "sim":
            yield f"{name}", f"{in_register:.2f} in a register", f"{in_memory:.2f} in memory"
    in_register, in_memory = ratios["sim"]
    yield f"whole simulated runs (posix-mix), {unit}", f"{in_register:.2f} in a register", f"{in_memory:.2f} in memory"


def part_alarms():
    rows = false_alarms.counts()
    if not rows:
        output_of([sys.executable, false_alarms.__file__, "--budget", "1m"])
        rows = false_alarms.counts()
    seeds, runs, alarms = (sum(row[i] for row in rows) for i in (1, 2, 3))
    yield ("alarms in distinct runs without faults", f"{alarms} in {runs:,}",
           f"{seeds:,} seeds; runs with the same L1 are one; goal none in 100,000; ./gemel test false-alarms adds to them")
    for workload, seeds, runs, failed in rows:
        yield f"of them `{workload}`", f"{failed} in {runs:,}", f"{seeds:,} seeds"


def part_planted(quick):
    """How soon each strategy finds each planted defect (planted.py)."""
    yield planted.COLUMNS, planted.table(planted.QUICK if quick else planted.FULL)


def part_fs(quick):
    """A mounted image beside fuse2fs, the kernel and a FUSE server that does nothing (fs.py)."""
    return fs.part_tables(1 if quick else 2, quick)


TIMED = """python
import time, gdb
class Timed(gdb.Command):
    def __init__(self): super().__init__("timed", gdb.COMMAND_USER)
    def invoke(self, words, from_tty):
        begun = time.monotonic()
        gdb.execute(words)
        print("TIMED %.1f ms" % ((time.monotonic() - begun) * 1000))
Timed()
end
"""
HOUR = "while sleep 1; do :; done"
TRIES = 9


def timed_in_gdb(journal, script, *commands):
    """Milliseconds of those of the commands that begin with `timed`, sorted."""
    words = [word for command in (f"source {script}", *commands) for word in ("--ex", command)]
    text = output_of([GEMEL, "replay", journal, "--gdb", *words])
    times = sorted(float(each) for each in re.findall(r"^TIMED ([\d.]+) ms$", text, re.M))
    if len(times) != sum(command.startswith("timed") for command in commands):
        sys.exit(f"bench: gdb did not do it all:\n{text[-2000:]}")
    return times


def spread(times):
    return f"{statistics.median(times):.0f} ms (median of {len(times)}; {times[0]:.0f} to {times[-1]:.0f})"


def part_debug():
    with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
        script = f"{folder}/timed.gdb"
        with open(script, "w", encoding="utf-8") as file:
            file.write(TIMED)
        text = output_of([GEMEL, "sim", "--workload", HOUR, "--until", "1h", "--faults", "none", "--seed", "1",
                          "--journals", folder])
        journal = found(r"gemel replay (\S+) --gdb", text, "the hour")[1]
        events = int(found(r"event (\d+)  task", text, "the hour")[1])
        instants = [f"timed tt goto {3590 * (i * 4 % TRIES) // TRIES + 5}s" for i in range(TRIES)]
        yield ("replay in gdb: to any instant of an hour's run", spread(timed_in_gdb(journal, script, *instants)),
               f"goal 1 s; {events} events, after one pass over them")
        ends = sorted(processor_seconds("replay", journal, "--to", "3590s") * 1000 for _ in range(3))
        yield "`replay --to` its last seconds, no gdb, from nothing", spread(ends), "processor time of the whole command; goal 1 s"
        backwards = [word for go in instants for word in (go.removeprefix("timed "), "timed reverse-stepi")]
        yield "reverse-stepi there, at each of these instants", spread(timed_in_gdb(journal, script, *backwards)), "goal 100 ms"
        text = output_of([GEMEL, "sim", "--workload", "bank", "--faults", "none", "--seeds", "1..20", "--journals", folder])
        journal = found(r"gemel replay (\S+) --gdb", text, "the bank")[1]
        begin = ("tt goto event:2400", "tbreak bank.cpp:30", "continue")
        steps = timed_in_gdb(journal, script, *begin, *["timed reverse-step"] * TRIES)
        yield "reverse-step in a failure of examples/bank", spread(steps), "goal 100 ms"
        steps = timed_in_gdb(journal, script, *begin, *["timed reverse-next"] * TRIES)
        yield "reverse-next there", spread(steps), "kernel calls and other tasks' turns are passed over"
        hits = timed_in_gdb(journal, script, "break bank.cpp:29", *["timed reverse-continue"] * TRIES)
        yield "reverse-continue there, to a breakpoint", spread(hits), "goal 1 s"
        waiting = ("tt goto event:3000", "task 27", "timed reverse-stepi")
        yield "reverse-stepi there, of a thread that waits", spread(timed_in_gdb(journal, script, *waiting * 5)), "back over the others' turns"
        yield "every thread by name and place (info threads)", spread(timed_in_gdb(journal, script, "info threads", *["timed info threads"] * 5)), ""
        look = ("frame function gemel::bank::server_main", "timed tt last-write ledger.balance[0]", "tt failure")
        yield "who wrote this last (tt last-write)", spread(timed_in_gdb(journal, script, *look * 3)), ""
        path, *_ = window_of(folder, "; ".join([RECORDED] * 3))
        steps = timed_in_gdb(path, script, *["timed reverse-step"] * TRIES)
        yield "reverse-step at the end of a recorded session's window", spread(steps), "goal 100 ms"
        yield from trace_rows(folder)


def trace_rows(folder):
    """What writing a trace for ui.perfetto.dev takes: of events that are there, and of a whole run."""
    run = ("sim", "--workload", "steady", "--faults", "none", "--seed", "1")
    output_of([GEMEL, *run, "--events", f"{folder}/events"])
    text = output_of([f"{TOP}/build/hosted/tests/bench_trace", f"{folder}/events"])
    rate, size, events = found(r"^([\d.]+) million events a second, ([\d.]+) bytes each, (\d+) events", text, "bench_trace").groups()
    yield "events written as a trace, each second", f"{rate} million", f"goal 5 million; {size} bytes each, {int(events):,} events of a run"
    ratios = sorted(processor_seconds(*run, "--trace", f"{folder}/trace") / processor_seconds(*run) for _ in range(TRIES))
    yield "that run with --trace", f"{statistics.median(ratios):.2f} times the processor time", f"median of {TRIES} pairs"


RECORDED = "for i in 1 2 3 4 5 6 7 8 9 10; do ls -lR / > /tmp/l; sort /tmp/l > /tmp/m; cat /tmp/m /tmp/l | grep e | wc; done"
RECORD_PAIRS = 15


def processor_seconds(*words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output_of([GEMEL, *words])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def part_record():
    """Pairs, one after the other: whatever else the host does meets both."""
    with tempfile.TemporaryDirectory(prefix="gemel-bench-") as folder:
        ratios, plays = [], []
        for number in range(RECORD_PAIRS):
            file = f"{folder}/{number}"
            plain = processor_seconds("run", "-c", RECORDED)
            ratios.append(processor_seconds("record", "-o", file, "-c", RECORDED) / plain)
            plays.append(processor_seconds("replay", file) / plain)
        middle = RECORD_PAIRS // 2
        yield "a session of files and pipes, recorded", f"{sorted(ratios)[middle]:.2f} times the processor time", f"goal 1.05; median of {RECORD_PAIRS} pairs, boot included"
        yield "the same, played back", f"{sorted(plays)[middle]:.2f} times the processor time", "jail and comparison included"
        sizes = {}
        for name, script in (("idle", "sleep 0.1"), ("busy", RECORDED)):
            for times in (1, 5):
                words = "; ".join([script] * times)
                text = output_of([GEMEL, "record", "-o", f"{folder}/{name}{times}", "-c", words])
                seconds = float(found(r"recorded \+([\d.]+)s", text, "gemel record")[1])
                sizes[name, times] = (os.path.getsize(f"{folder}/{name}{times}"), seconds)
        yield "a recorded boot", f"{sizes['idle', 1][0] / 1024:.0f} KiB", "the sectors of the disk that it reads"
        for name in ("idle", "busy"):
            (small, short), (large, long) = sizes[name, 1], sizes[name, 5]
            yield f"a minute of a recorded session, {name}", f"{(large - small) / (long - short) * 60 / 1024:.0f} KiB", ""
        yield from window_rows(folder)


WINDOW_PAIRS = 9
FILLED = ("cat /gemel/etc/* > /tmp/a; for i in 1 2 3 4 5 6 7 8 9; do cat /tmp/a /tmp/a > /tmp/b; mv /tmp/b /tmp/a; done; "
          "mkdir -p /home/bench; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat /tmp/a > /home/bench/$i; done; wc /home/bench/* | tail -n 1; "
          "for i in 1 2 3 4 5 6; do sleep 0.6; echo x > /tmp/x; done; rm -r /home/bench; sleep 0.6; sleep 0.6")


def window_of(folder, script, length="1s"):
    """A session that fails at its end: the file of its window, its restart point's KiB and milliseconds, the session's seconds."""
    text = output_of([GEMEL, "run", "--record-last", length, "-c", f"{script}; mischief read; true"])
    path = found(r"again: gemel replay (\S+)", text, "gemel run --record-last")[1]
    point = found(r"restart point \((\d+) KiB, made in ([\d.]+) ms\)", text, "gemel run --record-last")
    seconds = float(found(r"failed at \+([\d.]+)s", text, "gemel run --record-last")[1])
    moved = f"{folder}/window.gemel"
    os.replace(path, moved)
    return moved, int(point[1]), float(point[2]), seconds


def window_rows(folder):
    """Windows of a second: sixty times as many restart points as the usual ones have."""
    ratios = []
    for _ in range(WINDOW_PAIRS):
        plain = processor_seconds("run", "-c", "; ".join([RECORDED] * 3))
        ratios.append(processor_seconds("run", "--record-last", "1s", "-c", "; ".join([RECORDED] * 3)) / plain)
    yield "the same, in windows of one second", f"{sorted(ratios)[WINDOW_PAIRS // 2]:.2f} times the processor time", f"goal 1.05 with 60 s; median of {WINDOW_PAIRS} pairs"
    minute = "for m in 1 2 3 4 5 6; do " + RECORDED + "; sleep 0.1; done"
    path, kibibytes, milliseconds, seconds = window_of(folder, minute)
    yield "a restart point", f"{kibibytes} KiB", "of the session of files and pipes"
    yield "the same, made", f"{milliseconds:.1f} ms", "the machine stands still"
    begin = float(found(r"from \+([\d.]+)s on", output_of([GEMEL, "replay", path]), "gemel replay")[1])
    took = processor_seconds("replay", path)
    yield "a window's replay", f"{took * 1000:.0f} ms of the processor", f"the last {seconds - begin:.1f} s of {seconds:.1f} s of work; the program's start too"
    _, kibibytes, milliseconds, _ = window_of(folder, FILLED)
    yield "a restart point with files in the disk's cache", f"{kibibytes} KiB", "a dozen of a megabyte or two, and one in /tmp"
    yield "the same, made", f"{milliseconds:.1f} ms", ""


def part_crash():
    """States that a power cut may leave of ext4's own writes (docs/ext4-crash.md)."""
    text = output_of([f"{TOP}/build/hosted/tests/ext4/ext4_crash_test", "--gtest_filter=VolumeCrash.*"])
    rows = re.findall(r"VolumeCrash\.(\w+)\ncrash states: (\d+) tried, (\d+) distinct, .* (\d+) a second, (\d+) failures", text)
    if not rows:
        sys.exit(f"bench: ext4_crash_test said nothing of states:\n{text[-2000:]}")
    distinct, failures = (sum(int(row[column]) for row in rows) for column in (2, 4))
    yield "states of a volume after a power cut, each recovered and checked", f"{failures} failures in {distinct:,}", "GEMEL_TEST_LONG=1 ext4_crash_test: more"
    for name, tried, each, rate, failed in rows:
        yield f"of them `{name}`", f"{failed} in {int(each):,}", f"{int(tried):,} tried, {int(rate):,} a second; goal 10,000"


COLUMNS = ("what", "measured", "beside it")
TABLES = {"planted": part_planted, "fs": part_fs}  # parts with columns of their own
PARTS = {"ipc": part_ipc, "boot": part_boot, "files": part_files, "counts": part_counts, "cpus": part_cpus,
         "size": part_size, "mutants": part_mutants, "sim": part_sim, "record": part_record,
         "debug": part_debug, "alarms": part_alarms, "crash": part_crash, "preempt": part_preempt}


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return found(r"model name\s*: (.*)", file.read(), "/proc/cpuinfo")[1]


NUMBERS = f"{TOP}/docs/numbers.md"
PREFACE = ("# Numbers\n\nWritten by `./gemel bench --write [PART...]`, a section by each part. Times depend on the machine: read the"
           " ratios, which come from one run.\n")


def section(name, quick):
    """Markdown of one part, which is printed as it comes."""
    text = f"\nMeasured {datetime.date.today()}, {processor()}, {os.cpu_count()} processors.\n"
    tables = TABLES[name](quick) if name in TABLES else [(COLUMNS, PARTS[name]())]
    for header, rows in tables:
        text += f"\n| {' | '.join(header)} |\n|{' --- |' * len(header)}\n"
        if name == "fs":
            fs.show(header, rows)
        for row in rows:
            what, value, *beside = row
            if name != "fs":
                print(f"{what}: {value}" + (f"   ({', '.join(beside)})" if any(beside) else ""), flush=True)
            text += f"| {' | '.join(row)} |\n"
    return text


def keep(name, text):
    """Puts a section into the document; the others stay as they were measured."""
    with open(NUMBERS, encoding="utf-8") as file:
        old = re.split(r"^## (\S+)\n", file.read(), flags=re.M)[1:]
    sections = dict(zip(old[::2], old[1::2]))
    sections[name] = text + "\n"
    order = [each for each in (*PARTS, *TABLES) if each in sections]
    with open(NUMBERS, "w", encoding="utf-8") as file:
        file.write("\n".join([PREFACE, *(f"## {each}\n\n{sections[each].strip()}\n" for each in order)]))


def main():
    parser = argparse.ArgumentParser(description="the numbers of docs/numbers.md")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    for name in options.parts or [*PARTS, *TABLES]:
        text = section(name, options.quick)
        if options.write:
            keep(name, text)


if __name__ == "__main__":
    main()
