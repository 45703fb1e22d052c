// Encoding: what goes into the six words, and what is refused when it comes out.
#include "servers/rt/protocol.hpp"
#include "servers/rt/test/garden.hpp"
#include "servers/rt/test/in_program.hpp"
#include "servers/rt/trace.hpp"

#include <gtest/gtest.h>

namespace gemel {

using test::Colour;
using test::Garden;
using Plant = MessageFor<Garden, Garden::Plant>;
using Give = MessageFor<Garden, Garden::Give>;

// Goal: every kind of member arrives as it was sent.
TEST(Message, PlainMembersComeBack)
{
    auto out = Plant::RequestCodec::encode(Plant::number,
        { .where = ~0ull, .span = { 5, 4096 }, .colour = Colour::blue, .depth = -7 });
    EXPECT_EQ(out.message().tag, 2u);
    EXPECT_EQ(out.message().words[1], 5u | 4096ull << 32);
    Incoming in { out.message() };
    Garden::Plant plant;
    ASSERT_TRUE(Plant::RequestCodec::decode(in, plant));
    EXPECT_EQ(plant.where, ~0ull);
    EXPECT_EQ(plant.span, (Span { 5, 4096 }));
    EXPECT_EQ(plant.colour, Colour::blue);
    EXPECT_EQ(plant.depth, -7);
}

// Goal: a word that does not fit its member is refused, not cut off.
TEST(Message, AWordTooLargeIsRefused)
{
    Garden::Plant plant;
    for (auto const& [word, value] : { std::pair { 2, 256ull }, { 3, 1ull << 31 }, { 2, ~0ull } }) {
        system::Message message { .tag = 2, .words = {} };
        message.words[static_cast<usize>(word)] = value;
        Incoming in { message };
        EXPECT_FALSE(Plant::RequestCodec::decode(in, plant)) << word << " " << value;
    }
}

// Goal: text is cut to its size, and one that fills it has no NUL.
TEST(Message, TextKeepsItsBytes)
{
    EXPECT_EQ(Text<16>("hello").view(), "hello");
    EXPECT_EQ(Text<16>("0123456789abcdefgh").view(), "0123456789abcdef");
    EXPECT_EQ(Text<16>("").view(), "");
    u64 words[2];
    Field<Text<16>>::encode("0123456789abcdef", words);
    Text<16> back;
    EXPECT_TRUE(Field<Text<16>>::decode(words, back));
    EXPECT_EQ(back.view(), "0123456789abcdef");
}

// Goal: capabilities lie in the last words, in order, and those left out are known to be.
TEST(Message, CapabilitiesTravelLast)
{
    Garden::Give give { .badge = 9, .first = Handle(11), .second = Handle(), .third = Handle(13) };
    auto out = Give::RequestCodec::encode(Give::number, std::move(give));
    EXPECT_EQ(out.capabilities(), 2u);
    EXPECT_EQ(out.message().words[0], 9u);
    EXPECT_EQ(out.message().words[4], 11u);
    EXPECT_EQ(out.message().words[5], 13u);
    Incoming in { out.message() };
    out.sent();
    Garden::Give back;
    ASSERT_TRUE(Give::RequestCodec::decode(in, back));
    EXPECT_EQ(back.first.release(), 11u);
    EXPECT_FALSE(back.second);
    EXPECT_EQ(back.third.release(), 13u);
}

// Goal: a sender that knows nothing of the mask means the first members.
TEST(Message, WithoutAMaskTheFirstArePresent)
{
    Incoming in { system::Message { .tag = tag_of(3, 1), .words = { 0, 0, 0, 0, 0, 21 } } };
    Garden::Give back;
    ASSERT_TRUE(Give::RequestCodec::decode(in, back));
    EXPECT_EQ(back.first.release(), 21u);
    EXPECT_FALSE(back.second);
}

// Goal: whatever is not taken out of a message is closed, and nothing else.
// Method: send more capabilities than the declaration has, on the real kernel, and look.
TEST(Message, CapabilitiesNobodyTookAreClosed)
{
    EXPECT_EQ(test::in_program([](Env&) {
        auto const kept = system::port_allocate();
        auto const lost = system::port_allocate();
        {
            Incoming in { system::Message {
                .tag = tag_of(2, 1), .words = { 0, 0, 0, 0, 0, *lost } } };
            Garden::Plant plant;
            EXPECT_FALSE(Plant::RequestCodec::decode(in, plant));
        }
        EXPECT_EQ(system::signal(*lost, 1).error(), Error::cap_invalid);
        EXPECT_TRUE(system::signal(*kept, 1));
    }),
        0);
}

// Goal: the trace says what the declaration says.
TEST(Trace, LinesComeFromTheDeclaration)
{
    auto line = trace_request<Garden, Plant>(
        { .where = 0, .span = { 0, 4096 }, .colour = Colour::red, .depth = -1 });
    EXPECT_EQ(line, "garden.plant(where=0, span=0+4096, colour=1, depth=-1)");
    trace_result<Plant>(line, Garden::Plant::Reply { .count = 2, .label = "a\"b\n" });
    EXPECT_EQ(line,
        "garden.plant(where=0, span=0+4096, colour=1, depth=-1) -> ok(count=2, "
        "label=\"a\\\"b\\x0a\")");
    auto empty = trace_request<Garden, MessageFor<Garden, Garden::Empty>>({});
    trace_result<MessageFor<Garden, Garden::Empty>>(empty, Garden::Empty::Reply {});
    EXPECT_EQ(empty, "garden.empty() -> ok");
    auto failed = trace_request<Garden, Give>({});
    trace_result<Give>(failed, Error::no_rights);
    EXPECT_EQ(
        failed, "garden.give(badge=0, first=none, second=none, third=none) -> no right to do that");
}

} // namespace gemel
