#include "servers/init/process_table.hpp"

#include "servers/rt/start.hpp"
#include "servers/rt/text.hpp"

namespace gemel::init {

namespace {

constexpr u8 fault_status = 128 + 11;

std::string_view fault_name(u64 tag)
{
    switch (static_cast<FaultKind>(tag >> 16 & 0xFF)) {
    case FaultKind::page:
        return "memory fault";
    case FaultKind::illegal_instruction:
        return "illegal instruction";
    case FaultKind::arithmetic:
        return "arithmetic fault";
    case FaultKind::breakpoint:
        return "breakpoint";
    case FaultKind::alignment:
        return "misaligned access";
    case FaultKind::other:
        return "fault";
    }
    return "fault";
}

} // namespace

Result<ProcessTable::Number> ProcessTable::launch(Launch launch, EndHandler ended)
{
    if (processes_.size() == processes_max)
        return Error::too_big;
    auto const number = next_;
    auto fault_port = TRY(port_.badged(badge_bit | number, Right::call | Right::derive));
    auto name = launch.name;
    auto const held = launch.held;
    auto task = TRY(loader_.load(std::move(launch), std::move(fault_port)));
    if (!held)
        TRY(task.run());
    ++next_;
    processes_.emplace(
        number, Process { std::move(task), std::move(name), std::move(ended), held });
    return number;
}

Result<void> ProcessTable::let_go(Number number)
{
    auto const found = processes_.find(number);
    if (found == processes_.end() || !std::exchange(found->second.held, false))
        return Error::unavailable;
    auto const ran = found->second.task.run();
    // The scheduler may have begun and stopped it: then it is the scheduler's to go on with.
    return ran || ran.error() == Error::not_runnable ? Result<void>() : ran;
}

void ProcessTable::kill(Number number, u8 status)
{
    end(number, { EndReason::killed, status, std::nullopt });
}

u32 ProcessTable::task_of(Number number) const
{
    auto const found = processes_.find(number);
    return found == processes_.end() ? 0 : found->second.task.id();
}

Result<Handle> ProcessTable::thread_of(Number number) const
{
    auto const found = processes_.find(number);
    if (found == processes_.end())
        return Error::unavailable;
    return found->second.task.thread().derive(Right::write | Right::derive);
}

void ProcessTable::run_all(SchedBroker const& scheduling)
{
    for (auto& [number, process] : processes_) {
        (void)scheduling.thread_affinity(process.task.thread(), SchedBroker::every_processor);
        if (!process.held)
            (void)process.task.run(); // refused unless it was stopped
    }
}

void ProcessTable::end(Number number, ProcessEnd const& how)
{
    auto found = processes_.extract(number);
    if (!found)
        return;
    auto ended = std::move(found.mapped().ended);
    found = {}; // the task is gone before anybody hears of it
    if (told_)
        told_(number);
    ended(how);
}

void ProcessTable::report_fault(Process const& process, u64 tag, system::Words const& words) const
{
    auto const kind = fault_name(tag);
    auto line = concatenate("gemel: ", process.name, " (task ", process.task.id(), "): ", kind);
    if (static_cast<FaultKind>(tag >> 16 & 0xFF) == FaultKind::page)
        line += concatenate(" at ", Hexadecimal { words[1] });
    line += concatenate(", instruction ", Hexadecimal { words[0] });
    if (auto const offset = process.task.in_file(words[0])) // what addr2line takes
        line += concatenate(" (", process.name, '+', Hexadecimal { *offset }, ')');
    line += concatenate(", code ", Hexadecimal { words[2] }, "\n");
    system::debug_print(line);
}

std::optional<ProcessTable::Number> ProcessTable::page_fault_of(KernelMessage const& message)
{
    constexpr auto page_fault
        = static_cast<u64>(KernelTag::fault) | u64 { static_cast<u8>(FaultKind::page) } << 16;
    if ((message.badge & badge_bit) == 0 || (message.tag & 0xFF'FFFF) != page_fault)
        return std::nullopt;
    return message.badge & ~badge_bit;
}

Result<ProcessTable::Number> ProcessTable::owner_of(Handle const& task) const
{
    auto const info = TRY(task.inspect());
    if (info.type != ObjectType::task)
        return Error::invalid;
    for (auto const& [number, process] : processes_) {
        if (process.task.is(info.object))
            return number;
    }
    return Error::invalid;
}

Result<PagedRange> ProcessTable::paged_range(Number number) const
{
    auto const found = processes_.find(number);
    if (found == processes_.end())
        return Error::dead;
    auto const end = found->second.task.end();
    return PagedRange { end - paged_bytes, end };
}

void ProcessTable::end_unmended(Number number, u64 address, std::string_view why)
{
    auto const found = processes_.find(number);
    if (found == processes_.end())
        return;
    auto const& process = found->second;
    system::debug_print(concatenate("gemel: ", process.name, " (task ", process.task.id(),
        "): no memory at ", Hexadecimal { address }, ": ", why, "\n"));
    end(number, { EndReason::faulted, fault_status, std::nullopt });
}

bool ProcessTable::on_message(KernelMessage const& message)
{
    auto const& [badge, tag, words] = message;
    auto const operation = tag & 0xFFFF;
    bool const exit = operation == static_cast<u64>(KernelTag::exit);
    bool const fault = operation == static_cast<u64>(KernelTag::fault);
    if ((badge & badge_bit) == 0 || (!exit && !fault))
        return false;
    auto const number = badge & ~badge_bit;
    auto const found = processes_.find(number);
    if (found == processes_.end())
        return true;
    if (fault)
        report_fault(found->second, tag, words);
    ProcessEnd how { fault ? EndReason::faulted : EndReason::exited, fault_status, std::nullopt };
    if (exit) {
        if (words[0] == exit_smashed)
            system::debug_print(concatenate("gemel: ", found->second.name, " (task ",
                found->second.task.id(), "): stack smashing detected\n"));
        how.status = static_cast<u8>(words[0]);
        if (words[1] != 0)
            how.error = static_cast<Error>(words[1]);
    }
    end(number, how);
    return true;
}

} // namespace gemel::init
