// Goal: grep finds what POSIX basic expressions of everyday use say.
// Method: pattern and line pairs.
#include "servers/tools/pattern.hpp"

#include <gtest/gtest.h>

namespace gemel::tools {
namespace {

bool found(std::string_view pattern, std::string_view line)
{
    return Pattern(pattern, Pattern::Case::matters).found_in(line);
}

TEST(Pattern, Finds)
{
    EXPECT_TRUE(found("b", "abc"));
    EXPECT_TRUE(found("", ""));
    EXPECT_TRUE(found("^cat$", "cat"));
    EXPECT_TRUE(found("a.*d$", "xabcd"));
    EXPECT_TRUE(found("[0-9][0-9]*", "ab12"));
    EXPECT_TRUE(found("[^a]", "ab"));
    EXPECT_TRUE(found("ro\\|rw", "x rw"));
    EXPECT_TRUE(found("a\\.b", "a.b"));
    EXPECT_TRUE(found("x*", ""));
    EXPECT_TRUE(found("[", "a["));
    EXPECT_TRUE(found("a$b", "a$b"));
    EXPECT_TRUE(Pattern("ABC", Pattern::Case::ignored).found_in("xabcx"));
    EXPECT_FALSE(found("^cat$", "cats"));
    EXPECT_FALSE(found("a\\.b", "axb"));
    EXPECT_FALSE(found("[^a]", "aaa"));
    EXPECT_FALSE(found("abc", "ab"));
}

// Goal: no pattern takes time out of proportion.
TEST(Pattern, IsNotExponential)
{
    auto pattern = std::string {};
    for (int i = 0; i < 30; ++i)
        pattern += "a*";
    EXPECT_FALSE(found("^" + pattern + "b$", std::string(300, 'a')));
}

} // namespace
} // namespace gemel::tools
