#include "tests/model/kernel_fixture.hpp"

#include <cstring>
#include <map>

namespace gemel {

KernelFixture::KernelFixture(u64 memory_bytes, u32 cpus)
    : machine(memory_bytes)
    , kernel(machine)
{
    machine.use_virtual_time(now_ns);
    MemoryRange const memory[] = { { arch::Machine::first_physical, memory_bytes } };
    BootInfo info;
    info.memory = memory;
    info.init_entry = 1;
    info.cpus = cpus;
    if (kernel.boot(info))
        startup = reinterpret_cast<Startup const*>(current().frame.argument());
}

void KernelFixture::on_processor(u32 number)
{
    machine.turn_to(number);
    kernel.cpu_ = &kernel.cpus_[number];
}

void KernelFixture::load(u64 const* words, u64 number, u64 port)
{
    auto& frame = current().frame;
    std::memcpy(frame.words(), words, 8 * sizeof(u64));
    frame.port() = port;
    frame.status() = number;
}

// Who meets a dead capability tells its watcher; a send before a receive stands when the receive
// ends in time.
bool KernelFixture::may_change(u64 number)
{
    if (status() == status_of(Error::revoked) || status() == status_of(Error::dead))
        return true;
    return status() == status_of(Error::timed_out)
        && (number >> 8 & static_cast<u8>(ReceiveFlag::send_first)) != 0;
}

void KernelFixture::enter()
{
    auto const checked = failures_checked_every != 0 && calls_++ % failures_checked_every == 0;
    auto const before = checked ? facts() : Facts {};
    auto const number = status();
    auto const* caller = &current();
    kernel.on_system_call();
    if (checked && &current() == caller && status() >> 32 == 0xFFFF'FFFF && !may_change(number)) {
        auto const changed = difference(before, facts());
        if (!changed.empty())
            changed_by_failure_ = changed + " was changed by a call that failed, number "
                + std::to_string(number) + ", status " + std::to_string(status() & 0xFF);
    }
    while (machine.interrupt_pending())
        kernel.on_interrupt(machine.take_interrupt());
}

void KernelFixture::trap(u64 const* words, u64 number, u64 port)
{
    load(words, number, port);
    enter();
}

void KernelFixture::load(std::initializer_list<u64> words, u64 number, u64 port)
{
    u64 all[8] = {};
    unsigned i = 0;
    for (auto const word : words)
        all[i++] = word;
    load(all, number, port);
}

void KernelFixture::trap(std::initializer_list<u64> words, u64 number, u64 port)
{
    load(words, number, port);
    enter();
}

void KernelFixture::load(u64 broker, Operation operation, std::initializer_list<u64> arguments)
{
    u64 all[8] = { broker, static_cast<u64>(operation) };
    unsigned i = 2;
    for (auto const word : arguments)
        all[i++] = word;
    load(all, static_cast<u64>(Call::port_receive) | static_cast<u64>(ReceiveFlag::call) << 8);
}

void KernelFixture::operate(u64 broker, Operation operation, std::initializer_list<u64> arguments)
{
    load(broker, operation, arguments);
    enter();
}

u64 KernelFixture::capability(char const* name)
{
    for (u32 i = 0; i < startup->capability_count; ++i)
        if (std::strcmp(startup->capabilities[i].name, name) == 0)
            return startup->capabilities[i].handle;
    return 0;
}

std::string KernelFixture::audit()
{
    auto wrong = changed_by_failure_.empty() ? audit_rows() : changed_by_failure_;
    if (wrong.empty())
        wrong = audit_pages();
    if (wrong.empty())
        wrong = audit_threads();
    return wrong;
}

std::string KernelFixture::audit_rows()
{
    auto const rows = kernel.rows();
    std::map<u32, u32> children;
    u32 used = 0;
    for (u32 i = 1; i < rows.size(); ++i) {
        auto const& row = rows[i];
        if (row.owner == 0)
            continue;
        ++used;
        if (!kernel.task(row.owner))
            return "row " + std::to_string(i) + " belongs to no task";
        if (row.parent == 0 || rows[row.parent].epoch != row.parent_epoch)
            continue;
        auto const& parent = rows[row.parent];
        ++children[row.parent];
        auto const may = parent.rights | static_cast<Rights>(Right::send_once)
            | (has(parent.rights, Right::send) ? static_cast<Rights>(Right::call) : 0);
        if (row.rights & ~may)
            return "row " + std::to_string(i) + " has rights its parent lacks";
        if (row.object != parent.object || row.depth != parent.depth + 1)
            return "row " + std::to_string(i) + " does not fit its parent";
    }
    for (u32 i = 1; i < rows.size(); ++i)
        if (rows[i].owner != 0 && rows[i].children != children[i])
            return "row " + std::to_string(i) + " counts its children wrongly";
    if (used + kernel.free_rows() + 1 != rows.size())
        return "rows are lost";
    return {};
}

std::string KernelFixture::audit_pages()
{
    u32 free = 0;
    std::map<u16, u32> paid;
    for (auto const& page : kernel.pages()) {
        free += page.use == PageUse::free;
        if (page.use != PageUse::free && page.use != PageUse::reserved)
            ++paid[page.owner];
    }
    if (free != kernel.free_pages())
        return "free pages are miscounted";
    for (auto const& [task, pages] : paid)
        if (!kernel.task(task))
            return std::to_string(pages) + " pages are paid for by task " + std::to_string(task)
                + ", which is none";
    for (u16 i = 1; i < tasks_max; ++i) {
        auto const* task = kernel.task(i);
        if (!task)
            continue;
        if (!kernel.task(task->creator))
            return "task " + std::to_string(i) + "'s creator is gone";
        u32 given = 0;
        for (u16 k = 1; k < tasks_max; ++k)
            if (auto const* child = kernel.task(k); child && child->creator == i)
                given += child->pages_quota;
        u32 rows_given = 0;
        for (u16 k = 1; k < tasks_max; ++k)
            if (auto const* child = kernel.task(k); child && child->creator == i)
                rows_given += child->rows_quota;
        u32 rows_held = 0;
        for (auto const& row : kernel.rows())
            rows_held += row.owner == i;
        if (task->rows + rows_held + rows_given != task->rows_quota)
            return "task " + std::to_string(i) + "'s rows do not balance";
        if (task->pages + paid[i] + given != task->pages_quota)
            return "task " + std::to_string(i) + "'s pages do not balance";
    }
    return {};
}

std::string KernelFixture::audit_threads()
{
    u32 running = 0;
    for (u32 id = 1; id < threads_max; ++id) {
        auto const* thread = kernel.thread(id);
        if (!thread)
            continue;
        running += thread->state == ThreadState::running;
        auto const queued
            = thread->state == ThreadState::receiving || thread->state == ThreadState::calling;
        if (!queued)
            continue;
        bool found = false;
        bool receivers = false;
        bool callers = false;
        for (auto const* at = thread->waits_on->first; at; at = at->next) {
            found |= at == thread;
            receivers |= at->state == ThreadState::receiving;
            callers |= at->state == ThreadState::calling;
        }
        if (!found)
            return "thread " + std::to_string(id) + " waits in no queue";
        if (receivers && callers)
            return "receivers and callers wait on one port";
        if (receivers && (thread->waits_on->ring_count != 0 || thread->waits_on->notification != 0))
            return "a receiver sleeps beside a message";
    }
    u32 busy = 0;
    for (u32 number = 0; number < kernel.cpu_count(); ++number) {
        auto const* current = kernel.cpu(number).current;
        busy += current && current->state == ThreadState::running;
    }
    return running == busy ? std::string {} : "not every thread that runs has a processor";
}

} // namespace gemel
