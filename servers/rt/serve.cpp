#include "servers/rt/serve.hpp"

#include "servers/rt/thread.hpp"

namespace gemel {
namespace {

struct Pool {
    u64 port;
    Service& service;
    std::atomic<unsigned> workers { 0 };
};

void handle(Service& service, system::Received const& received, Outgoing& reply, u64& reply_to)
{
    Incoming in { received.message };
    if (in.operation() == static_cast<u16>(KernelTag::notification)) {
        service.notified(in.words()[0]);
        return;
    }
    ReplyToken token { received.token };
    auto outcome = service.dispatch(received.badge, in, token);
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
    for (;;) {
        auto const deadline = pool.service.next_deadline();
        auto const received = reply_to
            ? system::port_reply_receive(reply_to, reply.message(), pool.port, deadline)
            : system::port_receive(pool.port, deadline);
        auto const timed_out = !received && received.error() == Error::timed_out;
        if (received || timed_out) {
            reply.sent();
        } else if (reply_to) {
            // The caller is gone, or a capability in the answer was refused: then it must hear so.
            (void)system::port_send(reply_to, Outgoing::failed(received.error()).message());
        } else {
            return received.error();
        }
        if (!reply_to)
            reply = Outgoing();
        reply_to = 0;
        if (timed_out)
            pool.service.deadline_passed();
        else if (received)
            handle(pool.service, *received, reply, reply_to);
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
