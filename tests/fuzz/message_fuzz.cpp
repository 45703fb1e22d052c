// Whatever words a message carries: it is taken or refused, what is taken can be printed, and sent
// again it is the same message. tests/storm does this to living servers.
#include "core/base/assert.hpp"
#include "servers/protocols/all.hpp"
#include "tests/fuzz/target.hpp"

#include <cstring>

using namespace gemel;

namespace {

// Without capabilities, because there is no kernel to take them from.
system::Message message_of(std::uint8_t const* data, std::size_t size)
{
    system::Message message;
    std::memcpy(&message.tag, data, std::min(size, sizeof message.tag));
    message.tag &= ~(u64 { 3 } << tag_capabilities_shift);
    if (size > sizeof message.tag)
        std::memcpy(message.words.data(), data + sizeof message.tag,
            std::min(size - sizeof message.tag, sizeof message.words));
    return message;
}

template <typename Codec, typename Value>
bool check(system::Message const& message)
{
    Incoming in(message);
    Value value {};
    if (!Codec::decode(in, value))
        return false;
    std::string printed;
    Codec::print(printed, value);
    auto const again = Codec::encode(in.operation(), std::move(value));
    Incoming second(again.message());
    Value same {};
    ASSERT(Codec::decode(second, same));
    std::string printed_again;
    Codec::print(printed_again, same);
    ASSERT(printed == printed_again);
    return true;
}

template <typename P>
void check_protocol(system::Message const& message)
{
    (void)P::Messages::any([&]<typename M>() {
        (void)check<typename M::RequestCodec, typename M::RequestType>(message);
        (void)check<typename M::ReplyCodec, typename M::ReplyType>(message);
        return false;
    });
}

template <typename... Ps>
void check_all(std::tuple<Ps...> const*, system::Message const& message)
{
    (check_protocol<Ps>(message), ...);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    check_all(static_cast<protocol::All const*>(nullptr), message_of(data, size));
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    // Small numbers, spans, text, the ends of each integer's range.
    std::vector<std::vector<std::uint8_t>> seeds;
    for (u64 const word : { u64 { 0 }, u64 { 1 }, ~u64 { 0 }, u64 { 0x7FFF'FFFF },
             u64 { 0x0100'0000'40 }, u64 { 0x6C6C'6568 } }) {
        std::vector<std::uint8_t> seed(sizeof(u64) * 7);
        for (std::size_t i = 0; i < seed.size(); i += sizeof word)
            std::memcpy(&seed[i], &word, sizeof word);
        seeds.push_back(std::move(seed));
    }
    return seeds;
}
