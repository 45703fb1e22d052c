#include "servers/init/boot_words.hpp"

#include <gtest/gtest.h>

namespace gemel::init {

namespace {

// Goal: what the command line escaped comes back, and what it never writes is refused.
// Method: an escaped script, and three broken escapes.
TEST(BootWords, UnescapesScripts)
{
    EXPECT_EQ(*unescape("cat%20/etc/motd%3B%20ls"), "cat /etc/motd; ls");
    EXPECT_EQ(*unescape("%25%0A%FF"), "%\n\xFF");
    EXPECT_EQ(*unescape(""), "");
    EXPECT_EQ(unescape("%").error(), Error::syntax);
    EXPECT_EQ(unescape("a%4").error(), Error::syntax);
    EXPECT_EQ(unescape("%4g").error(), Error::syntax);
}

} // namespace

} // namespace gemel::init
