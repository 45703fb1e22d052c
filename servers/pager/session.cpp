#include "servers/pager/session.hpp"

#include <new>
#include <stdexcept>

namespace gemel::pager {

namespace {

using protocol::FaultAccess;
using protocol::FaultOutcome;

constexpr usize reader_stack_bytes = 16 * 1024;

// The heap's end is the program's trouble whose fault it is, not the pager's.
template <typename Function>
auto within_memory(Function function) -> decltype(function())
{
    try {
        return function();
    } catch (std::bad_alloc const&) {
        return Error::no_memory;
    } catch (std::length_error const&) {
        return Error::no_memory;
    }
}

} // namespace

Result<void> Session::open(Handle task, Arena const& arena)
{
    if (world_.sessions == sessions_max)
        return Error::too_big;
    ++world_.sessions;
    space_.emplace(world_.shared, std::move(task), arena);
    return {};
}

void Session::close()
{
    closed_ = true;
    if (busy_ || !space_)
        return;
    space_.reset();
    --world_.sessions;
}

Result<Space*> Session::space()
{
    if (closed_ || !space_)
        return Error::dead;
    return &*space_;
}

Result<Ref<SharedRegion>> Session::buffer()
{
    if (!buffer_)
        buffer_ = make_ref<SharedRegion>(TRY(SharedRegion::create(read_bytes_max)));
    return *buffer_;
}

// --- one thing after the other ---

void Session::run(Ref<Session> const& self, Job job)
{
    if (self->busy_)
        self->waiting_.push_back(std::move(job));
    else
        job();
}

Result<void> Session::wait_for(Ref<Session> const& self, Job work, Job then)
{
    auto& world = self->world_;
    if (world.reads == world.threads) {
        TRY(world.worker.start("pager-reader", reader_stack_bytes));
        ++world.threads;
    }
    world.worker.post([&world, self, work = std::move(work), then = std::move(then)]() mutable {
        work();
        world.worker.hand_back([&world, self = std::move(self), then = std::move(then)]() mutable {
            --world.reads;
            self->busy_ = false;
            then();
            go_on(self);
        });
    });
    ++world.reads;
    self->busy_ = true;
    return {};
}

void Session::go_on(Ref<Session> const& self)
{
    if (self->closed_)
        self->close();
    while (!self->busy_ && !self->waiting_.empty()) {
        auto job = std::move(self->waiting_.front());
        self->waiting_.pop_front();
        job();
    }
}

// --- requests ---

void Session::map(Ref<Session> self, Memory::Map request, Deferred<Memory, Memory::Map> deferred)
{
    auto const is_file = request.kind == protocol::MapKind::file;
    if ((!is_file && request.kind != protocol::MapKind::zero)
        || is_file != static_cast<bool>(request.file) || (!is_file && request.offset != 0))
        return (void)deferred.reply(Error::invalid);
    run(self, [self, request = std::move(request), deferred = std::move(deferred)]() mutable {
        if (request.file)
            return map_file(self, std::move(request), std::move(deferred));
        auto const begin = within_memory(
            [&]() -> Result<u64> { return TRY(self->space())->map_zeros(request.bytes); });
        (void)deferred.reply(begin ? Result(Memory::Map::Reply { *begin }) : begin.error());
    });
}

void Session::map_file(
    Ref<Session> self, Memory::Map request, Deferred<Memory, Memory::Map> deferred)
{
    struct Opening {
        Client<protocol::File> given;
        Ref<SharedRegion> buffer;
        Result<Backing> backing;
        u64 offset;
        u64 bytes;
        Deferred<Memory, Memory::Map> deferred;
    };
    auto buffer = self->buffer();
    if (!buffer)
        return (void)deferred.reply(buffer.error());
    auto const opening
        = make_ref<Opening>(Opening { Client<protocol::File>(std::move(request.file)),
            std::move(*buffer), Error::dead, request.offset, request.bytes, std::move(deferred) });
    auto const waits = wait_for(
        self,
        [opening] {
            opening->backing
                = within_memory([&] { return Backing::open(opening->given, opening->buffer); });
        },
        [self, opening] {
            auto const begin = within_memory([&]() -> Result<u64> {
                auto backing = TRY(std::move(opening->backing));
                return TRY(self->space())
                    ->map_file(
                        make_ref<Backing>(std::move(backing)), opening->offset, opening->bytes);
            });
            (void)opening->deferred.reply(
                begin ? Result(Memory::Map::Reply { *begin }) : begin.error());
        });
    if (!waits)
        (void)opening->deferred.reply(waits.error());
}

void Session::snapshot(Ref<Session> self, u64 address, Deferred<Memory, Memory::Snapshot> deferred)
{
    run(self, [self, address, deferred = std::move(deferred)]() mutable {
        auto const begin
            = within_memory([&]() -> Result<u64> { return TRY(self->space())->snapshot(address); });
        (void)deferred.reply(begin ? Result(Memory::Snapshot::Reply { *begin }) : begin.error());
    });
}

void Session::unmap(Ref<Session> self, u64 address, Deferred<Memory, Memory::Unmap> deferred)
{
    run(self, [self, address, deferred = std::move(deferred)]() mutable {
        auto const done
            = within_memory([&]() -> Result<void> { return TRY(self->space())->unmap(address); });
        (void)deferred.reply(done ? Result(Memory::Unmap::Reply {}) : done.error());
    });
}

Result<protocol::PagedMemory::Usage::Reply> Session::usage() const
{
    if (closed_ || !space_)
        return Error::dead;
    auto const usage = space_->usage();
    return Memory::Usage::Reply { usage.regions, usage.pages, usage.tables, pages_max };
}

// --- faults ---

void Session::fault(Ref<Session> self, protocol::FaultSink::Fault fault)
{
    auto const taken = within_memory([&]() -> Result<void> {
        run(self, [self, fault] { mend(self, fault); });
        return {};
    });
    if (!taken)
        self->settle(fault.fault, taken);
}

void Session::mend(Ref<Session> const& self, protocol::FaultSink::Fault const& fault)
{
    auto const mended = within_memory([&] { return try_mend(self, fault); });
    if (!mended)
        self->settle(fault.fault, mended.error());
    else if (*mended)
        self->settle(fault.fault, {});
}

// False: it goes on when a file has answered.
Result<bool> Session::try_mend(Ref<Session> const& self, protocol::FaultSink::Fault const& fault)
{
    auto& space = *TRY(self->space());
    auto const access = fault.access == FaultAccess::write ? PageAccess::write : PageAccess::read;
    auto wanted = TRY(space.mend(fault.address, access));
    if (!wanted)
        return true;
    struct Reading {
        Space::Wanted wanted;
        Result<std::span<std::byte const>> bytes;
    };
    auto const reading = make_ref<Reading>(Reading { std::move(*wanted), Error::dead });
    TRY(wait_for(
        self,
        [reading] {
            auto const& asked = reading->wanted;
            reading->bytes = asked.file->read(asked.offset, asked.bytes);
        },
        [self, reading, fault] {
            auto const filled = within_memory([&]() -> Result<void> {
                auto const bytes = TRY(reading->bytes);
                return TRY(self->space())->filled(reading->wanted, bytes);
            });
            if (filled)
                mend(self, fault);
            else
                self->settle(fault.fault, filled);
        }));
    return false;
}

void Session::settle(u64 fault, Result<void> const& outcome) const
{
    protocol::Faults::Settle settled { .fault = fault };
    if (!outcome && outcome.error() == Error::not_found) {
        settled.outcome = FaultOutcome::refused;
    } else if (!outcome) {
        settled.outcome = FaultOutcome::failed;
        settled.error = static_cast<u8>(outcome.error());
    }
    (void)world_.faults.call(settled);
}

} // namespace gemel::pager
