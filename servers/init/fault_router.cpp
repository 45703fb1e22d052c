#include "servers/init/fault_router.hpp"

#include "servers/init/task.hpp"

#include <gemel/arch/program.hpp>

#include <algorithm>

namespace gemel::init {

namespace {

using protocol::FaultAccess;
using protocol::FaultOutcome;

constexpr u32 pages_left_least = 512; // so that programs can still be started
constexpr usize taken_max = 8192; // regions
constexpr std::string_view pager_is_gone = "its pager has ended";

u64 address_of(KernelMessage const& message)
{
    return message.words[1];
}

} // namespace

bool FaultRouter::on_message(KernelMessage const& message, ReplyToken& token)
{
    auto const process = ProcessTable::page_fault_of(message);
    auto const found = process ? adopted_.find(*process) : adopted_.end();
    if (found == adopted_.end())
        return false;
    auto const& range = found->second.range;
    if (address_of(message) < range.begin || address_of(message) >= range.end)
        return false;
    auto const number = next_++;
    pending_.emplace(number, Pending { *process, message, token.release() });
    undelivered_.push_back(number);
    deliver();
    return true;
}

// In their order, until the pager's port is full: it will have taken some when it settles one.
void FaultRouter::deliver()
{
    while (!undelivered_.empty()) {
        auto const number = undelivered_.front();
        auto const found = pending_.find(number);
        auto const sent = found == pending_.end() ? Result<void>() : deliver(number, found->second);
        if (!sent && sent.error() == Error::port_full)
            return;
        undelivered_.pop_front();
        if (!sent)
            fail(number, pager_is_gone);
    }
}

Result<void> FaultRouter::deliver(u64 number, Pending const& fault)
{
    auto const found = adopted_.find(fault.process);
    if (found == adopted_.end())
        return Error::dead;
    auto const wrote = arch::fault_was_write(fault.message.words[2]);
    return found->second.sink.send(protocol::FaultSink::Fault {
        number, address_of(fault.message), wrote ? FaultAccess::write : FaultAccess::read });
}

void FaultRouter::fail(u64 number, std::string_view why)
{
    auto const fault = pending_.extract(number);
    if (fault)
        world_.table.end_unmended(fault.mapped().process, address_of(fault.mapped().message), why);
}

void FaultRouter::ended(ProcessTable::Number number)
{
    adopted_.erase(number);
    std::erase_if(pending_, [&](auto const& entry) { return entry.second.process == number; });
}

// What it had given to programs stays with them as long as they live.
void FaultRouter::pager_ended()
{
    for (auto& [object, region] : std::exchange(taken_, {}))
        (void)region.destroy();
    undelivered_.clear();
    while (!pending_.empty())
        fail(pending_.begin()->first, pager_is_gone);
}

// A program that opens a session anew is the new one's; the pager hears that the old sink is gone.
Result<protocol::Faults::Adopt::Reply> FaultRouter::on(Faults::Adopt request)
{
    auto const process = TRY(world_.table.owner_of(request.task));
    auto const range = TRY(world_.table.paged_range(process));
    auto const chance = TRY(world_.machine.entropy());
    adopted_.insert_or_assign(
        process, Adopted { Client<protocol::FaultSink>(std::move(request.sink)), range });
    return Faults::Adopt::Reply { range.begin, range.end, chance };
}

Result<protocol::Faults::Settle::Reply> FaultRouter::on(Faults::Settle const& request)
{
    auto const found = pending_.find(request.fault);
    if (found == pending_.end()) {
        deliver();
        return Faults::Settle::Reply {};
    }
    switch (request.outcome) {
    case FaultOutcome::mended:
        (void)system::port_send(
            found->second.token, system::Message { .tag = static_cast<u64>(FaultReply::resume) });
        pending_.erase(found);
        break;
    case FaultOutcome::refused: {
        auto const message = found->second.message;
        pending_.erase(found);
        (void)world_.table.on_message(message);
        break;
    }
    case FaultOutcome::failed:
        fail(request.fault, name_of(static_cast<Error>(request.error)));
        break;
    }
    deliver();
    return Faults::Settle::Reply {};
}

Result<protocol::Faults::Take::Reply> FaultRouter::on(Faults::Take const& request)
{
    if (request.pages == 0 || request.pages > region_pages_max)
        return Error::invalid;
    auto const own = TRY(world_.audit.task(world_.own_task));
    if (taken_.size() == taken_max || own.pages_left < request.pages + pages_left_least)
        return Error::quota;
    auto region = TRY(FreshRegion::create(request.pages)).release();
    auto given = TRY(region.derive(Right::read | Right::write | Right::grant | Right::derive));
    auto const object = TRY(region.inspect()).object;
    taken_.emplace(object, std::move(region));
    return Faults::Take::Reply { std::move(given) };
}

Result<protocol::Faults::GiveBack::Reply> FaultRouter::on(Faults::GiveBack const& request)
{
    auto const info = TRY(request.region.inspect());
    auto taken = taken_.extract(info.object);
    if (!taken)
        return Error::invalid;
    TRY(taken.mapped().destroy());
    return Faults::GiveBack::Reply {};
}

static_assert(Serves<FaultRouter, protocol::Faults>);

} // namespace gemel::init
