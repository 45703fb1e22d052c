"""Gemel in gdb: the system's threads, their stacks, and a step across a message.

    info tasks              every thread: its task, its state, and where it is
    task N                  look at thread N; `bt`, `up`, `info locals` then show it. `task off` goes back
    task apply all CMD      CMD for every thread (or for those in a list: task apply 2,5 bt)
    step-ipc                run until the message that this thread sends next is received
    info ports|caps|regions the kernel's objects (gemel_objects.py)

Works on a live process and on a core file: a suspended thread is a fiber whose registers Boost.Context
saved on its own stack, and an unwinder puts them behind the innermost real frame. In a replay each thread
is one of gdb's already, by the same number (frontends/travel/threads.hpp): `task N` goes there. Nothing is
written to the process.
"""
import os
import sys

import gdb
import gdb.unwinder
from gdb.FrameDecorator import FrameDecorator

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gemel_objects  # noqa: E402,F401  makes its commands and printers
import gemel_travel  # noqa: E402,F401  makes its commands

# What jump_fcontext saves (Boost 1.74, x86_64 System V ELF): offsets from the context pointer.
SAVED = {"r12": 8, "r13": 16, "r14": 24, "r15": 32, "rbx": 40, "rbp": 48, "rip": 56}
SAVED_BYTES = 64
REGION_BYTES = 2 << 20  # a stack lies within one region
WINDOWS, WINDOWS_SHIFT = 2, 44  # where tasks' stacks are: arch/hosted's windows_address
HANDLER_FRAMES = 8
LAST_FRAME = "fiber_main"
SYSTEM_CALL = "gemel::arch::system_call"
RECEIVE, CALL, SEND_FIRST, REPLY_TOKEN = 3, 1, 2, 1 << 63  # core/abi/call.hpp
CURRENT = "'gemel::arch::host'.system->pages_.kernel.cpu_->current"
# Frames between a program's wait and the switch of stacks: not what a person asks for.
MACHINERY = ("jump_fcontext", "switch_to", "leave", "system_call", "interrupted")


class NotRunning(gdb.GdbError):
    pass


def kernel():
    running = gemel_objects.running_kernel()
    if running is None:
        raise NotRunning("no Gemel system is running yet")
    return running


class Thread:
    """One thread of the kernel's table."""

    def __init__(self, value):
        self.value = value
        self.id = int(value["id"])
        self.address = int(value.address)
        self.name = value["name"].string()
        self.task = value["task"].dereference()["name"].string()
        self.state = gemel_objects.last_name(value["state"])
        self.context = int(value["frame"]["fiber"]["context"])

    def owns_stack(self, pointer):
        top = int(self.value["frame"]["stack_pointer_"])
        return (top - 1) // REGION_BYTES * REGION_BYTES <= pointer <= top

    def host_thread(self):
        """The host thread that is on its stack, or None; if there is one, its saved registers are old."""
        if gemel_travel.is_replay():
            return gemel_travel.thread_of(self.id)
        return next((host for host, pointer in stack_pointers() if self.owns_stack(pointer)), None)

    def is_live(self):
        if gemel_travel.is_replay():
            return gemel_travel.live_thread() == self.id
        return self.host_thread() is not None

    def is_started(self):
        return self.context != 0


def threads():
    table = kernel()["threads_"]
    low, high = table.type.range()
    found = (table[index] for index in range(low, high + 1))
    return [Thread(pointer.dereference()) for pointer in found if int(pointer)]


def thread_of(number):
    for thread in threads():
        if thread.id == number:
            return thread
    raise gdb.GdbError(f"no thread {number}: see info tasks")


def stack_pointer():
    """Of the selected host thread: of what a signal has interrupted, if its handler is running."""
    frame = gdb.newest_frame()
    pointer = int(frame.read_register("rsp"))
    for _ in range(HANDLER_FRAMES):
        if pointer >> WINDOWS_SHIFT == WINDOWS or frame is None:
            break
        interrupted = frame.type() == gdb.SIGTRAMP_FRAME
        frame = frame.older()
        if interrupted and frame is not None:
            return int(frame.read_register("rsp"))
    return pointer


def stack_pointers():
    """Where each host thread stands; the one that is selected comes first."""
    SPLICE.turn_off()
    selected = gdb.selected_thread()
    others = [thread for thread in gdb.selected_inferior().threads() if thread.num != selected.num]
    found = []
    for thread in [selected, *others]:
        thread.switch()
        found.append((thread, stack_pointer()))
    selected.switch()
    return found


class FrameId:
    def __init__(self, stack, pc):
        self.sp, self.pc = stack, pc


class Splice(gdb.unwinder.Unwinder):
    """While on, the caller of the innermost real frame is a suspended thread's innermost frame."""

    def __init__(self):
        super().__init__("gemel-fiber")
        self.context = None
        self.top = None

    def turn_on(self, thread):
        self.turn_off()
        frame = gdb.newest_frame()
        self.top = (int(frame.read_register("rip")), int(frame.read_register("rsp")))
        self.context = thread.context
        gdb.invalidate_cached_frames()

    def turn_off(self):
        if self.context is not None:
            self.context = None
            gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.context is None:
            return None
        pc, stack = pending.read_register("rip"), int(pending.read_register("rsp"))
        if (int(pc), stack) != self.top:
            return None
        # An id just below the thread's stack: gdb wants callers above their callees.
        found = pending.create_unwind_info(FrameId(gdb.Value(self.context - 256), pc))
        word = gdb.lookup_type("unsigned long")
        memory = gdb.selected_inferior().read_memory(self.context, SAVED_BYTES).tobytes()
        for register, offset in SAVED.items():
            value = int.from_bytes(memory[offset : offset + 8], "little")
            found.add_saved_register(register, gdb.Value(value).cast(word))
        found.add_saved_register("rsp", gdb.Value(self.context + SAVED_BYTES).cast(word))
        return found


ANONYMOUS = "(anonymous namespace)"


def plain(name):
    """A function's name without its parameters' types."""
    name = (name or "").replace(ANONYMOUS, "{}")
    depth = 0
    for index, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0:
            name = name[:index]
            break
    return name.replace("{}", ANONYMOUS)


class Plain(FrameDecorator):
    def function(self):
        name = super().function()
        return plain(name) if isinstance(name, str) else name


class Frames:
    """Hides what is not the thread's: the real innermost frame under a splice, and what lies below a fiber."""

    name, priority, enabled = "gemel", 100, True

    def filter(self, frames):
        frames = iter(frames)
        if SPLICE.context is not None:
            next(frames, None)
        for frame in frames:
            yield Plain(frame)
            if LAST_FRAME in str(frame.function()):
                return


SPLICE = Splice()
gdb.unwinder.register_unwinder(None, SPLICE, replace=True)
gdb.frame_filters["gemel"] = Frames()


def look_at(thread):
    """Selects the thread's innermost own frame, on whichever host thread. False: it has none."""
    host = thread.host_thread()
    if host is not None:
        host.switch()
        gdb.newest_frame().select()
        return True
    if not thread.is_started():
        return False
    SPLICE.turn_on(thread)
    gdb.newest_frame().older().select()
    return True


def own_frames(frame):
    """From a frame outwards to the thread's first."""
    while frame is not None and frame.is_valid():
        yield frame
        if LAST_FRAME in (frame.name() or ""):
            return
        frame = frame.older()


def is_machinery(frame):
    name = plain(frame.name())
    return frame.type() == gdb.SIGTRAMP_FRAME or name.startswith(("gemel::arch::", "gemel::Kernel::", "gemel::system::")) or name.split("::")[-1] in MACHINERY


def place(thread):
    """Where the program itself stands: function, file, line."""
    selected = gdb.selected_thread()
    if not look_at(thread):
        return "(not started)"
    try:
        for frame in own_frames(gdb.selected_frame()):
            if frame.name() and not is_machinery(frame):
                where = frame.find_sal()
                file = where.symtab.filename if where.symtab else "?"
                return f"{plain(frame.name())} at {file}:{where.line}"
        return "(in the kernel)"
    finally:
        SPLICE.turn_off()
        selected.switch()


class InfoTasks(gdb.Command):
    """info tasks: every thread of the system, its state and where it stands."""

    def __init__(self):
        super().__init__("info tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        selected = gdb.selected_thread()
        print(f"  {'Id':>3} {'Task':<12} {'Thread':<12} {'State':<14} Where")
        for thread in threads():
            star = "*" if thread.is_live() else " "
            print(f"{star} {thread.id:>3} {thread.task:<12} {thread.name:<12} {thread.state:<14} {place(thread)}")
        selected.switch()
        gdb.newest_frame().select()


class TaskCommand(gdb.Command):
    """task N | task off | task apply all|N,M COMMAND: look at threads of the system (info tasks lists them)."""

    def __init__(self):
        super().__init__("task", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 2)
        if not words or words[0] == "off":
            SPLICE.turn_off()
            gemel_travel.select_live()
            gdb.newest_frame().select()
        elif words[0] == "apply":
            if len(words) < 3:
                raise gdb.GdbError("usage: task apply all|N,M COMMAND")
            self.apply(words[1], words[2])
        else:
            self.select(thread_of(int(words[0])))

    def select(self, thread):
        if not look_at(thread):
            raise gdb.GdbError(f"thread {thread.id} has not started")
        gdb.execute("frame")

    def apply(self, which, command):
        chosen = None if which == "all" else {int(word) for word in which.split(",")}
        selected = gdb.selected_thread()
        for thread in threads():
            if chosen is not None and thread.id not in chosen:
                continue
            print(f"\nTask {thread.id} \"{thread.task}\" thread \"{thread.name}\" ({thread.state}):")
            if not look_at(thread):
                print("(not started)")
                continue
            try:
                gdb.execute(command)
            finally:
                SPLICE.turn_off()
                selected.switch()
        gdb.newest_frame().select()


class StepIpc(gdb.Command):
    """step-ipc: run until the next message of this thread, a call or a reply, is received; stop there.

    Calls to the kernel's brokers are passed over: the kernel answers them itself.
    """

    def __init__(self):
        super().__init__("step-ipc", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        SPLICE.turn_off()
        sender = next((thread for thread in threads() if thread.is_live()), None)
        if sender is None:
            raise gdb.GdbError("no thread of the system is on the processor")
        receiver = receiver_of_next_message(sender)
        run_to(f"*{place_of_receive(receiver)}", f"{CURRENT} == (gemel::Thread *) {receiver.address}")
        print(f"thread {sender.id} ({sender.task}) -> thread {receiver.id} ({receiver.task})")
        gdb.execute("frame")


def run_to(where, condition):
    """Continues to a breakpoint that is there for this once. An error if the program stopped elsewhere."""
    point = gdb.Breakpoint(where, internal=True)
    point.condition = condition
    gdb.execute("continue", to_string=True)
    reached = point.hit_count > 0
    point.delete()
    if not reached:
        raise gdb.GdbError("stopped before a message was received")


def receiver_of_next_message(sender):
    while True:
        run_to("gemel::Kernel::on_system_call", f"{CURRENT} == (gemel::Thread *) {sender.address}")
        words = sender.value["frame"]["words_"]
        number = int(sender.value["frame"]["status_"])
        if number & 0xFF != RECEIVE:
            continue
        flags = number >> 8 & 0xFF
        target = int(words[0])
        if flags & CALL and names_a_port(target):
            return receiver_of_call(sender)
        if flags & SEND_FIRST and target & REPLY_TOKEN:
            return thread_of(target & 0xFFFFFFFF)


def receiver_of_call(sender):
    """Watches the kernel's exits until some thread holds the token to answer this call."""
    exits = next(frame for frame in own_frames(gdb.newest_frame()) if plain(frame.name()) == SYSTEM_CALL)
    awaiting = "(int) gemel::ThreadState::awaiting_reply"
    run_to(f"*{exits.pc()}", f"(int) ((gemel::Thread *) {sender.address})->state == {awaiting}")
    for thread in threads():
        token = int(thread.value["frame"]["port_"])
        if token & REPLY_TOKEN and token & 0xFFFFFFFF == sender.id and thread.id != sender.id:
            return thread
    raise gdb.GdbError("the call was answered before anybody received it")


def names_a_port(handle):
    row = kernel()["rows_"][handle & 0xFFFFFFFF]
    return str(kernel()["pages_"][int(row["object"])]["type"]).endswith("::port")


def place_of_receive(receiver):
    """The address at which the receiver's own code goes on with the message."""
    look_at(receiver)
    try:
        for frame in own_frames(gdb.selected_frame()):
            if plain(frame.name()) == SYSTEM_CALL:
                return frame.older().pc()
    finally:
        SPLICE.turn_off()
    raise gdb.GdbError(f"thread {receiver.id} is not in a system call")


InfoTasks()
TaskCommand()
StepIpc()
gdb.execute("handle SIGALRM nostop noprint pass", to_string=True)
