// The scheduler server: one thread; what it waits for is its port, until the next sleeper or
// reservation is due.
#include "servers/protocols/scheduler.hpp"
#include "servers/rt/rt.hpp"
#include "servers/scheduler/reservations.hpp"
#include "servers/scheduler/sleepers.hpp"

namespace gemel::scheduler {
namespace {

using protocol::Scheduler;

constexpr u64 tick_bit = 1;
constexpr u64 own_processor = 1; // the first: see Subject::confine
constexpr usize stack_bytes = 64 * 1024;

struct State {
    SchedBroker broker;
    Reservations reservations;
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

    Result<Scheduler::Reserve::Reply> on(Scheduler::Reserve request)
    {
        auto const highest = request.policy == protocol::ReservationPolicy::deadline
            ? std::max(request.priority, first_deadline_level)
            : request.priority;
        if (request.priority >= priority_levels)
            return Error::invalid;
        if (highest > priority_)
            return Error::no_rights;
        Terms const terms { request.policy, request.priority, request.budget_ns,
            request.period_ns };
        return Scheduler::Reserve::Reply { TRY(
            state_.reservations.reserve(server_, terms, std::move(request.thread))) };
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

Result<Powers> take_powers(Env& env)
{
    return Powers { SchedBroker(TRY(env.take_handle("broker-sched"))),
        TaskBroker(TRY(env.take_handle("broker-task"))),
        AuditBroker(TRY(env.take_handle("broker-audit"))) };
}

[[noreturn]] void run_server(State& state, Handle const& port)
{
    ObjectServer server { port };
    server.set_root<Scheduler>(make_ref<Bound>(state, server, u8 { priority_levels - 1 }));
    server.on_notification([&](u64 bits) {
        if (bits & tick_bit) {
            ++state.ticks;
            state.reservations.advance(system::time_ns());
        }
    });
    server.on_deadline(
        [&] {
            auto const sleeper = state.sleepers.next_ns();
            auto const reservation = state.reservations.next_ns(system::time_ns());
            auto const next
                = std::min(sleeper.value_or(~u64 { 0 }), reservation.value_or(~u64 { 0 }));
            return next == ~u64 { 0 } ? Deadline::none() : Deadline::at_ns(next);
        },
        [&] {
            while (auto sleeper = state.sleepers.take_due(system::time_ns()))
                static_cast<void>(sleeper->reply(Scheduler::Sleep::Reply {}));
            state.reservations.advance(system::time_ns());
        });
    system::exit(1, static_cast<u64>(server.run().error()));
}

struct Serving {
    State state;
    Handle const& port;
};

} // namespace

// The server's thread is a second one because only of such it has a capability: to keep it on the
// first processor.
Result<void> server_main(Env& env)
{
    auto powers = TRY(take_powers(env));
    auto scheduling = SchedBroker(TRY(powers.scheduling.handle().derive(rights_of(Right::call))));
    Serving serving { { std::move(scheduling), Reservations(std::move(powers)), {}, 0, 0 },
        env.port() };
    TRY(serving.state.broker.scheduler_register(env.port(), tick_bit));
    auto const thread = TRY(spawn_thread(
        [](void* argument) {
            auto& own = *static_cast<Serving*>(argument);
            run_server(own.state, own.port);
        },
        &serving, stack_bytes, "scheduler"));
    TRY(serving.state.broker.thread_affinity(thread, own_processor));
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace gemel::scheduler
