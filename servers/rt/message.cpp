#include "servers/rt/message.hpp"

#include <bit>

namespace gemel {

Outgoing& Outgoing::operator=(Outgoing&& other) noexcept
{
    if (this != &other) {
        close();
        message_ = other.message_;
        other.message_.tag = 0;
    }
    return *this;
}

Outgoing Outgoing::failed(Error error)
{
    Outgoing out;
    out.message_.tag = tag_of(static_cast<u16>(error));
    return out;
}

void Outgoing::close()
{
    auto const count = capabilities();
    for (usize i = message_words - count; i < message_words; ++i)
        Handle(message_.words[i]).close();
    message_.tag = 0;
}

Incoming::~Incoming()
{
    auto const count = capabilities();
    for (usize i = message_words - count; i < message_words; ++i)
        Handle(std::exchange(message_.words[i], 0)).close();
}

// A sender that sets no mask means the first ones.
unsigned Incoming::present() const
{
    auto const mask = static_cast<unsigned>(message_.tag >> tag_present_shift & 7);
    if (static_cast<unsigned>(std::popcount(mask)) == capabilities())
        return mask;
    return (1u << capabilities()) - 1;
}

Handle Incoming::take(unsigned member)
{
    auto const mask = present();
    if (!(mask >> member & 1))
        return Handle();
    auto const before = static_cast<unsigned>(std::popcount(mask & ((1u << member) - 1)));
    return Handle(std::exchange(message_.words[message_words - capabilities() + before], 0));
}

} // namespace gemel
