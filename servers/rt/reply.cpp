#include "servers/rt/reply.hpp"

namespace gemel {

ReplyToken& ReplyToken::operator=(ReplyToken&& other) noexcept
{
    if (this != &other) {
        ReplyToken dropped { std::move(*this) };
        token_ = std::exchange(other.token_, 0);
    }
    return *this;
}

ReplyToken::~ReplyToken()
{
    if (token_)
        (void)send(Outgoing::failed(Error::dead));
}

Result<void> ReplyToken::send(Outgoing reply)
{
    if (!token_)
        return {};
    auto const token = release();
    auto const sent = system::port_send(token, reply.message());
    if (sent) {
        reply.sent();
        return {};
    }
    // The token is still good when only a capability in the answer was not: the caller must not
    // wait for ever.
    (void)system::port_send(token, Outgoing::failed(sent.error()).message());
    return sent.error();
}

} // namespace gemel
