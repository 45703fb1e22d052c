#include "frontends/cli/script_word.hpp"

#include <gtest/gtest.h>

namespace gemel::cli {
namespace {

TEST(ScriptWord, EscapesWhatWouldEndOrBendAWord)
{
    EXPECT_EQ(script_word("cat /etc/motd; ls"), "cat%20/etc/motd%3B%20ls");
    EXPECT_EQ(
        script_word("echo \"100%\" > /tmp/\xC3\xA9"), "echo%20%22100%25%22%20%3E%20/tmp/%C3%A9");
}

} // namespace
} // namespace gemel::cli
