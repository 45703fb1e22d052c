#!/usr/bin/env python3
"""gemel trace --one KIND: the walk of one request through the closed world, step by step.

The world runs without faults and with the kernel's own schedule, so the walk is a function of the
build and the line. Servers name a request when they answer it; a walk is put together afterwards,
when the names are known, and shows them where the request begins.
"""
import argparse
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile

EXIT_USAGE, EXIT_FAILED = 1, 2
# What is typed for a kind, where no line is given.
LINES = {
    "read": "cat /srv/lines.txt",
    "open": "cat /srv/lines.txt",
    "write": "cp /srv/greeting /srv/walk",
    "stat": "ls -l /srv/greeting",
    "mkdir": "mkdir /tmp/walk",
    "unlink": "rm /srv/greeting",
    "create": "ps",
    "start": "ps",
}
ALIASES = {"spawn": "create"}

HEADER = struct.Struct("<8sQIIQQ")  # frontends/cli/event_file.cpp
EVENT = struct.Struct("<QBBHHHQQ")  # sim/trace/trace.hpp
NAME = struct.Struct("<QI20s")
ENTER, RESUME, INTERRUPT, _, _, CONSOLE, PHASE = range(1, 8)
SAFETY = 1
RECEIVE, SEND, DEBUG_PRINT = 3, 2, 11
CALL, SEND_FIRST, POLL = 1, 2, 4
DEVICES = {4: "console", 8: "disk"}  # sim/devices/map.hpp
OK = 0


class Request:
    """One call that a thread of another task serves."""

    def __init__(self, caller, begin):
        self.caller, self.begin, self.end = caller, begin, None
        self.server, self.text, self.result = None, "", ""
        self.broker = ""  # which of the kernel's operations it is, if no server gets it

    def operation(self):
        return self.text.split("(")[0].rpartition(".")[2]


class Events:
    def __init__(self, data):
        magic, count, _, names, _, _ = HEADER.unpack_from(data)
        if magic != b"GEMEVT02":
            raise ValueError("another format of events: build again")
        end = HEADER.size + count * EVENT.size
        self.all = list(EVENT.iter_unpack(data[HEADER.size:end]))
        tail = data[len(data) - names * NAME.size:] if names else b""
        self.names = [(at, task, text.split(b"\0")[0].decode())
                      for at, task, text in NAME.iter_unpack(tail)]

    def task_names(self):
        """For each event, who bears which number then: numbers are used again."""
        known, following = {}, iter(self.names + [(1 << 63, 0, "")])
        upcoming = next(following)
        for number in range(len(self.all)):
            while upcoming[0] <= number:
                known[upcoming[1]] = upcoming[2]
                upcoming = next(following)
            yield known


def call_names(root):
    """By number, from the one list (core/abi/call.hpp)."""
    text = (root / "core/abi/call.hpp").read_text()
    calls = re.search(r"enum class Call : u8 \{(.*?)\n\};", text, re.S)[1]
    return {int(number): name for name, number in re.findall(r"(\w+)\s*= (\d+),", calls)}


def broker_names(root):
    """`broker.operation` by number, from the one list (core/abi/operation.hpp)."""
    text = (root / "core/abi/operation.hpp").read_text()
    numbers = dict(re.findall(r"^    (\w+)\s*= (0x[0-9A-Fa-f]+),", text, re.M))
    listed = re.findall(r"OperationInfo \{ Operation::(\w+), Broker::(\w+),", text)
    return {int(numbers[name], 16): f"{broker}.{name}" for name, broker in listed}


class Walk:
    def __init__(self, events, blocks, calls, brokers):
        self.call_names, self.broker_names, self.steps, self.requests = calls, brokers, [], []
        self.serving, self.calling, self.task_of, self.printed = {}, {}, {}, {}
        self.entered, self.queued, self.phase = None, [], 0
        self.blocks = list(blocks)
        for event, known in zip(events.all, events.task_names()):
            self.take(event, known)

    def take(self, event, known):
        time, kind, _, thread, task, call, a, b = event
        # What the disk did at the time of its interrupt is what it interrupts for.
        while self.blocks and self.blocks[0][0] < time + (kind == INTERRUPT):
            at, text = self.blocks.pop(0)
            self.step(at, 0, "the disk: " + text)
        if thread:
            self.task_of[thread] = known.get(task, f"task {task}")
        if kind == PHASE:
            self.phase = a
        elif kind == ENTER:
            self.enter(time, thread, call, b)
        elif kind == RESUME:
            self.resume(time, thread, a)
        elif kind == INTERRUPT:
            self.step(time, 0, f"interrupt {a}, the {DEVICES.get(a, 'unknown device')}'s")
        elif kind == CONSOLE and self.entered and self.entered[1] == DEBUG_PRINT:
            self.print(self.entered[0], chr(a & 0x7F))

    def step(self, time, thread, text, request=None):
        self.steps.append((time, thread, self.task_of.get(thread, ""), self.depth(thread), text,
                           request))

    def depth(self, thread):
        depth = 0
        while thread in self.serving and depth < 32:
            thread = self.serving[thread].caller
            depth += 1
        return depth

    def print(self, thread, byte):
        text = self.printed.get(thread, "") + byte
        if byte == "\n":
            # An answer that waited is named while another request is served, whose own name
            # comes after it: the last one counts.
            request, said = self.serving.get(thread), text.strip()
            if said.startswith("trace: ") and request and request.end is None:
                request.text, _, request.result = said[7:].partition(" -> ")
            text = ""
        self.printed[thread] = text

    def enter(self, time, thread, call, message):
        number, flags = call & 0xFF, call >> 8 & 0xFF
        self.entered = (thread, number, flags)
        if number == DEBUG_PRINT:
            return
        name = self.call_names.get(number, f"call {number}")
        if number == RECEIVE and flags & CALL:
            request = Request(thread, len(self.steps))
            request.broker = self.broker_names.get(message, "")
            if self.phase == SAFETY:
                self.requests.append(request)
            self.calling[thread] = request
            self.queued.append(request)
            self.step(time, thread, f"{name} CALL", request)
        elif number == RECEIVE and flags & SEND_FIRST:
            request = self.serving.get(thread)
            self.step(time, thread, f"{name} SEND_FIRST", request)
            self.serving.pop(thread, None)
        elif number == SEND and thread in self.serving and self.serving[thread].text:
            # Answered before it receives again; what it still does is done beside its caller.
            self.step(time, thread, name, self.serving[thread])
        else:
            if number == RECEIVE:
                name += " POLL" if flags & POLL else ", waits"
            self.step(time, thread, name)

    def resume(self, time, thread, status):
        sender, number, flags = self.entered or (0, 0, 0)
        self.entered = None
        if number == DEBUG_PRINT and thread == sender:
            return
        if thread in self.calling:
            request = self.calling.pop(thread)
            request.end = len(self.steps)
            if request in self.queued:
                self.queued.remove(request)
            how = "the kernel answers" if request.server is None else "reply"
            self.step(time, thread, how + ("" if status == OK else f", status {status}"))
            return
        # Who is handed a call that was just made goes on in its caller's place.
        if number == RECEIVE and flags & CALL and thread != sender and self.queued:
            request = self.queued.pop()
            request.server = self.task_of[thread]
            self.serving[thread] = request
            self.step(time, thread, "hand-over", request)
        else:
            self.step(time, thread, "goes on" + ("" if status == OK else f", status {status}"))

    def one(self, kind, program):
        """The first of that kind that the program makes, or else the first of anybody."""
        found = [request for request in self.requests
                 if request.operation() == kind and request.end is not None]
        for request in found:
            if self.steps[request.begin][2] == program:
                return request
        return found[0] if found else None

    def lines(self, request):
        """Times are virtual, in microseconds since the request."""
        begin, _, _, least, _, _ = self.steps[request.begin]
        for time, thread, task, depth, text, of in self.steps[request.begin:request.end + 1]:
            if of is not None and text.endswith("CALL"):
                text += "  " + (of.text or of.broker or "not named")
            elif of is not None and text != "hand-over":
                text += f"  -> {of.result}" if of.result else ""
            who = f"{task}({thread})" if thread else "world"
            indent = "  " * max(0, depth - least)
            yield f"{(time - begin) / 1000:9.3f}us  {indent}{who}  {text}"


def block_lines(text):
    for line in text.splitlines():
        found = re.match(r"\+(\d+)\.(\d{9})s\s+(.*)", line)
        if found:
            yield int(found[1]) * 10**9 + int(found[2]), re.sub(r"\s+", " ", found[3])


def run(program, line):
    with tempfile.TemporaryDirectory(prefix="gemel-walk-") as folder:
        events, blocks = os.path.join(folder, "events"), os.path.join(folder, "blocks")
        done = subprocess.run(
            [program, "sim", "--seed", "1", "--workload", line, "--strategy", "run-to-block",
             "--faults", "none", "--messages", "--events", events, "--block-log", blocks,
             "--journals", folder], capture_output=True, text=True)
        if not os.path.exists(events) or not os.path.getsize(events):
            sys.exit(fail(f"the world did not run: {(done.stdout + done.stderr).strip()}",
                          EXIT_FAILED))
        return (Events(pathlib.Path(events).read_bytes()),
                list(block_lines(pathlib.Path(blocks).read_text())))


def fail(text, status):
    print(f"gemel: {text}", file=sys.stderr)
    return status


def arguments():
    parser = argparse.ArgumentParser(
        prog="gemel trace", description="the walk of one request through the closed world: each "
        "kernel entry, hand-over, request to the disk and interrupt, with virtual times")
    parser.add_argument("line", nargs="?", metavar="LINE",
                        help="what is typed at the shell (default: one that does such a request)")
    parser.add_argument("--one", metavar="KIND", required=True,
                        help="an operation: read, write, open, stat, spawn ...")
    parser.add_argument("--program", help=argparse.SUPPRESS)
    return parser


def main(words):
    parser = arguments()
    try:
        options = parser.parse_args(words)
    except SystemExit as ended:
        return EXIT_USAGE if ended.code else 0
    kind = ALIASES.get(options.one, options.one)
    line = options.line or LINES.get(kind)
    if line is None:
        return fail(f"--one {options.one}: say which line makes one: gemel trace --one "
                    f"{options.one} 'LINE'. Without a line: "
                    f"{' '.join(sorted(LINES))} spawn", EXIT_USAGE)
    root = pathlib.Path(__file__).resolve().parents[2]
    events, blocks = run(options.program or root / "build/hosted/frontends/cli/gemel", line)
    walk = Walk(events, blocks, call_names(root), broker_names(root))
    request = walk.one(kind, line.split()[0] if line.split() else "")
    if request is None:
        seen = sorted({each.operation() for each in walk.requests} - {""})
        return fail(f"`{line}` makes no request of the kind {options.one}. It makes: "
                    + " ".join(seen), EXIT_FAILED)
    begun = walk.steps[request.begin][0]
    print(f"`{line}`, t=+{begun // 10**9}.{begun % 10**9:09}s: {request.text} -> {request.result}")
    for each in walk.lines(request):
        print(each)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
