#include "frontends/travel/packets.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace gemel::travel {

namespace {

// A stub's side with its other ends in the test's hands.
class Wire {
public:
    Wire()
    {
        EXPECT_EQ(::pipe(in_), 0);
        EXPECT_EQ(::pipe(out_), 0);
        packets.emplace(in_[0], out_[1]);
    }
    ~Wire()
    {
        for (auto const descriptor : { in_[0], in_[1], out_[0], out_[1] })
            ::close(descriptor);
    }
    void says(std::string_view bytes)
    {
        EXPECT_EQ(::write(in_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    void hangs_up() { ::close(std::exchange(in_[1], ::dup(out_[1]))); }
    std::string heard()
    {
        char bytes[256];
        auto const got = ::read(out_[0], bytes, sizeof bytes);
        return { bytes, got < 0 ? 0 : static_cast<usize>(got) };
    }

    std::optional<Packets> packets;

private:
    int in_[2];
    int out_[2];
};

} // namespace

// Goal: a packet is taken and acknowledged once it is whole, however it arrives; then the next.
TEST(Packets, InPieces)
{
    Wire wire;
    wire.says("+$qSup");
    wire.says("ported#37$g#67");
    EXPECT_EQ(wire.packets->next(), "qSupported");
    EXPECT_EQ(wire.packets->next(), "g");
    EXPECT_EQ(wire.heard(), "++");
}

// Goal: a damaged packet is asked for again, and never taken.
TEST(Packets, Damaged)
{
    Wire wire;
    wire.says("$g#66$g#67");
    EXPECT_EQ(wire.packets->next(), "g");
    EXPECT_EQ(wire.heard(), "-+");
}

// Goal: bytes that have a meaning of their own arrive as they were sent.
TEST(Packets, Escapes)
{
    EXPECT_EQ(Packets::framed("a#b"),
        "$a}\x03"
        "b#43");
    Wire wire;
    wire.packets->trust();
    wire.packets->answer("x$}*#y");
    wire.says(wire.heard());
    EXPECT_EQ(wire.packets->next(), "x$}*#y");
}

// Goal: an interrupt is heard while a run goes on, and is no part of a packet; the end is an end.
TEST(Packets, Interrupt)
{
    Wire wire;
    EXPECT_FALSE(wire.packets->interrupt());
    wire.says("\x03");
    EXPECT_TRUE(wire.packets->interrupt());
    EXPECT_FALSE(wire.packets->interrupt());
    wire.says("$g#67");
    EXPECT_FALSE(wire.packets->interrupt());
    EXPECT_EQ(wire.packets->next(), "g");
    wire.hangs_up();
    EXPECT_TRUE(wire.packets->interrupt());
    EXPECT_EQ(wire.packets->next(), std::nullopt);
}

} // namespace gemel::travel
