"""The kernel's objects in gdb, read from its own tables; gemel_gdb.py loads this.

    info ports [TASK]       every port: who receives, who waits, what lies in its ring
    info caps [TASK]        every capability: its holder, object, rights, badge, and what it was derived from
    info regions [TASK]     every mapping of every task: address, size, access

TASK is a task's number or name. Handles, rights, results, errors and a call's registers print as what they mean.
"""
import gdb
import gdb.printing

PAGE_BYTES = 4096
REGION_SHIFT = 21  # a mapping's step; core/mm/region.cpp
PRESENT, WRITABLE, NO_EXECUTE = 1, 1 << 1, 1 << 63  # arch/hosted's table entries
TARGET = 0x000F_FFFF_FFFF_F000
RIGHTS = ("send", "receive", "send_once", "destroy", "derive", "call", "read", "write", "execute", "grant")
HANDLE_INDEX = 0xFFFF_FFFF


def running_kernel():
    """The kernel of the system that runs, or None."""
    host = gdb.parse_and_eval("'gemel::arch::host'")
    return host["system"].dereference()["pages_"]["kernel"] if int(host["system"]) else None


def last_name(value):
    return str(value).split("::")[-1]


def rights_text(rights):
    names = [name for bit, name in enumerate(RIGHTS) if rights >> bit & 1]
    return "|".join(names) or "none"


class Books:
    """The kernel's tables: one look, while nothing runs."""

    def __init__(self):
        self.kernel = running_kernel()
        if self.kernel is None:
            raise gdb.GdbError("no Gemel system is running yet")
        self.arena = int(self.kernel["machine_"].referenced_value()["arena_"])
        self.page_base = int(self.kernel["page_base_"])
        self.tasks = {int(task["index"]): task for task in self.table("tasks_")}

    def table(self, name):
        entries = self.kernel[name]
        low, high = entries.type.range()
        return [entries[i].dereference() for i in range(low, high + 1) if int(entries[i])]

    def rows(self):
        """(index, row) of every capability that somebody holds."""
        table = self.kernel["rows_"]
        for index in range(1, int(self.kernel["row_count_"])):
            row = table[index]
            if int(row["owner"]):
                yield index, row

    def type_of(self, page):
        return last_name(self.kernel["pages_"][page]["type"])

    def address_of(self, page):
        return self.arena + (page + self.page_base) * PAGE_BYTES

    def object(self, page, type_name):
        pointer = gdb.lookup_type(type_name).pointer()
        return gdb.Value(self.address_of(page)).cast(pointer).dereference()

    def task_name(self, index):
        task = self.tasks.get(index)
        return task["name"].string() if task is not None else f"task {index}" if index else "nobody"

    def chosen(self, word):
        """The tasks that a command's argument names: all without one."""
        if not word:
            return set(self.tasks)
        found = {index for index in self.tasks if word in (str(index), self.task_name(index))}
        if not found:
            raise gdb.GdbError(f"no task {word}: see info tasks")
        return found

    def describe(self, page):
        """An object by what it is to a person."""
        kind = self.type_of(page)
        if kind == "port":
            return f"port {page} of {self.task_name(self.receiver_of(page))}"
        if kind == "task":
            return f"task {self.object(page, 'gemel::Task')['name'].string()}"
        if kind == "thread":
            thread = self.object(page, "gemel::Thread")
            return f"thread {int(thread['id'])} of {thread['task'].dereference()['name'].string()}"
        return f"{kind} {page}" if kind == "region" else kind

    def receiver_of(self, page):
        """The task that receives: who was last given the right, or, without one, who paid for the port."""
        port = self.object(page, "gemel::Port")
        row = self.kernel["rows_"][int(port["receiver"])]
        holds = int(row["generation"]) == int(port["receiver_generation"]) and int(row["owner"])
        return int(row["owner"]) if holds else int(self.kernel["pages_"][page]["owner"])

    def words(self, physical):
        memory = gdb.selected_inferior().read_memory(self.arena + physical, PAGE_BYTES).tobytes()
        return memoryview(memory).cast("Q")

    def mappings(self, task):
        """(address, entry) of every region that the task's tables link."""
        found = []

        def walk(physical, shift, base):
            for index, entry in enumerate(self.words(physical)):
                if not entry & PRESENT:
                    continue
                address = base | index << shift
                if shift == REGION_SHIFT:
                    found.append((address, entry))
                else:
                    walk(entry & TARGET, shift - 9, address)

        walk(int(task["root"]), 39, 0)
        return found


def waiting(port):
    """Who waits at a port, by thread number."""
    numbers, head = [], port["queue"]
    kind, link = gdb.lookup_type("gemel::Thread").pointer(), head["next"]
    while int(link) != int(head.address) and len(numbers) < 1024:  # a circle through the head
        thread = link.cast(kind).dereference()
        numbers.append(f"{int(thread['id'])} ({last_name(thread['state'])})")
        link = thread["next"]
    return ", ".join(numbers) or "-"


class Listing(gdb.Command):
    """One `info` command over the kernel's books."""

    def __init__(self, name, show):
        self.__doc__ = show.__doc__
        self.show = show
        super().__init__(f"info {name}", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        books = Books()
        self.show(books, books.chosen(argument.strip()))


def show_ports(books, tasks):
    """info ports [TASK]: the ports that these tasks receive from, and those that nobody does."""
    pages = {int(row["object"]) for _, row in books.rows() if books.type_of(int(row["object"])) == "port"}
    print(f"{'Port':>6} {'Receiver':<12} {'Ring':>4} {'Signals':<18} Waiting threads")
    for page in sorted(pages):
        port = books.object(page, "gemel::Port")
        owner = books.receiver_of(page)
        if owner in tasks or (owner == 0 and len(tasks) == len(books.tasks)):
            signals = f"{int(port['notification']):#x}"
            print(f"{page:>6} {books.task_name(owner):<12} {int(port['ring_count']):>4} {signals:<18} {waiting(port)}")


def show_caps(books, tasks):
    """info caps [TASK]: every capability: row, holder, object, badge, from which row it was derived, rights."""
    print(f"{'Row':>6} {'Holder':<12} {'Object':<28} {'Badge':<18} {'From':>6} Rights")
    for index, row in books.rows():
        owner = int(row["owner"])
        if owner in tasks:
            object_text = books.describe(int(row["object"]))
            parent = int(row["parent"]) or "-"
            print(
                f"{index:>6} {books.task_name(owner):<12} {object_text:<28} {int(row['badge']):<#18x} {parent:>6}"
                f" {rights_text(int(row['rights']))}"
            )


def show_regions(books, tasks):
    """info regions [TASK]: every mapping: task, address, pages, access, and the region's own page."""
    print(f"{'Task':<12} {'Address':<18} {'Pages':>5} {'Access':<6} Region")
    for index in sorted(tasks):
        for address, entry in books.mappings(books.tasks[index]):
            leaf = entry & TARGET
            pages = sum(1 for word in books.words(leaf) if word & PRESENT)
            access = "r" + ("w" if entry & WRITABLE else "-") + ("-" if entry & NO_EXECUTE else "x")
            region = leaf // PAGE_BYTES - books.page_base
            print(f"{books.task_name(index):<12} {address:<#18x} {pages:>5} {access:<6} {region}")


# --- printers ---


class HandlePrinter:
    """A handle, and what it names while it does."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        handle = int(self.value["value_"])
        return describe_handle(handle) if handle else "no handle"


def describe_handle(handle):
    try:
        books = Books()
    except gdb.error:
        return f"handle {handle:#x}"
    except gdb.GdbError:
        return f"handle {handle:#x} (no system runs)"
    index = handle & HANDLE_INDEX
    if index >= int(books.kernel["row_count_"]):
        return f"handle {handle:#x} (forged: no row {index})"
    row = books.kernel["rows_"][index]
    if int(row["generation"]) != handle >> 32 or not int(row["owner"]):
        return f"handle {handle:#x} (stale)"
    holder = books.task_name(int(row["owner"]))
    return f"handle {handle:#x}: {books.describe(int(row['object']))}, {rights_text(int(row['rights']))}, held by {holder}"


class ResultPrinter:
    """A Result: its value, or the name of its error."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        if not int(self.value["ok_"]):
            return f"error {last_name(self.value['error_'])}"
        return "ok"

    def children(self):
        fields = [field.name for field in self.value.type.strip_typedefs().fields()]
        anonymous = [self.value[field] for field in self.value.type.strip_typedefs().fields() if field.name is None]
        if int(self.value["ok_"]) and ("value_" in fields or anonymous):
            try:
                yield "value", self.value["value_"]
            except gdb.error:  # Result<void>
                return


CALLS = ("?", "port_allocate", "port_send", "port_receive", "vm_allocate", "vm_deallocate", "cap_move", "sched_spawn",
         "sched_yield", "sched_switch", "time", "debug_print", "signal")  # core/abi/call.hpp


class RegistersPrinter:
    """The registers of a system call: before it, which call; after it, how it ended."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        number = int(self.value["number"])
        name = CALLS[number & 0xFF] if number < 1 << 63 and (number & 0xFF) < len(CALLS) else "status"
        words = " ".join(f"{int(self.value['words'][i]):#x}" for i in range(8))
        return f"{name} {number:#x}, words {words}, port {int(self.value['port']):#x}"


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("gemel")
    collection.add_printer("Handle", "^gemel::Handle$", HandlePrinter)
    collection.add_printer("Result", "^gemel::Result<.*>$", ResultPrinter)
    collection.add_printer("Registers", "^gemel::arch::Registers$", RegistersPrinter)
    return collection


gdb.printing.register_pretty_printer(None, printers(), replace=True)
Listing("ports", show_ports)
Listing("caps", show_caps)
Listing("regions", show_regions)
