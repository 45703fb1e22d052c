// Goal: patterns fit what a user of a Unix shell expects.
// Method: pairs of pattern and name; a directory tree in the tests' world.
#include "servers/gsh/glob.hpp"

#include "servers/gsh/arithmetic.hpp"
#include "servers/gsh/test_world.hpp"

#include <gtest/gtest.h>

namespace gemel::gsh {
namespace {

TEST(Glob, Matches)
{
    EXPECT_TRUE(matches("*", "abc"));
    EXPECT_TRUE(matches("a*c", "abbc"));
    EXPECT_TRUE(matches("*b*b*", "abab"));
    EXPECT_TRUE(matches("?", "\xC3\xA9"));
    EXPECT_TRUE(matches("[a-c]x[!y]", "bxz"));
    EXPECT_TRUE(matches("\\*", "*"));
    EXPECT_TRUE(matches("[]]", "]"));
    EXPECT_TRUE(matches("[a", "[a"));
    EXPECT_TRUE(matches(".*", ".a"));
    EXPECT_FALSE(matches("*", ".a"));
    EXPECT_FALSE(matches("\\*", "a"));
    EXPECT_FALSE(matches("a*c", "abb"));
    EXPECT_FALSE(matches("?", ""));
    EXPECT_FALSE(matches("[a-c]", "d"));
    EXPECT_FALSE(matches("abc", "ab"));
}

TEST(Glob, WalksDirectories)
{
    auto world = TestWorld {};
    world.files = { { "/b/", "" }, { "/b/x.c", "" }, { "/b/y.c", "" }, { "/b/z.h", "" },
        { "/c/", "" }, { "/c/x.c", "" }, { "/d", "" } };
    using Names = std::vector<std::string>;
    EXPECT_EQ(*glob(world, "/", "*"), (Names { "b", "c", "d" }));
    EXPECT_EQ(*glob(world, "/b", "*.c"), (Names { "x.c", "y.c" }));
    EXPECT_EQ(*glob(world, "/d", "/*/x.c"), (Names { "/b/x.c", "/c/x.c" }));
    EXPECT_EQ(*glob(world, "/c", "../b/?.h"), (Names { "../b/z.h" }));
    EXPECT_EQ(*glob(world, "/", "*/"), (Names { "b/", "c/" }));
    EXPECT_EQ(*glob(world, "/", "no*"), Names {});
}

TEST(Arithmetic, Evaluates)
{
    auto const value = [](std::string_view text) {
        return evaluate(text, [](std::string_view name) {
            return name == "x" ? "7" : name == "wc" ? "   16\n" : "";
        });
    };
    EXPECT_EQ(value("1 + 2 * 3"), 7);
    EXPECT_EQ(value("(1 + 2) * -3"), -9);
    EXPECT_EQ(value("10 - 3 - 2"), 5);
    EXPECT_EQ(value("x % 4 == 3 && $x > 6"), 1);
    EXPECT_EQ(value("!x || unset"), 0);
    EXPECT_EQ(value("0x10"), 16);
    EXPECT_EQ(value("wc + 1"), 17);
    EXPECT_EQ(value("1 << 10 > 1023"), 1);
    EXPECT_EQ(value("-8 >> 1 + 1"), -2);
    EXPECT_EQ(value("-9223372036854775807 - 1"), INT64_MIN);
    EXPECT_EQ(value("(0 - 9223372036854775807 - 1) / -1"), INT64_MIN);
    EXPECT_EQ(value("1 / 0").error(), "division by zero");
    EXPECT_EQ(value("1 +").error(), "expected a number at the end");
    EXPECT_EQ(value("1 2").error(), "unexpected `2`");
    EXPECT_EQ(value("99999999999999999999").error(), "`99999999999999999999` is not a number");
    EXPECT_FALSE(value(std::string(100, '(')));
}

} // namespace
} // namespace gemel::gsh
