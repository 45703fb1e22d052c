#!/usr/bin/env python3
"""Time travel, as a person would type it: gemel replay FILE --gdb. The last line counts.

--preset PRESET   the build that is tried (default: hosted)
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run import FILTER, KERNEL_TEST, TIMEOUT_S, TOP, debug, missing, wrong  # noqa: E402

PLACE = r"^event \d+(?: \+ \d+ instructions)? of \d+ seen  t=\S+  .*$"
LEDGER = "frame function gemel::bank::server_main"
RECEIPT = "bank.cpp:29"  # the kernel call between reading a balance and writing it


class World:
    """One build, and the failures that are walked through."""

    def __init__(self, preset, folder):
        self.program, self.folder = f"{TOP}/build/{preset}/frontends/cli/gemel", folder
        self.commands = 0
        self.bank, self.told = self.failure("bank", "1..20", "none")

    def gemel(self, *words):
        self.commands += 1
        done = subprocess.run([self.program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=TIMEOUT_S, check=False)
        return done.stdout + done.stderr

    def failure(self, workload, seeds, faults, *words):
        """The journal of the first failure, and the line that told of it."""
        text = self.gemel("sim", "--workload", workload, "--seeds", seeds, "--faults", faults, "--journals", self.folder,
                          *words)
        told = next(line for line in text.splitlines() if line.startswith("FAIL "))
        return re.search(r"gemel replay (\S+) --gdb", text[text.index(told):])[1], told

    def travel(self, journal, *commands, to=()):
        words = [word for command in commands for word in ("--ex", command)]
        return self.gemel("replay", journal, "--gdb", *to, *words)


def places(text):
    return re.findall(PLACE, text, re.M)


def marked(*commands):
    """Commands whose output parts() finds."""
    return ("echo @@\\n", *commands, "echo \\n##\\n")


def parts(text, count):
    """What was said between marks, without how far the run was ever seen."""
    found = [re.sub(r" of \d+ seen", "", part) for part in re.findall(r"^@@\n(.*?)\n##$", text, re.M | re.S)]
    return found if len(found) == count else [f"{len(found)} parts instead of {count}\n{text}"] * count


def same(text, *pairs):
    """Nothing is missing when both of each pair are equal, and not empty."""
    for left, right in pairs:
        if left != right or not left:
            return f"{text}\n--- expected to be equal:\n{left}\n--- and\n{right}", [r"\Aequal"]
    return "equal", [r"equal"]


# Goal: four commands from nothing to gdb at the planted race, back to the write that lost money, and forwards to the
# very same failure.
def test_four_commands(world):
    world.commands = 0
    journal, told = world.failure("bank", "1..20", "none")
    again = world.gemel("replay", journal)
    smaller = f"{world.folder}/small.gemel"
    small = world.gemel("shrink", journal, "-o", smaller)
    text = world.travel(smaller, "tt", LEDGER, "tt last-write ledger.balance[0]", "bt 3", "tt failure", "tt")
    assert world.commands == 4 and again.splitlines()[0] == told, again
    assert re.search(r"shrunk \d+ decisions -> [1-5] in", small), small
    at = places(text)
    if len(at) != 3 or at[0] != at[2]:
        return text, ["three places, the first and the last equal"]
    return text, [
        r"gemel_replay_failed", r"task bank, thread \d+ bank", r"^ledger\.balance\[0\] is about to change from \d+ to \d+$",
        r"task bank, thread \d+ teller", r"^#0 .*?transfer .*? at .*?examples/bank/bank.cpp:30",
        r"^#1 .*?serve_customers", r"gemel_replay_failed",
    ]


# Goal: whoever went back and forwards again arrives at the same failure with the same L1.
# Method: the hash that the run itself reports when it fails, read in gdb.
def test_equal_l1(world):
    shared = "'gemel::cli::(anonymous namespace)::own_shared'->l1"
    l1 = f'printf "l1 %016lx%016lx\\n", {shared}.high, {shared}.low'
    text = world.travel(world.bank, l1, "tt goto event:700", "reverse-stepi", "tt goto event:1500", "tt goto -300",
                        f"tbreak {RECEIPT}", "continue", "reverse-next", "tt failure", l1, "continue", l1)
    found = re.findall(r"^l1 ([0-9a-f]{32})$", text, re.M)
    told = re.search(r"L1 ([0-9a-f]{32})", world.told)[1]
    return same(text, (found, [told] * 3))


STATE = ("tt", "info registers rip rsp rbp rbx r12", "info tasks", "info caps bank", "x/32gx $rsp")


# Goal: event N is the same state from whichever side it is reached.
# Method: registers, stack, tasks and capabilities, by a run straight to it and back from the failure; further back than
# a mark, too.
def test_goto_is_exact(world):
    def state_at(*before):
        text = world.travel(world.bank, *before, *marked(*STATE), to=() if before else ("--to", "event:2400"))
        return parts(text, 1)[0]

    straight = state_at()
    back = state_at("tt failure", "tt goto event:2400")
    there_and_back = state_at("tt goto event:500", "tt goto +1900")
    return same(straight, (straight, back), (straight, there_and_back), (straight[:12], "event 2400  "))


# Goal: an instruction back is the inverse of one forwards, also across an event.
def test_instructions(world):
    look = marked("tt", "info registers", "x/16gx $rsp")
    text = world.travel(world.bank, "tt goto event:2390", "stepi 10", *look, "stepi 30", "reverse-stepi 30", *look,
                        "tt goto event:2390", *look, "reverse-stepi", *marked("tt"), "stepi", *look)
    ahead, back, event, before, again = parts(text, 5)
    line = same(text, (ahead, back), (event, again))
    return line if line[0] != "equal" else (before, [r"^event 2389 \+ \d+ instructions"])


# Goal: reverse-continue visits the hits of a breakpoint in the opposite order, and ends at the run's begin.
def test_reverse_continue(world):
    hits = 6
    text = world.travel(world.bank, "tt goto event:2300", f"break {RECEIPT}", *["continue", "tt"] * hits,
                        *["reverse-continue", "tt"] * (hits - 1), *marked("delete", "reverse-continue", "tt"))
    found = [re.sub(r" of \d+ seen", "", place) for place in places(text)]
    forwards, backwards = found[1:hits + 1], found[hits + 1:-1]
    begin, = parts(text, 1)
    line = same(text, (forwards[:-1][::-1], backwards), (len(forwards), hits))
    return line if line[0] != "equal" else (begin, [r"No more reverse-execution history", r"^event 0  "])


# Goal: a watchpoint shows the same writes in both directions.
def test_watchpoint(world):
    text = world.travel(world.bank, "tt goto event:2400", "tbreak bank.cpp:30", "continue", "watch -l ledger.balance[0]",
                        *["continue"] * 4, *["reverse-continue"] * 4)
    changes = re.findall(r"Old value = (\d+)\nNew value = (\d+)", text)
    return same(text, (changes[:4], [(new, old) for old, new in changes[4:]][::-1]), (len(changes), 8))


# Goal: where debug registers do nothing, the same writes are shown, and what cannot be watched is refused with a reason.
def test_watchpoint_compared(world):
    os.environ["GEMEL_DEBUG_REGISTERS"] = "no"
    try:
        text, patterns = test_watchpoint(world)
        text += world.travel(world.bank, LEDGER, "rwatch -l ledger.balance[0]", "continue")
    finally:
        del os.environ["GEMEL_DEBUG_REGISTERS"]
    return text, [*patterns, r"debug registers do nothing: writes can be watched, reads cannot"]


# Goal: back over a kernel call, through the kernel and other tasks, to the line before in the same task.
def test_reverse_lines(world):
    text = world.travel(world.bank, "tt goto event:2400", "tbreak bank.cpp:30", "continue", "tt", "reverse-next", "tt",
                        "reverse-next", "tt", "tt failure", LEDGER, "tt last-write ledger.balance[1]", "reverse-finish")
    threads = [re.search(r"thread \d+", place)[0] for place in places(text)[1:4]]
    line = same(text, (threads, threads[:1] * 3))
    if line[0] != "equal":
        return line
    return text, [r"bank.cpp:30|^30\s", r"^event", r"^29\s|bank.cpp:29", r"^event", r"bank.cpp:38"]


# Goal: a machine that was switched off and on again on the way is gone back through.
def test_power_cut(world):
    journal, _ = world.failure("fs-crash", "1..200", "power-cut,recovery-cut,disk-lie", "--first-failure")
    state = marked("tt", "info tasks", "x/8gx $rsp")
    text = world.travel(journal, "tt goto -50", *state, "tt goto event:3000", "reverse-stepi", *marked("tt"),
                        "tt failure", "tt goto -50", *state)
    first, early, last = parts(text, 3)
    line = same(text, (first, last))
    return line if line[0] != "equal" else (early, [r"^event 2999 \+ \d+ instructions"])


# Goal: who asks a process that cannot go back is told what can.
def test_not_a_replay(_world):
    text = debug(["break plus_one_server", "run", "tt goto event:5", "reverse-continue"], ["--args", KERNEL_TEST, FILTER])
    with tempfile.TemporaryDirectory(prefix="gemel-gdb-") as folder:
        core = f"{folder}/core"
        debug(["break plus_one_server", "run", f"generate-core-file {core}"], ["--args", KERNEL_TEST, FILTER])
        text += "CORE\n" + debug(["tt", "reverse-step"], [KERNEL_TEST, core])
    told = r"gemel replay FILE --gdb"
    return text, [told, told, "CORE", told, told]


# Goal: who comes new to it sees each task as a thread of gdb's, by name and with what it does, on its own stack down to
# its own code, and can go backwards from there: the breakpoint's thread is the one that hit it.
def test_threads(world):
    text = world.travel(world.bank, "tt goto event:3000", "info threads", "thread apply all bt", f"break {RECEIPT}",
                        "continue", "continue", *marked("info threads"), *marked("reverse-continue", "thread", "info threads"))
    forth, back = parts(text, 2)
    names = dict(re.findall(r'^[* ] \d+ +Thread (\d+) "([\w/-]+)" \(.+?\) +\S', text, re.M))
    if not {"init", "ext4", "console", "gsh", "block", "pager"} <= set(names.values()):
        return wrong(text, f"the servers by name and not {names}")
    stacks = dict(re.findall(r'^Thread \d+ \(Thread \d+ "([\w/-]+)" \([^\n]*:\n(.*?)\n\n', text, re.M | re.S))
    for task, function in (("gsh", "gemel::gsh::server_main"), ("ext4", "gemel::ext4::server_main"),
                           ("console", "gemel::console::server_main"), ("init", "gemel::init::server_main")):
        if function not in stacks.get(task, "") or "fiber_main" not in stacks[task]:
            return wrong(text, f"{function} and fiber_main in the stack of {task}")
    hit = re.search(r'^Thread (\d+) "bank/teller" hit Breakpoint .*^\[Current thread is \1 \(Thread (\d+)\)\]$', back, re.M | re.S)
    if not hit:
        return wrong(text, "a hit of the breakpoint in a teller, which is the thread that gdb shows then")
    teller = rf'Thread {hit[2]} "bank/teller" \(running\) +gemel::bank::.*transfer'
    return text, [r'^  \d+ +Thread \d+ "gsh" \(awaiting a reply of console\) ', r'^[* ] \d+ +Thread \d+ "bank" \(', rf"^\* {hit[1]} +{teller}"]


# Goal: a thread that waits can be looked at and stepped like one that runs: the others go on until its turn comes. And
# backwards: to before it gave way.
def test_waiting_thread(world):
    text = world.travel(world.bank, "tt goto event:3000", "task 27", *marked("bt 1", "info registers rax"),
                        *marked("stepi", "thread", "tt"), "tt goto event:3000", "task 27",
                        *marked("reverse-stepi", "thread", "tt"), *marked("stepi", "thread", "tt"), "task 12", "print $rbx = 5")
    waits, forth, back, again = parts(text, 4)
    if any("(Thread 27)]" not in part or "thread 27 gsh" not in part for part in (forth, back, again)):
        return wrong(text, "thread 27, three times")
    events = [int(re.search(r"^event (\d+)", part, re.M)[1]) for part in (back, again, forth)]
    if not events[0] < 3000 <= events[1] <= events[2]:
        return wrong(text, f"an event before, and two behind, where {events}")
    return waits + back + text, [r"^#0 .*?::jump ", r"^rax +<unavailable>", r"jump_fcontext", "cannot be changed"]


# Goal: an editor's configuration for replays leads to the failure, with a thread for each task, and back from there.
# Method: what the editor's adapter sends gdb, in its order and its language (gdb/MI): the configuration's own commands.
def test_editor_replay(world):
    with open(f"{TOP}/.vscode/launch.json", encoding="utf-8") as file:
        known = json.loads(re.sub(r"^\s*//.*$", "", file.read(), flags=re.M))["configurations"]
    chosen = next(each for each in known if any("tt open" in command["text"] for command in each.get("customLaunchSetupCommands", [])))
    lines = [command["text"] for name in ("setupCommands", "customLaunchSetupCommands") for command in chosen[name]]
    lines += ["-list-target-features", "-thread-info", "-exec-step-instruction --reverse", "tt", "-gdb-exit"]
    place = {"workspaceFolder": TOP, "input:journal": world.bank}
    program = f"{TOP}/build/hosted/frontends/cli/gemel"
    lines = [re.sub(r"\$\{([\w:]+)\}", lambda word: place[word[1]], line) for line in lines]
    text = "\n".join(line if line.startswith("-") else f'-interpreter-exec console "{line}"' for line in lines)
    done = subprocess.run(["gdb", "-q", "-nx", "--interpreter=mi"], input=text.replace(program, world.program) + "\n", cwd=TOP,
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return text + done.stdout + done.stderr, [
        r'gemel_replay_failed', r'\^done,features=\[[^]]*"reverse"', r'\^done,threads=', r'name="ext4"', r'details="receiving"',
        r'\*stopped,', r"^~\"event \d+ \+ \d+ instructions of \d+ seen .*task bank"]


class Wire:
    """gdb's side of the protocol, by hand."""

    def __init__(self, program, journal):
        self.process = subprocess.Popen(["setarch", "-R", program, "replay", journal, "--serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.send("QStartNoAckMode")
        assert self.answer() == "OK"

    def send(self, packet, behind=b""):
        self.process.stdin.write(b"$%s#%02x" % (packet.encode(), sum(packet.encode()) % 256) + behind)
        self.process.stdin.flush()

    def answer(self):
        text = b""
        while not re.search(rb"\$[^#]*#..$", text):
            byte = self.process.stdout.read(1)
            if not byte:
                raise AssertionError("the other side is gone")
            text += byte
        return re.search(rb"\$([^#]*)#..$", text)[1].decode()

    def ask(self, packet):
        self.send(packet)
        return self.answer()

    def address_of(self, symbol, library):
        """In the run, which is a fork of the other side."""
        with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as file:
            begin, path = re.search(rf"^(\w+)-\S+ \S+ 00000000 .*?(/\S*{library}\S*)$", file.read(), re.M).groups()
        symbols = subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True).stdout
        return int(begin, 16) + int(re.search(rf"^(\w+) T {symbol}$", symbols, re.M)[1], 16)

    def monitor(self, words):
        return bytes.fromhex(self.ask("qRcmd," + words.encode().hex())).decode()


# Goal: an interrupt stops a long run at once, in a place from which one can go on, back and forth; what is no packet of
# the protocol is refused, and the end of gdb is the end.
def test_interrupt(world):
    journal, _ = world.failure("while sleep 1; do :; done", "1..1", "none", "--until", "20m")
    wire = Wire(world.program, journal)
    try:
        wire.send("c", b"\x03")
        stopped, pc = wire.answer(), wire.ask("g")[256:272]
        back, forth, again = wire.ask("bs"), wire.ask("s"), wire.ask("g")[256:272]
        odd = [wire.ask(words) for words in ("m0,8", "m0,ffffffffffffff", "Z9,0,0", "Z2,7ffff0000000,400", "vFoo", "m", "b")]
        wire.send("k")
        status = wire.process.wait(timeout=20)
    finally:
        wire.process.kill()
    known = (stopped[:10], back[:3], forth[:3], pc == again)
    return same(f"{known} {odd}", (known, ("T02thread:", "T05", "T05", True)), (str(status), "0"),
                (odd[:3], ["E14", "E14", ""]), (odd[3][:2], "E."), (odd[4:], ["", "E14", ""]))


def steps_of(wire, packet, count):
    """Registers and thread after each of so many steps."""
    found = []
    for _ in range(count):
        thread = re.match(r"T05thread:(\w+);", wire.ask(packet))
        found.append((thread and thread[1], wire.ask("g")))
    return found


# Goal: one thread's steps are its own, in both directions: across its turns that others have in between, each step back
# is undone by a step.
# Method: from where a thread begins to give way, amid the run, so that it has another turn: 24 instructions, which take it to
# the other side of the switch.
def test_steps_of_a_thread(world):
    wire = Wire(world.program, world.bank)
    try:
        jump = wire.address_of("jump_fcontext", "libboost_context")
        wire.monitor("goto event:2200")
        wire.ask("vCont;s")
        wire.ask(f"Z0,{jump:x},1")
        stopped = wire.ask("vCont;c")
        wire.ask(f"z0,{jump:x},1")
        begin, thread, first = wire.ask("g"), wire.ask("qC")[2:], wire.monitor("where")
        forwards = steps_of(wire, f"vCont;s:{thread};c", 24)
        last = wire.monitor("where")
        wire.ask(f"Hc{thread}")
        backwards = steps_of(wire, "bs", 24)
        again = wire.monitor("where")
    finally:
        wire.process.kill()
    events = [int(text.split()[1]) for text in (first, last)]
    there = [(thread, begin), *forwards]
    return same(f"{stopped} {thread} {events}\n", (backwards, there[-2::-1]), ({each for each, _ in forwards}, {thread}),
                (events[1] > events[0], True), (first.split()[:4], again.split()[:4]))


def pc_of(registers):
    return registers[256:272]


# Goal: what is no packet, no thread or no request is refused, and the other side is there and well afterwards.
# Method: such packets by hand, then many by chance, made of good ones.
def test_hostile_packets(world):
    wire = Wire(world.program, world.bank)
    chance = random.Random(7)
    good = ("Hg1b", "Hc-1", "T5", "qThreadExtraInfo,c", "vCont;s:1b;c", "vCont;C05:8;c", "p10", "m200000000000,40", "Z0,1000,1",
            "z0,1000,1", "Z2,1000,8", "z2,1000,8", "qXfer:threads:read::0,fff", "qfThreadInfo", "qC", "?", "Hc0", "vCont?", "qAttached")
    try:
        wire.monitor("goto event:3000")
        wire.ask("vCont;s")
        before = wire.ask("g")
        refused = [wire.ask(words) for words in (
            "H", "Hg", "Hgx", "Hg7ff", "Hgffffffffffffffff", "Hc12345678", "Hx1", "T", "Tzz", "T3ff", "T-1", "vCont;", "vCont;s:",
            "vCont;s:zz", "vCont;s:3ff", "vCont;q", "vCont;c;", "qThreadExtraInfo,", "qThreadExtraInfo,99", "p", "pzz", "pffff",
            "c55555555", "Cx", "S05;1000", "Hg1b:3")]
        written = [wire.ask(words)[:2] for words in ("G00", "P10=00", "M1000,1:00", "X1000,1:a")]
        watched = wire.ask("Z2,1000,ffffffff")[:2]
        for _ in range(1500):
            packet = list(chance.choice(good))
            for _ in range(chance.randrange(1, 4)):
                packet[chance.randrange(len(packet))] = chance.choice("0123456789abcdef;:,-gcsHTqvZ")
            text = "".join(packet)
            if not re.match(r"[cCsSbkD]|vCont;|vKill", text): # which would go on, or end
                wire.ask(text)
        wire.ask("Hg0")
        after, alive = wire.ask("g"), wire.ask("T8")
        status = wire.process.poll()
    finally:
        wire.process.kill()
    return same(f"{refused} {written} {watched}", (set(refused), {"E01"}), (set(written), {"E."}), (watched, "E."),
                (after, before), (alive, "OK"), (str(status), "None"))


# Goal: wrong words and impossible places are refused with what is right, and the session goes on.
def test_refusals(world):
    text = world.travel(world.bank, "tt goto yesterday", "tt fly", "set var $rax = 5", "tt last-write 5",
                        "tt goto event:999999", "tt", "continue", "tt goto event:10", "tt", "tt failure", "continue",
                        "tt failure", "tt failure", "tt")
    return text, [
        r"^event \d{4}", r"No more reverse-execution history", r"^event 10 of",
        *[r"gemel_replay_failed \(\)"] * 3, r"^event \d+ \+ \d+ instructions of",
        r"usage: tt goto event:N", r"tt goto event:N", r"cannot be changed", r"lies in no memory", # on standard error
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="hosted")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    chosen = {name: test for name, test in tests.items() if not options.names or name[5:] in options.names}
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="gemel-travel-") as folder:
        world = World(options.preset, folder)
        for name, test in chosen.items():
            try:
                text, patterns = test(world)
                lost = missing(text, patterns)
            except (AssertionError, subprocess.TimeoutExpired, TypeError, IndexError, StopIteration) as error:
                text, lost = str(error), "an answer in time"
            passed, failed = passed + (lost is None), failed + (lost is not None)
            print(f"{'ok  ' if lost is None else 'FAIL'} {name}", flush=True)
            if lost is not None:
                print(f"expected: {lost}\n{text}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(2 if failed else 0)


if __name__ == "__main__":
    main()
