// The right to answer one call. Deferred<P, Request> keeps it beyond the handler: for console
// reads, sleeps, waits for a process, so that no thread of the pool is held.
#pragma once

#include "servers/rt/trace.hpp"

#include <optional>

namespace gemel {

// Move-only. What is dropped unanswered is answered `dead`. Token 0: a one-way send, nobody waits.
class ReplyToken {
public:
    ReplyToken() = default;
    explicit ReplyToken(u64 token)
        : token_(token)
    {
    }
    ReplyToken(ReplyToken&& other) noexcept
        : token_(std::exchange(other.token_, 0))
    {
    }
    ReplyToken& operator=(ReplyToken&& other) noexcept;
    ~ReplyToken();

    explicit operator bool() const { return token_ != 0; }
    // The caller may be gone: then the error, and the message's capabilities are closed.
    Result<void> send(Outgoing reply);
    u64 release() { return std::exchange(token_, 0); }

private:
    u64 token_ = 0;
};

template <typename P, typename Request>
class Deferred {
public:
    using M = MessageFor<P, Request>;

    Deferred(ReplyToken token, std::string trace)
        : token_(std::move(token))
        , trace_(std::move(trace))
    {
    }

    // Answers the caller. An error here means that the caller is gone; there is nothing to undo.
    Result<void> reply(Result<typename Request::Reply> result)
    {
        if (!trace_.empty())
            trace_reply(result);
        if (!result)
            return token_.send(Outgoing::failed(result.error()));
        return token_.send(M::ReplyCodec::encode(0, std::move(*result)));
    }

private:
    void trace_reply(Result<typename Request::Reply> const& result)
    {
        trace_result<M>(trace_, result);
        if (auto* const sink = trace_sink())
            sink->line(trace_);
    }

    ReplyToken token_;
    std::string trace_;
};

} // namespace gemel
