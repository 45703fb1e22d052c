"""Defects that the simulator has to find: what each is, where, and the workload in which it can show. The text is as in
tests/mutants: `<~statements~>` are left out by the plant, and `<<this||that>>` is an expression that becomes another."""
from typing import NamedTuple

MIX, KILL, CRASH, STEADY = "posix-mix", "server-kill", "fs-crash", "steady"
RACE, RIGHTS = "vfs-race", "rights-race"
PORT, MESSAGE, ROW, THREAD, PAGE, QUEUE = (
    "core/object/port.cpp", "core/syscall/message.cpp", "core/object/row.cpp", "core/object/thread.cpp",
    "core/object/page.cpp", "core/object/queue.hpp")
JOURNAL, TRANSACTION = "servers/ext4/journal_writer.cpp", "servers/ext4/transaction.cpp"
RECOVERY, FILES, NAMES = "servers/ext4/recovery.cpp", "servers/ext4/volume_files.cpp", "servers/ext4/volume_names.cpp"
SYNCS = "servers/ext4/waiting_syncs.cpp"
WRITER, ALLOCATOR = "servers/ext4/volume_writer.cpp", "servers/ext4/block_allocator.cpp"
PIPE, LOCK, OBJECTS = "servers/pipe/pipe.cpp", "servers/rt/lock.cpp", "servers/rt/object_server.cpp"
DEVICE = "servers/block/device.cpp"
CONSOLE, SUPERVISOR, MOUNT, OPEN = (
    "servers/console/console.cpp", "servers/init/supervisor.cpp", "servers/vfs/mount.cpp",
    "servers/vfs/open_files.cpp")


class Plant(NamedTuple):
    kind: str
    file: str
    text: str
    what: str
    workload: str


PLANTS = [
    # --- the order of writes ---
    Plant("missing flush", JOURNAL, "TRY(write_log());\n    <~TRY(device_->flush());~>\n    TRY(append_commit(now_ns));",
          "the commit block may be durable before what it commits", CRASH),
    Plant("missing flush", JOURNAL, "TRY(append_commit(now_ns));\n    TRY(write_log());\n    <~TRY(device_->flush());~>",
          "sync answers before the commit is durable", CRASH),
    Plant("missing flush", JOURNAL, "TRY(write_committed(journal_.disk(), *device_));\n    <~TRY(device_->flush());~>",
          "the log may be emptied before what it was carried out to is durable", CRASH),
    Plant("journal order", JOURNAL, "<~TRY(device.write(first * block_bytes, run));~>",
          "a checkpoint writes nothing back", CRASH),
    Plant("journal order", JOURNAL, "<~TRY(write_committed(journal_.disk(), *device_));~>\n    TRY(device_->flush());",
          "the log is emptied before it was carried out", CRASH),
    Plant("journal order", JOURNAL, "<~++sequence_;~>\n    transaction", "two transactions have one number", CRASH),
    Plant("journal order", JOURNAL, "if (tail_ == 0)\n        <~TRY(write_superblock(head_));~>",
          "the journal does not say that it has to be replayed", CRASH),
    Plant("journal order", WRITER, "TRY(sync());\n    return <<journal_ ? journal_->checkpoint() : Result<void> {}||Result<void> {}>>;",
          "a volume is said to be clean with its log full", CRASH),
    Plant("recovery order", RECOVERY, "<~TRY(copy_blocks(device, opening.super.block_bytes, plan, failing));~>",
          "recovery empties the journal without copying", CRASH),
    Plant("recovery order", RECOVERY, "<<failing.at(device.write(first * block_bytes, run), \"write block \", first)"
          "||Result<void> {}>>", "recovery loses its copies", CRASH),
    Plant("torn write", JOURNAL, "if (super_.has_tails())\n        <~format::store_be32(block, format::commit::checksum,"
          " journal_commit_checksum(super_, block));~>", "a commit block has no checksum", CRASH),
    Plant("early reuse", ALLOCATOR, "<~map.add_used(*TRY(load_committed_bitmap(disk_, number, BitmapKind::blocks)));~>",
          "blocks are used again before their freeing is durable", CRASH),
    Plant("revoke", TRANSACTION, "<~committed_.erase(node.key());~>", "the older copy of a block is kept", CRASH),
    Plant("stale sync", WRITER, "disk_.waiting().any())\n        return <<commit()||Result<void> {}>>;",
          "sync does nothing", CRASH),
    Plant("stale sync", SYNCS, "auto const done = <<sync(writer, what_)||Result<void> {}>>;",
          "who waits with others for a commit is answered without one", CRASH),
    Plant("leak", NAMES, "return <<inode.links == 0 ? evict(number) : Result<void>()||Result<void>()>>;",
          "a file without names is never freed", CRASH),
    Plant("orphan", NAMES, "<~TRY(orphans_.remove(inode));~>\n            inode.size_bytes = 0;",
          "a freed inode stays on the list of orphans", CRASH),
    Plant("stale data", FILES, "<~TRY(zero_bytes(disk_, inode, size, first * block_bytes));~>",
          "bytes behind a cut come back", CRASH),
    Plant("link count", NAMES, "<~++inode.links;~>\n        inode.changed", "a second name is not counted", CRASH),
    # --- waiting and waking ---
    Plant("lost wake-up", PIPE, "--(end == End::reader ? readers_ : writers_);\n    <~settle();~>",
          "the end of a pipe is not told to who waits for it", MIX),
    Plant("lost wake-up", PORT, "notified(*receiver, port);\n        <~make_ready(*receiver);~>",
          "a signalled receiver sleeps on", MIX),
    Plant("lost wake-up", LOCK, "if (port)\n        <~(void)system::signal(port, 1);~>",
          "who waits for a lock is not woken", MIX),
    Plant("lost wake-up", CONSOLE, "<~serve_readers();~>\n}\n\nvoid Console::receive()",
          "a waiting reader does not hear of a key", MIX),
    Plant("lost wake-up", DEVICE, "start(request);\n    finish();\n    <~queue_->ask_for(Queue::Interrupts::wanted);~>",
          "a disk that takes its time is never heard", MIX),
    Plant("deadlock", PIPE, "if (<<readers_ == 0||false>>) {", "a writer waits for readers that are gone", MIX),
    # --- use after, twice, and ABA ---
    Plant("reply token twice", MESSAGE, "|| <<reply_tokens_[id] != token||false>>)\n        fail",
          "an old reply token answers a later call", RIGHTS),
    Plant("use after revoke", ROW, "if (<<at->parent_epoch != parent->epoch||false>>)", "revocation is not seen", RIGHTS),
    Plant("use after end", PAGE, "auto const worn = <<++info.generation == page_generation_max||false>>;",
          "a capability outlives its object", RIGHTS),
    Plant("use after end", THREAD, "case ThreadState::calling:\n        <~thread.leave();~>",
          "a killed caller stays in its queue", KILL),
    Plant("order", QUEUE, "<~previous = &link;~>", "a queue loses its end", MIX),
    Plant("order", QUEUE, "<~next->previous = previous;~>",
          "who left stays the end of the queue", KILL),
    # --- books ---
    Plant("quota", ROW, "object_abandoned(row);\n    }\n    <~++tasks_[row.owner]->rows;~>", "a closed capability is not given back", MIX),
    Plant("quota", ROW, "--to.rows;\n    <~++tasks_[row.owner]->rows;~>", "a moved capability is not given back", MIX),
    Plant("quota", PAGE, "<~--payer.pages;~>", "a page costs nothing", MIX),
    Plant("leak", OBJECTS, "(info && <<info->children != 0||true>>)", "objects that nobody holds stay", STEADY),
    Plant("leak", OPEN, "<~--state->reserved;~>\n    if (!watched)", "a file that was opened stays reserved as well",
          STEADY),
    # --- atomicity and the ends of servers ---
    Plant("atomicity", MOUNT, "while (!connection->slots_used.compare_exchange_weak(used, <<used | 1u << index||used>>));",
          "two threads of the vfs share one slot", RACE),
    Plant("atomicity", SUPERVISOR, "<~stop_dependents(instance);~>\n    start_next();",
          "servers go on with a server that is gone", KILL),
    Plant("wrong error path", SUPERVISOR, "<~instance.mount_again = true;~>", "a mount that is refused once stays away",
          KILL),
]
