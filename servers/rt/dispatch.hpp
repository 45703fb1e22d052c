// From an incoming message to the handler's `on`. Serves<H, P> is what `serve` asks of a handler:
// for every message M of P either
//     Result<M::Reply> on(M const&)                  (or by value, to take capabilities out of it)
//     void on(M const&, Deferred<P, M>)              (answered later)
#pragma once

#include "servers/rt/reply.hpp"

#include <new>
#include <stdexcept>

namespace gemel {

template <typename Handler, typename Request>
concept AnswersNow = requires(Handler& handler, Request request)
{
    {
        handler.on(std::move(request))
        } -> std::same_as<Result<typename Request::Reply>>;
};

template <typename Handler, typename P, typename Request>
concept AnswersLater = requires(Handler& handler, Request request, Deferred<P, Request> deferred)
{
    {
        handler.on(std::move(request), std::move(deferred))
        } -> std::same_as<void>;
};

template <typename Handler, typename P, typename Request>
concept Handles = AnswersNow<Handler, Request> || AnswersLater<Handler, P, Request>;

namespace detail {

template <typename Handler, typename P, typename List>
inline constexpr bool serves_all = false;
template <typename Handler, typename P, typename... Ms>
inline constexpr bool serves_all<Handler, P,
    MessageList<Ms...>> = (Handles<Handler, P, typename Ms::RequestType> && ...);

} // namespace detail

template <typename Handler, typename P>
concept Serves = Protocol<P> && detail::serves_all<Handler, P, typename P::Messages>;

// What became of a message: the answer, or none when the handler keeps the token.
using Disposition = std::optional<Outgoing>;

template <typename P, typename M, typename Handler>
Disposition run_handler(Handler& handler, Incoming& in, ReplyToken& token)
{
    using Request = typename M::RequestType;
    static_assert(Handles<Handler, P, Request>, "the handler has no `on` for this message");
    Request request {};
    if (!M::RequestCodec::decode(in, request))
        return Outgoing::failed(Error::invalid_request);
    auto* const sink = trace_sink();
    std::string trace;
    if (sink)
        trace = trace_request<P, M>(request);
    if constexpr (AnswersLater<Handler, P, Request>) {
        handler.on(std::move(request), Deferred<P, Request>(std::move(token), std::move(trace)));
        return std::nullopt;
    } else {
        auto result = handler.on(std::move(request));
        if (sink) {
            trace_result<M>(trace, result);
            sink->line(trace);
        }
        if (!result)
            return Outgoing::failed(result.error());
        return M::ReplyCodec::encode(0, std::move(*result));
    }
}

// bad_call for a number that P does not have. The standard library's throws at the end of memory
// become no_memory.
template <typename P, typename Handler>
Disposition dispatch(Handler& handler, Incoming& in, ReplyToken& token)
{
    Disposition outcome = Outgoing::failed(Error::bad_call);
    try {
        P::Messages::any([&]<typename M>() {
            if (in.operation() != M::number)
                return false;
            outcome = run_handler<P, M>(handler, in, token);
            return true;
        });
    } catch (std::bad_alloc const&) {
        outcome = Outgoing::failed(Error::no_memory);
    } catch (std::length_error const&) {
        outcome = Outgoing::failed(Error::no_memory);
    }
    return outcome;
}

} // namespace gemel
