// The scheduler server: one thread; what it waits for is its port, until the next sleeper is due.
#include "servers/protocols/scheduler.hpp"
#include "servers/rt/rt.hpp"
#include "servers/scheduler/sleepers.hpp"

namespace gemel::scheduler {
namespace {

using protocol::Scheduler;

constexpr u64 tick_bit = 1;

struct State {
    SchedBroker broker;
    Sleepers<Deferred<Scheduler, Scheduler::Sleep>> sleepers;
    u64 ticks = 0;
    u64 sleeps = 0;
};

// One capability to the scheduler: how high a priority it may give.
class Bound {
public:
    Bound(State& state, ObjectServer& server, u8 priority)
        : state_(state)
        , server_(server)
        , priority_(priority)
    {
    }

    Result<Scheduler::Tick::Reply> on(Scheduler::Tick const&)
    {
        return Scheduler::Tick::Reply { state_.ticks, state_.sleeps,
            static_cast<u32>(state_.sleepers.count()) };
    }

    // The answer puts the caller at the end of its level: whoever was ready there comes first.
    void on(Scheduler::Yield const&, Deferred<Scheduler, Scheduler::Yield> deferred)
    {
        static_cast<void>(deferred.reply(Scheduler::Yield::Reply {}));
    }

    void on(Scheduler::Sleep const& request, Deferred<Scheduler, Scheduler::Sleep> deferred)
    {
        auto const now = system::time_ns();
        auto const wake = request.ns > ~now ? ~u64 { 0 } : now + request.ns;
        if (state_.sleepers.count() == sleepers_max) {
            static_cast<void>(deferred.reply(Error::too_big));
            return;
        }
        ++state_.sleeps;
        static_cast<void>(state_.sleepers.add(wake, std::move(deferred)));
    }

    Result<Scheduler::SetPriority::Reply> on(Scheduler::SetPriority const& request)
    {
        if (request.priority >= priority_levels)
            return Error::invalid;
        if (request.priority > priority_)
            return Error::no_rights;
        TRY(state_.broker.thread_priority(request.thread, request.priority));
        return Scheduler::SetPriority::Reply {};
    }

    Result<Scheduler::Bounded::Reply> on(Scheduler::Bounded const& request)
    {
        if (request.priority > priority_)
            return Error::no_rights;
        auto bound = make_ref<Bound>(state_, server_, request.priority);
        return Scheduler::Bounded::Reply { TRY(server_.publish<Scheduler>(std::move(bound))) };
    }

private:
    State& state_;
    ObjectServer& server_;
    u8 priority_;
};

static_assert(Serves<Bound, Scheduler>);

} // namespace

Result<void> server_main(Env& env)
{
    State state { SchedBroker(TRY(env.take_handle("broker-sched"))), {}, 0, 0 };
    TRY(state.broker.scheduler_register(env.port(), tick_bit));
    ObjectServer server { env.port() };
    server.set_root<Scheduler>(make_ref<Bound>(state, server, u8 { priority_levels - 1 }));
    server.on_notification([&](u64 bits) {
        if (bits & tick_bit)
            ++state.ticks;
    });
    server.on_deadline(
        [&] {
            auto const next = state.sleepers.next_ns();
            return next ? Deadline::at_ns(*next) : Deadline::none();
        },
        [&] {
            while (auto sleeper = state.sleepers.take_due(system::time_ns()))
                static_cast<void>(sleeper->reply(Scheduler::Sleep::Reply {}));
        });
    return server.run();
}

} // namespace gemel::scheduler
