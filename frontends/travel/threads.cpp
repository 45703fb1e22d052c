#include "frontends/travel/threads.hpp"

#include <gemel/hosted/system.hpp>

#include <algorithm>

namespace gemel::travel {

namespace {

constexpr u64 jump_bytes_max = 64; // of jump_fcontext behind the switch

u64 address_in(void const* pointer)
{
    return reinterpret_cast<u64>(pointer);
}

// What is written there may be anything.
std::string printable(Name const& name)
{
    std::string text { name, ::strnlen(name, sizeof name) };
    for (auto& letter : text)
        if (letter < ' ' || letter > '~')
            letter = '?';
    return text;
}

} // namespace

Threads::Threads(Tracee const& process)
    : process_(process)
    , registers_(process.registers())
    , in_task_code_(process.get<bool>(address_in(hosted::in_task_word())))
{
    if (process.get<u64>(address_in(hosted::running_word())) != 0)
        read_table();
    if (entries_.empty()) {
        live_ = 1;
        return;
    }
    live_ = owner_of(registers_.rsp);
    if (live_ != machine_id || !in_task_code_)
        return;
    // The handler of a signal has a stack of its own: it is of whoever was interrupted.
    auto const cpu = process_.get<Cpu>(address_in(&const_cast<Kernel&>(kernel()).cpu()));
    for (auto const& entry : entries_)
        if (entry.address == address_in(cpu.current))
            live_ = entry.thread.id;
}

void Threads::read_table()
{
    kernel_.resize(sizeof(Kernel));
    if (process_.read(arch::Machine::kernel_address, kernel_) != kernel_.size())
        return;
    for (u32 id = 1; id < threads_max; ++id) {
        auto const address = address_in(kernel().thread(id));
        if (address == 0)
            continue;
        Entry entry { address, process_.get<Thread>(address) };
        if (entry.thread.id == id) // else it is about to begin, or to end
            entries_.push_back(std::move(entry));
    }
}

std::vector<u32> Threads::ids() const
{
    std::vector<u32> ids;
    for (auto const& entry : entries_)
        ids.push_back(entry.thread.id);
    if (!find(live_))
        ids.push_back(live_);
    return ids;
}

Threads::Entry const* Threads::find(u32 id) const
{
    for (auto const& entry : entries_)
        if (entry.thread.id == id)
            return &entry;
    return nullptr;
}

bool Threads::contains(u32 id) const
{
    return id == live_ || find(id);
}

// On its own stack, which lies within one region, or on that which it gets amid a fault.
bool Threads::has_stack_at(Entry const& entry, u64 pointer) const
{
    auto const top = entry.thread.frame.stack_pointer();
    auto const low = align_down<u64>(top - 1, region_bytes_max);
    return (low <= pointer && pointer <= top)
        || pointer - arch::fault_stack_of(entry.thread.id) <= arch::fault_stack_bytes;
}

// Of several stacks in one region, the one that begins next above.
u32 Threads::owner_of(u64 stack_pointer) const
{
    Entry const* best = nullptr;
    for (auto const& entry : entries_)
        if (has_stack_at(entry, stack_pointer)
            && (!best || entry.thread.frame.stack_pointer() < best->thread.frame.stack_pointer()))
            best = &entry;
    return best ? best->thread.id : machine_id;
}

// A thread that was on the processor an instant ago stands where jump_fcontext left it, which the
// next one is still to write down (arch/hosted/src/system.cpp, arrive()).
u64 Threads::context_of(Entry const& entry) const
{
    auto const& fiber = entry.thread.frame.fiber;
    auto const inside = address_in(&fiber) - address_in(&entry.thread);
    auto const there = entry.address + inside;
    auto const begin = hosted::switch_begin();
    auto const in_jump = begin != 0 && registers_.rip - begin < jump_bytes_max;
    auto const passage = in_jump ? registers_.rsi : registers_.rdx;
    auto const told = passage == there || process_.get<u64>(passage) == there;
    if (!in_task_code_ && told && has_stack_at(entry, registers_.rax))
        return registers_.rax;
    return address_in(fiber.context);
}

std::optional<hosted::SavedContext> Threads::saved(u32 id) const
{
    auto const* entry = find(id);
    if (!entry || id == live_)
        return std::nullopt;
    if (auto const context = context_of(*entry))
        return process_.get<hosted::SavedContext>(context);
    auto frame = entry->thread.frame;
    hosted::SavedContext first;
    first.rip = frame.instruction_pointer();
    return first;
}

u64 Threads::stack_of(u32 id) const
{
    auto const* entry = find(id);
    if (!entry || id == live_)
        return registers_.rsp;
    auto const context = context_of(*entry);
    // As if it had been called, where it has not begun.
    return context != 0 ? context + sizeof(hosted::SavedContext)
                        : entry->thread.frame.stack_pointer() - sizeof(u64);
}

std::optional<Passage> Threads::ahead(u32 id) const
{
    auto const* entry = find(id);
    auto const context = saved(id);
    if (!context)
        return std::nullopt;
    if (context_of(*entry) != 0)
        return Passage { context->rip, stack_of(id), stack_of(id) };
    auto const top = entry->thread.frame.stack_pointer();
    return Passage { context->rip, align_down<u64>(top - 1, region_bytes_max), top };
}

std::optional<Passage> Threads::behind(u32 id) const
{
    auto const* entry = find(id);
    auto const context = saved(id);
    if (!context || context_of(*entry) == 0 || hosted::is_first(*context)
        || hosted::switch_begin() == 0)
        return std::nullopt;
    auto const stack = context_of(*entry);
    return Passage { hosted::switch_begin(), stack, stack };
}

// --- words ---

std::string Threads::task_name(u32 index) const
{
    auto const address = address_in(kernel().task(index));
    return address == 0 ? "nobody" : printable(process_.get<Task>(address).name);
}

std::string Threads::receiver_name(Thread const& thread) const
{
    auto const port = process_.get<Port>(address_in(thread.waits_on));
    auto const rows = kernel().rows();
    if (port.receiver >= rows.size())
        return "nobody";
    auto const row = process_.get<Row>(address_in(rows.data()) + port.receiver * sizeof(Row));
    return row.generation == port.receiver_generation ? task_name(row.owner) : "nobody";
}

std::string Threads::name(u32 id) const
{
    auto const* entry = find(id);
    if (!entry)
        return "machine";
    auto const own = printable(entry->thread.name);
    auto const task = printable(process_.get<Task>(address_in(entry->thread.task)).name);
    return own.empty() || own == task ? task : task + "/" + own;
}

std::string Threads::state(u32 id) const
{
    auto const* entry = find(id);
    if (!entry)
        return entries_.empty() ? "no system runs" : "the machine's own stack";
    auto const& thread = entry->thread;
    switch (thread.state) {
    case ThreadState::stopped:
        return "stopped";
    case ThreadState::ready:
        return "ready";
    case ThreadState::running:
        if (kernel().cpu_count() > 1)
            return "running on processor " + std::to_string(thread.cpu);
        return id == live_ ? "running" : "runs next";
    case ThreadState::receiving:
        return "receiving";
    case ThreadState::calling:
        return "calling " + receiver_name(thread);
    case ThreadState::awaiting_reply:
        return "awaiting a reply of " + task_name(thread.reply_owner);
    }
    return "in no state";
}

} // namespace gemel::travel
