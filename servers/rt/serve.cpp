#include "servers/rt/serve.hpp"

#include "servers/rt/thread.hpp"

namespace gemel {
namespace {

// How many requests a thread answers before it looks whether a deadline passed meanwhile: one that
// is there comes before a deadline.
constexpr unsigned requests_max = 64;

struct Pool {
    u64 port;
    Service& service;
    std::atomic<unsigned> workers { 0 };
};

// Runs `work`; false when memory ended on the way. What it held is back by then.
template <typename Work>
bool enough_memory_for(Work work)
{
    try {
        work();
        return true;
    } catch (std::bad_alloc const&) {
        return false;
    } catch (std::length_error const&) {
        return false;
    }
}

// What nobody would ask for again: it is done once there is memory. A server that ended instead
// would take everybody who uses it along.
struct Postponed {
    static constexpr u64 pause_ms = 5;

    u64 bits = 0; // of notifications
    bool deadline = false; // one that passed
    Deadline retry = Deadline::none();

    explicit operator bool() const { return bits != 0 || deadline; }
    Deadline until(Service& service) const
    {
        // A deadline that passed would be asked for at once, over and over.
        return deadline ? retry : service.next_deadline().earlier(retry);
    }
};

bool has_passed(Deadline deadline)
{
    return !deadline.is_none() && deadline.us() <= system::time_ns() / 1000;
}

void take_up(Service& service, Postponed& postponed)
{
    if (postponed.bits && enough_memory_for([&] { service.notified(postponed.bits); }))
        postponed.bits = 0;
    if (postponed.deadline && enough_memory_for([&] { service.deadline_passed(); }))
        postponed.deadline = false;
    postponed.retry = postponed ? Deadline::after_ms(Postponed::pause_ms) : Deadline::none();
}

void handle(Service& service, system::Received const& received, Outgoing& reply, u64& reply_to,
    Postponed& postponed)
{
    Incoming in { received.message };
    if (in.operation() == static_cast<u16>(KernelTag::notification)) {
        postponed.bits |= in.words()[0];
        take_up(service, postponed);
        return;
    }
    ReplyToken token { received.token };
    Disposition outcome = Outgoing::failed(Error::no_memory);
    enough_memory_for([&] { outcome = service.dispatch(received.badge, in, token); });
    if (!outcome)
        return;
    reply = std::move(*outcome);
    reply_to = token.release();
}

// Until the port is gone.
Error loop(Pool& pool)
{
    Outgoing reply;
    u64 reply_to = 0;
    Postponed postponed;
    unsigned requests = 0; // since a deadline was looked at
    for (;;) {
        auto const deadline = postponed.until(pool.service);
        auto const received = reply_to
            ? system::port_reply_receive(reply_to, reply.message(), pool.port, deadline)
            : system::port_receive(pool.port, deadline);
        auto const timed_out = !received && received.error() == Error::timed_out;
        if (received || timed_out) {
            reply.sent();
        } else if (reply_to) {
            // The caller is gone, or a capability in the answer was refused: then it must hear so.
            (void)system::port_send(reply_to, Outgoing::failed(received.error()).message());
            reply = Outgoing(); // what it carried was not taken, and would count as sent next time
        } else {
            return received.error();
        }
        if (!reply_to)
            reply = Outgoing();
        reply_to = 0;
        // One that passed while there was always something to receive is no time-out.
        bool const look = received && ++requests >= requests_max && !postponed.deadline
            && has_passed(pool.service.next_deadline());
        if (timed_out || requests >= requests_max)
            requests = 0;
        if (look) {
            postponed.deadline = true;
            take_up(pool.service, postponed);
        }
        if (timed_out) {
            postponed.deadline |= !postponed || has_passed(pool.service.next_deadline());
            take_up(pool.service, postponed);
        } else if (received) {
            handle(pool.service, *received, reply, reply_to, postponed);
        }
    }
}

void worker(void* argument)
{
    auto& pool = *static_cast<Pool*>(argument);
    (void)loop(pool);
    pool.workers.fetch_sub(1, std::memory_order_release); // the pool may be gone from here on
}

} // namespace

Result<void> serve_with(Handle const& port, Service& service, ServeOptions const& options)
{
    if (options.threads == 0 || options.threads > serve_threads_max)
        return Error::invalid;
    Pool pool { port.value(), service };
    for (unsigned i = 1; i < options.threads; ++i) {
        pool.workers.fetch_add(1, std::memory_order_relaxed);
        auto thread = spawn_thread(worker, &pool, options.stack_bytes, options.name);
        if (!thread) {
            // Fewer threads serve as well, only less at once.
            pool.workers.fetch_sub(1, std::memory_order_relaxed);
            break;
        }
        // The thread lives as long as the task; so may the capability.
        thread->release();
    }
    auto const error = loop(pool);
    while (pool.workers.load(std::memory_order_acquire) != 0)
        sleep_until(Deadline::after_ms(10));
    return error;
}

} // namespace gemel
