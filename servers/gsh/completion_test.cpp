// Goal: Tab offers commands and files where each belongs, quoted as the line needs it.
#include "servers/gsh/completion.hpp"

#include "servers/gsh/test_world.hpp"

#include <gtest/gtest.h>

namespace gemel::gsh {
namespace {

using Texts = std::vector<std::string>;

Texts offered(std::string_view line)
{
    TestWorld world;
    world.files
        = { { "/etc/", "" }, { "/etc/motd", "" }, { "/etc/.hidden", "" }, { "/my file", "" } };
    world.commands = { { "ls", {} }, { "log", {} }, { "cat", {} } };
    auto const found = complete_line({ world, "/", "/bin", { "cd", "help" } }, line);
    auto result = Texts {};
    for (auto const& text : found.texts)
        result.push_back(std::string(line.substr(0, found.start)) + text);
    return result;
}

TEST(Completion, CommandsAndFiles)
{
    EXPECT_EQ(offered("l"), (Texts { "log", "ls" }));
    EXPECT_EQ(offered("c"), (Texts { "cat", "cd" }));
    EXPECT_EQ(offered("if true; then he"), (Texts { "if true; then help" }));
    EXPECT_EQ(offered("ls | ca"), (Texts { "ls | cat" }));
    EXPECT_EQ(offered("ls e"), (Texts { "ls etc/" }));
    EXPECT_EQ(offered("ls etc/"), (Texts { "ls etc/motd" }));
    EXPECT_EQ(offered("ls etc/."), (Texts { "ls etc/.hidden" }));
    EXPECT_EQ(offered("/et"), (Texts { "/etc/" }));
    EXPECT_EQ(offered("cat >my"), (Texts { "cat >my\\ file" }));
    EXPECT_EQ(offered("cat my\\ f"), (Texts { "cat my\\ file" }));
    EXPECT_EQ(offered("cat 'my f"), (Texts { "cat my\\ file" }));
    EXPECT_EQ(offered("x=1 zzz"), Texts {});
}

} // namespace
} // namespace gemel::gsh
