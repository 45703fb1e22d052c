// Client<P>: calls to a protocol's server, typed by its declaration.
#pragma once

#include "servers/rt/deadline.hpp"
#include "servers/rt/protocol.hpp"

namespace gemel {

// The tag of a reply: 0, or the number of an Error.
Result<void> outcome_of(Incoming const& reply);
// Sends, waits, and returns the answer. The message's capabilities are gone only on success.
Result<system::Message> call_raw(Handle const& to, Outgoing message, Deadline deadline);

template <Protocol P>
class Client {
public:
    Client() = default;
    explicit Client(Handle handle)
        : handle_(std::move(handle))
    {
    }

    explicit operator bool() const { return static_cast<bool>(handle_); }
    Handle const& handle() const { return handle_; }
    Handle release() { return std::move(handle_); }
    // Another client of the same object; dies with this one.
    Result<Client> duplicate() const
    {
        return Client(TRY(handle_.derive(Right::call | Right::derive)));
    }

    // Blocks until the server answered, died (dead, revoked) or the deadline passed (timed_out).
    template <typename Request>
    Result<typename Request::Reply> call(
        Request request, Deadline deadline = Deadline::none()) const
    {
        using M = MessageFor<P, Request>;
        auto const answer = TRY(
            call_raw(handle_, M::RequestCodec::encode(M::number, std::move(request)), deadline));
        Incoming reply { answer };
        TRY(outcome_of(reply));
        typename Request::Reply value {};
        if (!M::ReplyCodec::decode(reply, value))
            return Error::invalid_request;
        return value;
    }

    // One-way: never blocks, needs the send right; port_full when the server is far behind.
    template <typename Request>
    Result<void> send(Request request) const
    {
        using M = MessageFor<P, Request>;
        auto message = M::RequestCodec::encode(M::number, std::move(request));
        TRY(system::port_send(handle_.value(), message.message()));
        message.sent();
        return {};
    }

private:
    Handle handle_;
};

} // namespace gemel
