"""Time travel in gdb, over the other side of its remote protocol that `gemel replay FILE --gdb` starts.

    tt open FILE            debug a replay of this journal or recording, from where it failed, with the program that gdb has
    tt                      where this is: event, virtual time, task
    tt goto WHERE           event:N, 6.1ms, +N or -N events
    tt failure              where the run failed
    tt checkpoints          the marks that going back starts from
    tt last-write EXPR      before the last write of what EXPR names

gdb's own reverse-continue, reverse-step, reverse-next, reverse-stepi and reverse-finish work as well: the other side
knows how to go back.
"""
import os
import re
import shlex
from decimal import Decimal

import gdb
import gemel_objects

FAILED = "gemel_replay_failed"
UNITS = {"ns": 1, "us": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
THREADS_MAX = 1024  # core/object/thread.hpp; whoever has this number is no thread of the kernel's
failure_event = None  # once it was seen
NOT_A_REPLAY = (
    "this is no replay: nothing here can go back in time. Run the failure's journal in gdb:"
    " ./gemel replay FILE --gdb  (docs/simulator.md)"
)
BACKWARDS = ("reverse-continue", "reverse-step", "reverse-next", "reverse-stepi", "reverse-nexti", "reverse-finish")


def is_replay():
    connection = getattr(gdb.selected_inferior(), "connection", None)
    if connection is None or connection.type != "remote":
        return False
    try:
        return "goto event:N" in gdb.execute("monitor help", to_string=True)
    except gdb.error:
        return False


def connect(command):
    """Starts the other side; nothing is said until it stands where the user wants it."""
    gdb.execute("set remotetimeout 60")  # a busy host starts the run late, and gdb would ask twice
    gdb.execute("set print thread-events off")  # threads begin and end in both directions
    gdb.execute(f"target remote | {command}", to_string=True)


def open_replay(path):
    """What `gemel replay FILE --gdb` does, for whoever starts gdb himself: an editor."""
    program = gdb.current_progspace().filename
    if program is None:
        raise gdb.GdbError("no program: `file build/hosted/frontends/cli/gemel` first")
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise gdb.GdbError(f"{path}: no such file")
    gdb.execute("set sysroot /")  # the libraries are this host's own
    # At the addresses that it has each time.
    connect(f"exec setarch -R {shlex.quote(program)} replay {shlex.quote(path)} --serve")
    to_failure()


def thread_of(number):
    """gdb's own for a thread of the system, or None."""
    return next((each for each in gdb.selected_inferior().threads() if each.ptid[1] == number), None)


def live_thread():
    """The number of the thread that is on the processor."""
    return int(gdb.execute("monitor thread", to_string=True).split()[1])


def select_live():
    if is_replay():
        thread_of(live_thread()).switch()


def need_replay():
    if not is_replay():
        raise gdb.GdbError(NOT_A_REPLAY)


def time_text(nanoseconds):
    return f"+{nanoseconds // 10**9}.{nanoseconds % 10**9:09}s"


def where():
    """(event, instructions behind it or None, virtual time, the last event that was ever seen)."""
    text = gdb.execute("monitor where", to_string=True)
    found = re.match(r"event (\d+) steps (\d+|\?) time (\d+) seen (\d+)( DIFFERED)?", text)
    if not found:
        raise gdb.GdbError(f"the replay does not say where it is: {text.strip()}")
    if found[5]:
        print("beware: the same way led to another state; the run is no function of its journal")
    return tuple(None if number == "?" else int(number) for number in found.groups()[:4])


def task_text():
    try:
        kernel = gemel_objects.running_kernel()
        if kernel is None:
            return "no system runs"
        current = kernel["threads_"][live_thread()] if live_thread() < THREADS_MAX else 0
        if not int(current):
            return "nobody runs"
        task = current["task"].dereference()["name"].string()
        return f"task {task}, thread {int(current['id'])} {current['name'].string()}"
    except gdb.error:  # a build without symbols of data
        return "no task to be seen"


def show_place():
    event, steps, time_ns, seen = where()
    behind = " + many instructions" if steps is None else f" + {steps} instructions" if steps else ""
    print(f"event {event}{behind} of {seen} seen  t={time_text(time_ns)}  {task_text()}")


def jump(words):
    """Goes there in one step of gdb's, so that it forgets what it knew of the place before. Without the user's breakpoints: to
    step off one, gdb would wait for the thread that stands at it, and another one may run there."""
    points = others_off()
    try:
        answer = gdb.execute(f"monitor goto {words}", to_string=True)
        if not answer.startswith("gone"):
            raise gdb.GdbError(answer.strip())
        gdb.execute("stepi")
    finally:
        for point in points:
            point.enabled = True


def target(text):
    """What `monitor goto` understands, for what a person writes."""
    if re.fullmatch(r"(event:|\+|-)\d+", text):
        return text
    number = re.fullmatch(r"\+?(\d+\.?\d*|\.\d+)([a-z]+)", text)
    if number and number[2] in UNITS:
        return str(int(Decimal(number[1]) * UNITS[number[2]]))
    raise gdb.GdbError("usage: tt goto event:N | 6.1ms | +N | -N   (N: events)")


def others_off():
    """Disables the user's breakpoints; answers those that it disabled."""
    points = [point for point in gdb.breakpoints() or () if point.enabled and point.visible]
    for point in points:
        point.enabled = False
    return points


def run_alone(make, direction):
    """Runs in a direction with one breakpoint alone, and shows where that ended. False: it was not hit."""
    disabled = others_off()
    point = make()
    point.silent = True
    try:
        gdb.execute(direction, to_string=True)
        return point.hit_count > 0
    finally:
        point.delete()
        for other in disabled:
            if other.is_valid():
                other.enabled = True


def to_failure():
    """From its event's begin where that is known, from the run's where it is not ahead."""
    global failure_event

    def found():
        return run_alone(lambda: gdb.Breakpoint(FAILED, internal=True), "continue")

    if failure_event is not None:
        jump(f"event:{failure_event}")
    there = found()
    if not there and failure_event is None:
        jump("event:0")
        there = found()
    if there:
        failure_event = where()[0]
    else:
        print("nothing fails in this run, which stands at its end now. Back into it: tt goto TIME, tt goto event:N,"
              " reverse-continue")
    gdb.execute("frame")


def last_write(expression):
    try:
        value = gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise gdb.GdbError(f"{expression}: {error}")
    if value.address is None:
        raise gdb.GdbError(f"{expression} lies in no memory: nothing writes it")
    if value.type.sizeof > 32:
        raise gdb.GdbError(f"{expression} is {value.type.sizeof} bytes long; 32 can be watched: name a part of it")
    place = f"*({value.type.unqualified().pointer()}) {int(value.address)}"
    now = str(value)
    watched = [f"({value.type}) at {int(value.address):#x}"]

    def make():
        where_to = f"*(unsigned char (*)[{value.type.sizeof}]) {int(value.address)}"
        return gdb.Breakpoint(where_to, gdb.BP_WATCHPOINT, gdb.WP_WRITE, internal=True)

    if not run_alone(make, "reverse-continue"):
        print(f"{expression} {watched[0]}: nothing wrote it since the run began")
        return gdb.execute("frame")
    try:
        before = str(gdb.parse_and_eval(place))
    except gdb.error:
        before = "?"
    print(f"{expression} is about to change from {before} to {now}")
    show_place()
    gdb.execute("frame")


class TimeTravel(gdb.Command):
    """tt | tt open FILE | tt goto event:N|TIME|+N|-N | tt failure | tt checkpoints | tt last-write EXPR: go about in a replay's time."""

    def __init__(self):
        super().__init__("tt", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        word, _, rest = argument.strip().partition(" ")
        rest = rest.strip()
        if word == "open" and rest:
            return open_replay(rest)
        need_replay()
        if word in ("", "where"):
            show_place()
        elif word == "goto" and rest:
            jump(target(rest))
            show_place()
        elif word == "failure":
            to_failure()
        elif word == "checkpoints":
            self.checkpoints()
        elif word == "last-write" and rest:
            last_write(rest)
        else:
            raise gdb.GdbError(self.__doc__)

    def checkpoints(self):
        for line in gdb.execute("monitor marks", to_string=True).splitlines():
            event, steps, time_ns = (int(word) for word in re.findall(r"\d+", line))
            print(f"event {event}{f' + {steps} instructions' if steps else ''}  t={time_text(time_ns)}")


TimeTravel()
# gdb's own words for a target that cannot go back tell nobody what to do.
for command in BACKWARDS:
    gdb.execute(f"define hook-{command}\npython gemel_travel.need_replay()\nend")
gdb.execute("python import gemel_travel")
