// The server loop: a bounded pool of threads on one port, two traps for each round trip.
#pragma once

#include "servers/rt/dispatch.hpp"

namespace gemel {

inline constexpr unsigned serve_threads_max = 64;

struct ServeOptions {
    unsigned threads = 1; // 1 to serve_threads_max; the caller's own is one of them
    usize stack_bytes = 64 * 1024;
    std::string_view name = "pool"; // of the spawned threads
};

// What the loop asks of whoever answers. Called by all threads of the pool at once.
class Service {
public:
    virtual ~Service() = default;
    // What the standard library throws at the end of memory ends none of these three: the caller
    // is answered no_memory, and the others are called again with the same, a little later.
    virtual Disposition dispatch(u64 badge, Incoming& in, ReplyToken& token) = 0;
    // The port was signalled.
    virtual void notified(u64 bits) = 0;
    // When deadline_passed wants to be called; asked before each wait.
    virtual Deadline next_deadline() { return Deadline::none(); }
    virtual void deadline_passed() { }
};

// Returns only when the port is gone: revoked, dead or without the receive right.
Result<void> serve_with(Handle const& port, Service& service, ServeOptions const& options = {});

// One handler behind the port, whatever the badge. Optional members of the handler: `void
// notified(u64 bits)`; `Deadline next_deadline()` with `void deadline_passed()`.
template <Protocol P, typename Handler>
requires Serves<Handler, P>
class HandlerService final : public Service {
public:
    explicit HandlerService(Handler& handler)
        : handler_(handler)
    {
    }
    Disposition dispatch(u64, Incoming& in, ReplyToken& token) override
    {
        return gemel::dispatch<P>(handler_, in, token);
    }
    void notified([[maybe_unused]] u64 bits) override
    {
        if constexpr (requires { handler_.notified(bits); })
            handler_.notified(bits);
    }
    Deadline next_deadline() override
    {
        if constexpr (requires { handler_.next_deadline(); })
            return handler_.next_deadline();
        else
            return Deadline::none();
    }
    void deadline_passed() override
    {
        if constexpr (requires { handler_.deadline_passed(); })
            handler_.deadline_passed();
    }

private:
    Handler& handler_;
};

template <Protocol P, typename Handler>
requires Serves<std::remove_reference_t<Handler>, P> Result<void> serve(
    Handle const& port, Handler&& handler, ServeOptions const& options = {})
{
    HandlerService<P, std::remove_reference_t<Handler>> service { handler };
    return serve_with(port, service, options);
}

} // namespace gemel
