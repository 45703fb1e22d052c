// The kernel's books, read at a kernel exit: every number that is kept twice is counted again.
#include "core/base/assert.hpp"

#include <gemel/hosted/inspector.hpp>

#include <algorithm>
#include <cstdio>

namespace gemel {

namespace {

using Lines = std::vector<std::string>;

constexpr usize wrong_max = 32; // more of the same tells nothing

template <typename... Arguments>
void say(Lines& lines, char const* format, Arguments... arguments)
{
    if (lines.size() >= wrong_max)
        return;
    char text[256];
    std::snprintf(text, sizeof text, format, arguments...);
    lines.emplace_back(text);
}

char const* name_of(ThreadState state)
{
    switch (state) {
    case ThreadState::stopped:
        return "stopped";
    case ThreadState::ready:
        return "ready";
    case ThreadState::running:
        return "running";
    case ThreadState::receiving:
        return "receiving";
    case ThreadState::calling:
        return "calling";
    case ThreadState::awaiting_reply:
        return "awaiting a reply";
    }
    return "in no state";
}

bool rights_narrow(Rights child, Rights parent)
{
    // What cap_derive lets through: send_once takes away, and send includes call.
    auto const allowed = static_cast<Rights>(parent | static_cast<Rights>(Right::send_once)
        | (has(parent, Right::send) ? static_cast<Rights>(Right::call) : 0));
    return (child & ~allowed) == 0;
}

struct Quota {
    char const* of;
    u32 Task::*left;
    u32 Task::*whole;
};

// What a task has left, has itself and has lent to those it made is its quota.
void audit_quota(Quota const& quota, Task* const (&tasks)[tasks_max], std::vector<u32> const& owned,
    Lines& wrong)
{
    for (u32 t = 1; t < tasks_max; ++t) {
        auto const* const task = tasks[t];
        if (!task)
            continue;
        u64 lent = 0;
        for (u32 c = 1; c < tasks_max; ++c)
            if (tasks[c] && tasks[c]->creator == t && c != t)
                lent += tasks[c]->*quota.whole;
        auto const left = task->*quota.left;
        auto const whole = task->*quota.whole;
        if (left + owned[t] + lent != whole)
            say(wrong, "task %u %s: %u %s left, %u its own, %llu lent, but a quota of %u", t,
                task->name, left, quota.of, owned[t], static_cast<unsigned long long>(lent), whole);
    }
}

} // namespace

u32 Inspector::ready(Thread* (&threads)[ready_max]) const
{
    u32 count = 0;
    auto const& cpu = *kernel_.cpu_;
    for (auto level = priority_levels; level-- > 0;)
        for (auto* at = cpu.ready[level].next; at != cpu.ready[level].end() && count < ready_max;
             at = at->next)
            threads[count++] = static_cast<Thread*>(at);
    return count;
}

void Inspector::run_instead(Thread& thread)
{
    auto* current = kernel_.cpu_->current;
    ASSERT(current && thread.state == ThreadState::ready);
    kernel_.unready(thread);
    kernel_.make_ready(*current);
    kernel_.run(thread);
}

bool Inspector::somebody_waits(u64 now_ns) const
{
    auto const* own = kernel_.cpu_;
    for (u32 number = 0; number < kernel_.cpu_count(); ++number) {
        auto const& cpu = kernel_.cpu(number);
        if (cpu.ready_levels != 0 || (&cpu != own && cpu.current))
            return true;
    }
    return kernel_.next_deadline_ns_ <= now_ns;
}

bool Inspector::is_free(void const* page) const
{
    auto const number
        = static_cast<usize>(static_cast<u8 const*>(page) - kernel_.memory_) / page_bytes;
    return number < kernel_.page_count_ && kernel_.pages_[number].use == PageUse::free;
}

void Inspector::audit_rows(Lines& wrong) const
{
    auto const rows = kernel_.rows();
    std::vector<u32> children(rows.size());
    u32 free = 0;
    for (u32 i = 1; i < rows.size(); ++i) {
        auto const& row = rows[i];
        if (row.owner == 0) {
            ++free;
            continue;
        }
        if (row.owner >= tasks_max || !kernel_.tasks_[row.owner])
            say(wrong, "row %u belongs to task %u, which is not there", i, row.owner);
        if (row.parent == 0)
            continue;
        if (row.parent >= rows.size()) {
            say(wrong, "row %u has a parent %u beyond the table", i, row.parent);
            continue;
        }
        auto const& parent = rows[row.parent];
        if (row.parent_epoch != parent.epoch)
            continue; // revoked: dead, found so at its next use
        ++children[row.parent];
        if (parent.owner == 0)
            say(wrong, "row %u lives below row %u, which is free", i, row.parent);
        if (row.depth != parent.depth + 1)
            say(wrong, "row %u is at depth %u below depth %u", i, row.depth, parent.depth);
        if (!rights_narrow(row.rights, parent.rights))
            say(wrong, "row %u has rights %x, its parent only %x", i, row.rights, parent.rights);
    }
    for (u32 i = 1; i < rows.size(); ++i)
        if (rows[i].owner != 0 && rows[i].children != children[i])
            say(wrong, "row %u counts %u children and has %u", i, rows[i].children, children[i]);
    if (free != kernel_.free_rows_)
        say(wrong, "%u rows are free, %u are counted", free, kernel_.free_rows_);
    audit_row_quotas(wrong);
}

void Inspector::audit_row_quotas(Lines& wrong) const
{
    std::vector<u32> owned(tasks_max);
    for (auto const& row : kernel_.rows())
        if (row.owner < tasks_max)
            ++owned[row.owner];
    audit_quota({ "rows", &Task::rows, &Task::rows_quota }, kernel_.tasks_, owned, wrong);
}

// A port's queue comes to its end, and leads back as it leads on.
void Inspector::audit_ports(Lines& wrong) const
{
    auto const pages = kernel_.pages();
    for (u32 i = 0; i < pages.size(); ++i) {
        if (pages[i].use != PageUse::object || pages[i].type != ObjectType::port)
            continue;
        auto const& port = *static_cast<Port const*>(kernel_.page_at(i));
        u32 steps = 0;
        auto const* at = static_cast<Link const*>(&port.queue);
        do {
            if (at->next->previous != at)
                say(wrong, "the queue of port %u does not lead back at place %u", i, steps);
            at = at->next;
        } while (at != port.queue.end() && ++steps <= threads_max);
        if (at != port.queue.end())
            say(wrong, "port %u has lost the end of its queue", i);
        if (port.ring_count > port_ring_messages)
            say(wrong, "port %u counts %u messages", i, port.ring_count);
    }
}

void Inspector::audit_pages(Lines& wrong) const
{
    auto const pages = kernel_.pages();
    std::vector<u32> owned(tasks_max);
    std::vector<u32> held(pages.size());
    u32 free = 0;
    for (u32 i = 0; i < pages.size(); ++i) {
        auto const& info = pages[i];
        free += info.use == PageUse::free;
        if (info.use == PageUse::free || info.use == PageUse::reserved)
            continue;
        if (info.owner < tasks_max)
            ++owned[info.owner];
        if (info.use != PageUse::object || info.type != ObjectType::region || info.physical)
            continue;
        auto const* leaf = static_cast<u64 const*>(kernel_.page_at(i));
        for (u32 k = 0; k < region_pages_max; ++k)
            if (leaf[k] != 0)
                ++held[kernel_.number_of(
                    kernel_.machine_.at_physical(kernel_.machine_.entry_target(leaf[k])))];
    }
    for (u32 i = 0; i < pages.size(); ++i)
        if (pages[i].use == PageUse::data && pages[i].links != held[i])
            say(wrong, "page %u counts %u holders and has %u", i, pages[i].links, held[i]);
    if (free != kernel_.free_pages_)
        say(wrong, "%u pages are free, %u are counted", free, kernel_.free_pages_);
    audit_quota({ "pages", &Task::pages, &Task::pages_quota }, kernel_.tasks_, owned, wrong);
}

void Inspector::audit_queues(Lines& wrong) const
{
    for (u32 number = 0; number < kernel_.cpu_count(); ++number)
        audit_queues_of(kernel_.cpu(number), wrong);
}

void Inspector::audit_queues_of(Cpu const& cpu, Lines& wrong) const
{
    for (u32 level = 0; level < priority_levels; ++level) {
        auto const marked = (cpu.ready_levels >> level & 1) != 0;
        if (marked == cpu.ready[level].empty())
            say(wrong, "level %u is marked %s", level, marked ? "ready" : "empty");
        u32 count = 0;
        for (auto const* at = cpu.ready[level].next; at != cpu.ready[level].end(); at = at->next) {
            auto const& thread = static_cast<Thread const&>(*at);
            if (thread.state != ThreadState::ready || thread.priority != level
                || ++count > threads_max) {
                say(wrong, "level %u holds thread %u, which is %s", level, thread.id,
                    name_of(thread.state));
                break;
            }
        }
    }
}

bool Inspector::runs_somewhere(Thread const& thread) const
{
    for (u32 number = 0; number < kernel_.cpu_count(); ++number)
        if (kernel_.cpu(number).current == &thread)
            return true;
    return false;
}

// Every wait ends: who waits stands in a live port's queue, or a live task owes it a reply.
void Inspector::audit_threads(Lines& wrong) const
{
    for (u32 id = 1; id < threads_max; ++id) {
        auto const* thread = kernel_.threads_[id];
        if (!thread)
            continue;
        if (thread->task->dead && thread->state != ThreadState::stopped)
            say(wrong, "thread %u of the dead task %s is %s", id, thread->task->name,
                name_of(thread->state));
        if (thread->state == ThreadState::awaiting_reply) {
            auto const* owner
                = thread->reply_owner < tasks_max ? kernel_.tasks_[thread->reply_owner] : nullptr;
            if (!owner || owner->dead)
                say(wrong, "thread %u of %s waits for a reply that task %u cannot give any more",
                    id, thread->task->name, thread->reply_owner);
        }
        if (thread->state == ThreadState::running && !runs_somewhere(*thread))
            say(wrong, "thread %u of %s runs nowhere", id, thread->task->name);
        if (thread->state != ThreadState::receiving && thread->state != ThreadState::calling)
            continue;
        auto const& info = kernel_.pages_[kernel_.number_of(thread->waits_on)];
        u32 steps = 0;
        auto const& queue = thread->waits_on->queue;
        auto const* at = queue.next;
        while (at != queue.end() && at != thread && ++steps <= threads_max)
            at = at->next;
        if (info.type != ObjectType::port || at != thread)
            say(wrong, "thread %u of %s waits in no port's queue", id, thread->task->name);
    }
}

Lines Inspector::audit() const
{
    Lines wrong;
    audit_rows(wrong);
    audit_pages(wrong);
    audit_threads(wrong);
    audit_queues(wrong);
    audit_ports(wrong);
    return wrong;
}

std::vector<Inspector::Holding> Inspector::holdings() const
{
    std::vector<Holding> all;
    for (u32 t = 1; t < tasks_max; ++t)
        if (auto const* task = kernel_.tasks_[t])
            all.push_back(
                { t, task->name, task->rows_quota - task->rows, task->pages_quota - task->pages });
    return all;
}

Lines Inspector::waits() const
{
    Lines lines;
    for (u32 id = 1; id < threads_max; ++id) {
        auto const* thread = kernel_.threads_[id];
        if (!thread || thread->state == ThreadState::stopped)
            continue;
        char text[160];
        auto length = std::snprintf(text, sizeof text, "thread %u %.15s: %s", id,
            thread->task->name, name_of(thread->state));
        auto const room = sizeof text - static_cast<usize>(length);
        if (thread->state == ThreadState::awaiting_reply) {
            auto const* owner = kernel_.tasks_[thread->reply_owner];
            std::snprintf(text + length, room, " of %.15s", owner ? owner->name : "nobody");
        } else if (thread->state == ThreadState::calling) {
            auto const* owner = kernel_.tasks_[kernel_.rows_[thread->waits_on->receiver].owner];
            std::snprintf(text + length, room, " %.15s", owner ? owner->name : "nobody");
        }
        lines.emplace_back(text);
    }
    return lines;
}

} // namespace gemel
