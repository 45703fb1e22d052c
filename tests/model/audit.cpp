// The kernel's books, counted again from the tables themselves: whatever is kept twice must agree,
// every page in use must be somebody's, and nobody may wait for what has come.
#include "tests/model/kernel_fixture.hpp"

#include <cstring>

namespace gemel {

namespace {

std::string text(char const* what, u64 number)
{
    return std::string(what) + " " + std::to_string(number);
}

constexpr u16 legal_access[] = {
    static_cast<u16>(VmFlag::read),
    static_cast<u16>(VmFlag::read) | static_cast<u16>(VmFlag::write),
    static_cast<u16>(VmFlag::read) | static_cast<u16>(VmFlag::execute),
};

bool is_empty(u64 const* leaf)
{
    for (u32 i = 0; i < region_pages_max; ++i)
        if (leaf[i] != 0)
            return false;
    return true;
}

bool waits(ThreadState state)
{
    return state == ThreadState::receiving || state == ThreadState::calling
        || state == ThreadState::awaiting_reply;
}

} // namespace

// The books of one moment, and the first thing that is wrong in them.
class KernelFixture::Audit {
public:
    Audit(KernelFixture& fixture, Scratch& scratch)
        : kernel_(fixture.kernel)
        , machine_(fixture.machine)
        , scratch_(scratch)
    {
    }

    std::string run();

private:
    // Rows and pages are first taken in ascending order: behind the first that nobody ever had,
    // nobody had one.
    void see_how_far();
    void rows();
    void row(u32 index);
    void pages();
    void page(u32 number);
    void tables(u16 task, u64* table, unsigned shift);
    void leaf(u32 number);
    void quotas();
    void free_list();
    void threads();
    void thread(Thread const& thread);
    void queue(Thread const& thread);
    void processors();
    void processor(Cpu const& cpu);
    void idle_processors();

    void wrong(std::string what)
    {
        if (wrong_.empty())
            wrong_ = std::move(what);
    }
    u32 number_at(u64 entry)
    {
        return kernel_.number_of(machine_.at_physical(machine_.entry_target(entry)));
    }

    Kernel& kernel_;
    arch::Machine& machine_;
    Scratch& scratch_;
    std::string wrong_;
};

std::string KernelFixture::Audit::run()
{
    see_how_far();
    rows();
    pages();
    quotas();
    threads();
    processors();
    return wrong_;
}

void KernelFixture::Audit::see_how_far()
{
    auto& s = scratch_;
    while (s.rows_end < kernel_.row_count_
        && (kernel_.rows_[s.rows_end].owner != 0 || kernel_.rows_[s.rows_end].generation != 1))
        ++s.rows_end;
    while (s.pages_end < kernel_.page_count_
        && (kernel_.pages_[s.pages_end].use != PageUse::free
            || kernel_.pages_[s.pages_end].generation != 0))
        ++s.pages_end;
    s.children.assign(s.rows_end, 0);
    s.links.assign(s.pages_end, 0);
    s.held.assign(s.pages_end, 0);
    s.named.assign(s.pages_end, 0);
    s.reached.assign(s.pages_end, 0);
    s.owned.fill({});
}

// --- capabilities ---

void KernelFixture::Audit::rows()
{
    u32 used = 0; // or used up
    for (u32 i = 1; i < scratch_.rows_end; ++i)
        if (kernel_.rows_[i].owner != 0) {
            ++used;
            row(i);
        } else {
            used += kernel_.rows_[i].generation == handle_generation_max
                || kernel_.rows_[i].epoch == row_epoch_max;
        }
    for (u32 i = 1; i < scratch_.rows_end; ++i)
        if (kernel_.rows_[i].owner != 0 && kernel_.rows_[i].children != scratch_.children[i])
            wrong(text("row", i) + " counts its children wrongly");
    if (used + kernel_.free_rows_ + 1 != kernel_.row_count_)
        wrong("rows are lost");
}

void KernelFixture::Audit::row(u32 index)
{
    auto const& row = kernel_.rows_[index];
    if (row.owner >= tasks_max || !kernel_.tasks_[row.owner])
        return wrong(text("row", index) + " belongs to no task");
    ++scratch_.owned[row.owner].rows;
    if (row.parent == 0) {
        if (kernel_.pages_[row.object].generation == row.object_generation)
            ++scratch_.named[row.object];
        return;
    }
    auto const& parent = kernel_.rows_[row.parent];
    if (parent.epoch != row.parent_epoch)
        return; // revoked: found so at its next use
    ++scratch_.children[row.parent];
    if (parent.owner == 0)
        return wrong(text("row", index) + " lives below a free one");
    auto const may = parent.rights | static_cast<Rights>(Right::send_once)
        | (has(parent.rights, Right::send) ? static_cast<Rights>(Right::call) : 0);
    if (row.rights & ~may)
        wrong(text("row", index) + " has rights its parent lacks");
    if (row.object != parent.object || row.depth != parent.depth + 1 || row.depth > row_depth_max)
        wrong(text("row", index) + " does not fit its parent");
}

// --- memory ---

void KernelFixture::Audit::pages()
{
    for (u16 i = 1; i < tasks_max; ++i)
        if (auto const* task = kernel_.tasks_[i]) {
            auto const number = kernel_.number_of(machine_.at_physical(task->root));
            ++scratch_.reached[number];
            tables(i, static_cast<u64*>(kernel_.page_at(number)), 39);
        }
    u32 free = kernel_.page_count_ - scratch_.pages_end;
    u32 zombies = 0;
    for (u32 i = 1; i < scratch_.pages_end; ++i) {
        auto const& info = kernel_.pages_[i];
        free += info.use == PageUse::free;
        zombies += info.use == PageUse::zombie_leaf;
        if (info.use != PageUse::free && info.use != PageUse::reserved && info.owner < tasks_max)
            ++scratch_.owned[info.owner].pages;
        if (info.use == PageUse::object && info.type == ObjectType::region)
            leaf(i);
    }
    for (u32 i = 1; i < scratch_.pages_end; ++i)
        page(i);
    if (free != kernel_.free_pages_)
        wrong("free pages are miscounted");
    if (zombies != kernel_.zombie_leaves_)
        wrong("leaves that were cut are miscounted");
    if (scratch_.audits++ % 64 == 0)
        free_list();
}

// Every table of a task, and what its entries point at.
void KernelFixture::Audit::tables(u16 task, u64* table, unsigned shift)
{
    auto const entries = shift == 39 ? user_root_entries : u32 { 512 };
    for (u32 i = 0; i < entries; ++i) {
        if (table[i] == 0)
            continue;
        auto const number = number_at(table[i]);
        if (number >= scratch_.pages_end)
            return wrong(text("an entry points at page", number));
        if (shift == 21) {
            ++scratch_.links[number];
            bool legal = false;
            for (auto const flags : legal_access)
                legal |= table[i] == machine_.link_entry(machine_.entry_target(table[i]), flags);
            if (!legal)
                wrong(text("a mapping has access that is none, of page", number));
            continue;
        }
        auto const& info = kernel_.pages_[number];
        ++scratch_.reached[number];
        if (info.use != PageUse::table || info.owner != task)
            wrong(text("a table is none, page", number));
        if (shift == 30 && info.next != 0)
            ++scratch_.reached[info.next];
        tables(task, static_cast<u64*>(kernel_.page_at(number)), shift - 9);
    }
}

// A region's pages.
void KernelFixture::Audit::leaf(u32 number)
{
    if (kernel_.pages_[number].physical)
        return;
    auto const* entries = static_cast<u64 const*>(kernel_.page_at(number));
    for (u32 i = 0; i < region_pages_max; ++i) {
        if (entries[i] == 0)
            continue;
        auto const page = number_at(entries[i]);
        if (page >= scratch_.pages_end || kernel_.pages_[page].use != PageUse::data)
            return wrong(text("a region holds what is no memory, page", page));
        ++scratch_.held[page];
    }
}

// Every page in use is somebody's, once.
void KernelFixture::Audit::page(u32 number)
{
    auto const& info = kernel_.pages_[number];
    auto const links = scratch_.links[number];
    auto const mapped = info.use == PageUse::shared_leaf || info.use == PageUse::zombie_leaf
        || (info.use == PageUse::object && info.type == ObjectType::region);
    if (links != 0 && !mapped)
        return wrong(text("tables point at what is no leaf, page", number));
    if (info.use != PageUse::free && info.use != PageUse::reserved
        && (info.owner >= tasks_max || !kernel_.tasks_[info.owner]))
        return wrong(text("nobody pays for page", number));
    bool right = true;
    switch (info.use) {
    case PageUse::free:
    case PageUse::reserved:
        return;
    case PageUse::table:
        right = scratch_.reached[number] == 1;
        break;
    case PageUse::data:
        right = info.links == scratch_.held[number] && info.links != 0;
        break;
    case PageUse::shared_leaf:
        right = info.links == links && links != 0 && kernel_.pages_[info.next].next == number
            && info.owner == kernel_.pages_[info.next].owner
            && std::memcmp(kernel_.page_at(number), kernel_.page_at(info.next), page_bytes) == 0;
        break;
    case PageUse::zombie_leaf:
        right = info.links == links && links != 0
            && is_empty(static_cast<u64 const*>(kernel_.page_at(number)));
        break;
    case PageUse::object:
        switch (info.type) {
        case ObjectType::port:
            right = scratch_.named[number] != 0;
            break;
        case ObjectType::region: // a name, or somebody who maps it
            right = info.links == links + (info.next != 0)
                && (scratch_.named[number] != 0 || (info.orphan != 0 && info.links != 0));
            break;
        case ObjectType::thread: {
            auto const* thread = static_cast<Thread const*>(kernel_.page_at(number));
            right = thread->id < threads_max && kernel_.threads_[thread->id] == thread;
            break;
        }
        case ObjectType::task: {
            auto const* task = static_cast<Task const*>(kernel_.page_at(number));
            right = task->index < tasks_max && kernel_.tasks_[task->index] == task
                && info.owner == task->creator;
            break;
        }
        case ObjectType::broker:
            right = number == kernel_.broker_object_;
            break;
        case ObjectType::none:
            right = false;
            break;
        }
        break;
    }
    if (!right)
        wrong(text("page", number) + text(" does not add up, use", static_cast<u64>(info.use))
            + text(" type", static_cast<u64>(info.type)) + text(" links", info.links)
            + text(" tables", links) + text(" named", scratch_.named[number]));
}

void KernelFixture::Audit::free_list()
{
    u32 count = 0;
    for (auto at = kernel_.page_free_; at != 0 && count <= kernel_.free_pages_; ++count) {
        if (at >= kernel_.page_count_ || kernel_.pages_[at].use != PageUse::free)
            return wrong(text("the free list holds page", at));
        at = kernel_.pages_[at].next;
    }
    if (count != kernel_.free_pages_)
        wrong("the free list has lost pages");
}

void KernelFixture::Audit::quotas()
{
    auto given = scratch_.given;
    given.fill({});
    u32 tasks = 0;
    for (u16 i = 1; i < tasks_max; ++i)
        if (auto const* task = kernel_.tasks_[i]) {
            ++tasks;
            if (task->index != i || !kernel_.tasks_[task->creator])
                return wrong(text("there is no creator of task", i));
            if (kernel_.tasks_[task->creator]->dead && !task->dead)
                wrong(text("a task lives on without its creator:", i));
            given[task->creator].pages += task->pages_quota;
            given[task->creator].rows += task->rows_quota;
            given[task->creator].threads += task->threads_quota;
        }
    if (tasks != kernel_.task_count_)
        wrong("tasks are miscounted");
    for (u32 id = 1; id < threads_max; ++id)
        if (auto const* thread = kernel_.threads_[id])
            ++scratch_.owned[thread->task->index].threads;
    for (u16 i = 1; i < tasks_max; ++i) {
        auto const* task = kernel_.tasks_[i];
        if (!task)
            continue;
        auto const& owned = scratch_.owned[i];
        if (task->rows + owned.rows + given[i].rows != task->rows_quota)
            wrong(text("task", i) + "'s rows do not balance");
        // Amid the reaping of its pages nobody pays for some.
        if (task->reap_cursor <= kernel_.row_count_
            && task->pages + owned.pages + given[i].pages != task->pages_quota)
            wrong(text("task", i) + "'s pages do not balance");
        if (task->threads + owned.threads + given[i].threads != task->threads_quota)
            wrong(text("task", i) + "'s threads do not balance");
    }
}

// --- threads ---

void KernelFixture::Audit::threads()
{
    u32 count = 0;
    for (u32 id = 1; id < threads_max; ++id)
        if (auto const* one = kernel_.threads_[id]) {
            ++count;
            thread(*one);
        }
    if (count != kernel_.thread_count_)
        wrong("threads are miscounted");
}

// Every wait ends: who waits stands in a port's queue, or a living task owes it an answer; and the
// clock is set for its deadline.
void KernelFixture::Audit::thread(Thread const& thread)
{
    auto const& cpu = kernel_.cpus_[thread.cpu];
    if (thread.task->dead && thread.state != ThreadState::stopped)
        wrong(text("a dead task's thread goes on:", thread.id));
    if (waits(thread.state) && thread.deadline_ns != 0
        && thread.deadline_ns < kernel_.next_deadline_ns_)
        wrong(text("nobody will look at the deadline of thread", thread.id));
    if (thread.root != thread.task->root)
        wrong(text("another address space is that of thread", thread.id));
    switch (thread.state) {
    case ThreadState::stopped:
        return;
    case ThreadState::running:
        if (cpu.current != &thread)
            wrong(text("no processor runs thread", thread.id));
        return;
    case ThreadState::ready: {
        bool found = false;
        auto const& ready = cpu.ready[thread.priority];
        for (auto const* at = ready.next; at != ready.end(); at = at->next)
            found |= at == &thread;
        if (!found || (thread.cpus >> thread.cpu & 1) == 0)
            wrong(text("in no queue that it may run from is thread", thread.id));
        return;
    }
    case ThreadState::awaiting_reply: {
        auto const* owner = kernel_.tasks_[thread.reply_owner];
        if (!owner || owner->dead)
            wrong(text("nobody can answer thread", thread.id));
        return;
    }
    case ThreadState::receiving:
    case ThreadState::calling:
        return queue(thread);
    }
}

void KernelFixture::Audit::queue(Thread const& thread)
{
    auto const* port = thread.waits_on;
    if (!port || kernel_.info_of(port).type != ObjectType::port)
        return wrong(text("it waits on what is no port: thread", thread.id));
    bool found = false;
    Link const* before = &port->queue;
    for (auto const* at = before->next; at != port->queue.end(); at = at->next) {
        found |= at == &thread;
        if (at->previous != before || at->state != thread.state)
            return wrong(text("a queue is broken at thread", static_cast<Thread const*>(at)->id));
        before = at;
    }
    if (!found || port->queue.previous != before)
        wrong(text("thread", thread.id) + " waits in no queue");
    if (thread.state == ThreadState::receiving
        && (port->ring_count != 0 || port->notification != 0))
        wrong("a receiver sleeps beside a message");
}

void KernelFixture::Audit::processors()
{
    for (u32 number = 0; number < kernel_.cpu_count_; ++number)
        processor(kernel_.cpus_[number]);
    idle_processors();
}

void KernelFixture::Audit::processor(Cpu const& cpu)
{
    for (u32 level = 0; level < priority_levels; ++level) {
        auto const& ready = cpu.ready[level];
        if (((cpu.ready_levels >> level & 1) != 0) == ready.empty())
            wrong(text("marked wrongly: level", level));
        Link const* before = &ready;
        for (auto const* at = ready.next; at != ready.end(); at = at->next) {
            auto const& thread = static_cast<Thread const&>(*at);
            if (thread.state != ThreadState::ready || thread.priority != level
                || thread.cpu != cpu.number || thread.previous != before)
                return wrong(text("it is in the ready queue, but should not: thread", thread.id));
            before = at;
        }
        if (ready.previous != before)
            wrong(text("a ready queue has lost its end: level", level));
    }
    if (!cpu.current && (cpu.loaded || cpu.root != 0))
        wrong(text("an idle one keeps a thread's state: processor", cpu.number));
    if (!cpu.current)
        return;
    if (cpu.current->cpu != cpu.number
        || (cpu.current->state != ThreadState::running
            && cpu.current->state != ThreadState::stopped))
        wrong(text("it is on a processor, but not running: thread", cpu.current->id));
    if (cpu.root != cpu.current->root || cpu.loaded != cpu.current)
        wrong(text("with another's state runs thread", cpu.current->id));
}

// A ready thread waits while a processor that it may use rests: somebody must have been told.
void KernelFixture::Audit::idle_processors()
{
    auto const called = machine_.take_called_cpus();
    u32 idle = 0;
    for (u32 number = 0; number < kernel_.cpu_count_; ++number) {
        if ((called >> number & 1) != 0)
            machine_.interrupt_cpu(number);
        idle |= (kernel_.cpus_[number].current ? 0u : 1u) << number;
    }
    if ((called & idle) != 0 || kernel_.cpu_count_ == 1)
        return; // it looks everywhere
    for (u32 id = 1; id < threads_max && idle != 0; ++id) {
        auto const* thread = kernel_.threads_[id];
        if (thread && thread->state == ThreadState::ready && (thread->cpus & idle) != 0)
            wrong(text("a processor rests beside thread", id));
    }
}

std::string KernelFixture::audit()
{
    return changed_by_failure_.empty() ? Audit(*this, scratch_).run() : changed_by_failure_;
}

} // namespace gemel
