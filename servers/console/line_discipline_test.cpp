// Goal: typed bytes become the lines, the echo and the interrupts that a user of a terminal
// expects. Method: bytes in; what a reader gets and what the screen is sent.
#include "servers/console/line_discipline.hpp"

#include <gtest/gtest.h>

namespace gemel::console {
namespace {

struct Terminal {
    LineDiscipline discipline;
    explicit Terminal(FarEnd far_end = FarEnd::terminal)
        : discipline(far_end)
    {
    }
    std::string echo;

    LineDiscipline::Taken type(std::string_view text)
    {
        auto taken = LineDiscipline::Taken::kept;
        for (auto const c : text)
            taken = discipline.type(static_cast<u8>(c));
        return taken;
    }
    // "..." while the reader would wait.
    std::string read(usize bytes_max = 100)
    {
        auto const got = discipline.peek(bytes_max, echo);
        if (!got)
            return "...";
        auto result = std::string(*got);
        discipline.consume(result.size());
        return result;
    }
};

TEST(LineDiscipline, LinesAreReadWholeAndEchoed)
{
    Terminal terminal;
    terminal.type("ab");
    EXPECT_EQ(terminal.read(), "...");
    EXPECT_EQ(terminal.echo, "ab");
    terminal.type("c\rnext\n");
    EXPECT_EQ(terminal.read(2), "ab");
    EXPECT_EQ(terminal.read(), "c\n");
    EXPECT_EQ(terminal.read(), "next\n");
    EXPECT_EQ(terminal.echo, "abc\nnext\n");
}

TEST(LineDiscipline, ErasesCharactersWordsAndLines)
{
    Terminal terminal;
    terminal.type("a\xC3\xA9\x7f"
                  "b\n");
    EXPECT_EQ(terminal.read(), "ab\n");
    EXPECT_EQ(terminal.echo, "a\xC3\xA9\b \bb\n");
    terminal.type("one two \x17x\n");
    EXPECT_EQ(terminal.read(), "one x\n");
    terminal.type("one\x15two\x08\n\x7f\n");
    EXPECT_EQ(terminal.read(), "tw\n");
    EXPECT_EQ(terminal.read(), "\n");
}

TEST(LineDiscipline, EndOfFile)
{
    Terminal terminal;
    terminal.type("\x04");
    EXPECT_EQ(terminal.read(), "");
    EXPECT_EQ(terminal.read(), "...");
    terminal.type("ab\x04\x04");
    EXPECT_EQ(terminal.read(), "ab");
    EXPECT_EQ(terminal.read(), "");
}

TEST(LineDiscipline, InterruptsAtOnceAndForgetsWhatWasTyped)
{
    Terminal terminal;
    EXPECT_EQ(terminal.type("gone\x03"), LineDiscipline::Taken::interrupt);
    terminal.type("kept\n");
    EXPECT_EQ(terminal.read(), "kept\n");
    terminal.discipline.set_mode(Mode::raw);
    EXPECT_EQ(terminal.type("\x03"), LineDiscipline::Taken::kept);
    EXPECT_EQ(terminal.read(), "\x03");
}

// Goal: any byte can be sent through lines mode, as a front end does with its own standard input.
TEST(LineDiscipline, LiteralBytes)
{
    Terminal terminal;
    EXPECT_EQ(
        terminal.type("\x16\x03\x16\x04\x16\x16\x16\x7f\x16\rx\n"), LineDiscipline::Taken::kept);
    EXPECT_EQ(terminal.read(), "\x03\x04\x16\x7f\rx\n");
}

// Goal: a host's file arrives byte for byte, and ends once.
TEST(LineDiscipline, StreamsAreNotEdited)
{
    Terminal terminal(FarEnd::stream);
    terminal.type("a\x7f\x15\r\nb\x16\x04\x16\x16"
                  "c\x04");
    EXPECT_EQ(terminal.read(), "a\x7f\x15\r\n");
    EXPECT_EQ(terminal.read(),
        "b\x04\x16"
        "c");
    EXPECT_EQ(terminal.read(), "");
    EXPECT_EQ(terminal.read(), "");
    EXPECT_EQ(terminal.echo, "");
}

TEST(LineDiscipline, TheModeOfTheReaderDecides)
{
    Terminal terminal;
    terminal.type("ab\x7f\n");
    terminal.discipline.set_mode(Mode::raw);
    EXPECT_EQ(terminal.read(), "ab\x7f\n");
    terminal.type("cd");
    terminal.discipline.put_back("b");
    terminal.discipline.set_mode(Mode::lines);
    EXPECT_EQ(terminal.read(), "...");
    terminal.discipline.set_mode(Mode::raw);
    EXPECT_EQ(terminal.read(), "bcd");
}

TEST(LineDiscipline, HasBounds)
{
    Terminal terminal;
    terminal.type(std::string(LineDiscipline::line_bytes_max + 5, 'a') + "\n");
    EXPECT_EQ(terminal.read(100'000).size(), LineDiscipline::line_bytes_max);
    EXPECT_EQ(terminal.read(100'000), "aaaaa\n");
    EXPECT_EQ(terminal.type(std::string(LineDiscipline::typed_bytes_max + 1, 'a')),
        LineDiscipline::Taken::dropped);
    EXPECT_EQ(terminal.type("\x03"), LineDiscipline::Taken::interrupt);
}

} // namespace
} // namespace gemel::console
