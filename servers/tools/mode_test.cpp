// Goal: chmod's modes mean what POSIX says.
// Method: pairs of a mode's text and what it makes of a mode that was there.
#include "servers/tools/mode.hpp"

#include <gtest/gtest.h>

namespace gemel::tools {

TEST(Mode, Octal)
{
    EXPECT_EQ(changed_mode("755", 0, ModeOf::file), 0755);
    EXPECT_EQ(changed_mode("0", 0777, ModeOf::file), 0);
    EXPECT_EQ(changed_mode("7777", 0, ModeOf::file), 07777);
    EXPECT_EQ(changed_mode("10000", 0, ModeOf::file), std::nullopt);
    EXPECT_EQ(changed_mode("778", 0, ModeOf::file), std::nullopt);
}

TEST(Mode, Clauses)
{
    EXPECT_EQ(changed_mode("u+x", 0644, ModeOf::file), 0744);
    EXPECT_EQ(changed_mode("+x", 0644, ModeOf::file), 0755);
    EXPECT_EQ(changed_mode("go-rwx", 0755, ModeOf::file), 0700);
    EXPECT_EQ(changed_mode("a=r", 0755, ModeOf::file), 0444);
    EXPECT_EQ(changed_mode("u=rw,go=", 0755, ModeOf::file), 0600);
    EXPECT_EQ(changed_mode("u=", 04755, ModeOf::file), 0055);
    EXPECT_EQ(changed_mode("a+X", 0644, ModeOf::file), 0644);
    EXPECT_EQ(changed_mode("a+X", 0644, ModeOf::directory), 0755);
    EXPECT_EQ(changed_mode("a+X", 0744, ModeOf::file), 0755);
    EXPECT_EQ(changed_mode("u+s,g+s,o+t", 0755, ModeOf::file), 07755);
    EXPECT_EQ(changed_mode("u+s", 0755, ModeOf::file), 04755);
    EXPECT_EQ(changed_mode("+t", 0777, ModeOf::directory), 01777);
    EXPECT_EQ(changed_mode("u+r-w", 0200, ModeOf::file), 0400);
}

TEST(Mode, WhatIsNoMode)
{
    for (auto const* text : { "", "u", "x", "u+q", "u+x,", ",u+x", "u?x", "88", "-1", "+x y" })
        EXPECT_EQ(changed_mode(text, 0644, ModeOf::file), std::nullopt) << text;
}

} // namespace gemel::tools
