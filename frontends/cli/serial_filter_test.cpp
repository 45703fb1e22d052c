#include "frontends/cli/serial_filter.hpp"

#include <gtest/gtest.h>

namespace gemel::cli {
namespace {

struct Console {
    explicit Console(BootText boot_text, Use use = Use::script)
        : filter(boot_text, use, [this](std::string_view text) { shown += text; })
    {
    }
    std::string shown;
    SerialFilter filter;
};

// Goal: under -c only the script's own bytes come out, and the status is found.
// Method: a whole boot, once in one piece and once byte by byte.
TEST(SerialFilter, ShowsTheScriptAlone)
{
    constexpr std::string_view text = "memory 256 MiB\r\ngemel: up in 12 "
                                      "ms\r\ngold\r\ngemel\r\n\r\ngemel: power off, status 7\r\n";
    for (std::size_t piece : { std::size_t { 1 }, text.size() }) {
        Console console { BootText::hide };
        for (std::size_t at = 0; at < text.size(); at += piece)
            console.filter.take(text.substr(at, piece));
        console.filter.finish();
        EXPECT_EQ(console.shown, "gold\ngemel\n");
        EXPECT_EQ(console.filter.status(), 7);
        EXPECT_EQ(console.filter.hidden(), "memory 256 MiB\ngemel: up in 12 ms\n");
    }
}

// Goal: a script's output keeps exactly its bytes, with a newline at its end or without.
TEST(SerialFilter, FindsTheLastLineBehindUnendedText)
{
    Console console { BootText::show };
    console.filter.take("no newline, ggemel\n\r\ngemel: power off, status 0\r\n");
    EXPECT_EQ(console.shown, "no newline, ggemel\n");
    EXPECT_EQ(console.filter.status(), 0);
}

// Goal: a prompt appears although no newline follows it.
TEST(SerialFilter, PassesAPromptAtOnce)
{
    Console console { BootText::show, Use::prompt };
    console.filter.take("gsh / $ ");
    EXPECT_EQ(console.shown, "gsh / $ ");
    console.filter.take("\r\nge");
    console.filter.finish();
    EXPECT_EQ(console.shown, "gsh / $ \r\nge");
    EXPECT_FALSE(console.filter.status());
}

} // namespace
} // namespace gemel::cli
