#include "servers/init/services_file.hpp"
#include "servers/init/start_order.hpp"

#include <gtest/gtest.h>

namespace gemel::init {

namespace {

constexpr std::string_view two_services = R"(
[[services]]
name = "log"
binary = "/gemel/servers/log"
pages = 2048

[[services]]
name = "block"
binary = "/gemel/servers/block"
priority = 5
dependencies = ["devices"]
memory_part = 8
restart = { policy = "always", budget = 7, window_s = 10 }

[[services.ports]]
name = "devices"
capabilities = ["call", "derive"]
)";

// Goal: what is written is what comes out, and what is left out has its default.
// Method: two entries with every kind of value.
TEST(ServicesFile, ReadsEveryKindOfValue)
{
    auto const file = parse_services(two_services);
    ASSERT_TRUE(file.problems.empty()) << file.problems.front().message;
    ASSERT_EQ(file.services.size(), 2u);
    EXPECT_EQ(file.services[0].name, "log");
    EXPECT_EQ(file.services[0].pages, 2048u);
    EXPECT_TRUE(file.services[0].auto_start);
    auto const& block = file.services[1];
    EXPECT_EQ(block.binary, "/gemel/servers/block");
    EXPECT_EQ(block.priority, 5);
    EXPECT_EQ(block.memory_part, 8u);
    EXPECT_EQ(file.services[0].memory_part, 0u);
    EXPECT_EQ(block.dependencies, std::vector<std::string> { "devices" });
    EXPECT_EQ(block.restart.policy, RestartPolicy::always);
    EXPECT_EQ(block.restart.budget, 7u);
    EXPECT_EQ(block.restart.window_s, 10u);
    ASSERT_EQ(block.ports.size(), 1u);
    EXPECT_EQ(block.ports[0].from, "devices");
    EXPECT_EQ(block.ports[0].rights, Right::call | Right::derive);
}

// Goal: text that is not TOML is one problem at its place.
// Method: a string that never ends in line 3.
TEST(ServicesFile, SaysWhereTheTextBreaks)
{
    auto const file = parse_services("[[services]]\nname = \"a\"\nbinary = \"/x\n");
    EXPECT_TRUE(file.services.empty());
    ASSERT_EQ(file.problems.size(), 1u);
    EXPECT_EQ(file.problems[0].line, 3u);
    EXPECT_GE(file.problems[0].column, 10u);
}

// Goal: a mistake costs its own entry and no other.
// Method: entries that are wrong in different ways around good ones.
TEST(ServicesFile, KeepsWhatIsRight)
{
    auto const file = parse_services(R"(
[[services]]
name = "good"
binary = "/a"
[[services]]
name = "bad name"
binary = "/b"
[[services]]
name = "far"
binary = "/c"
priority = 9
[[services]]
name = "slip"
binary = "/d"
prioriti = 3
[[services]]
name = "good"
binary = "/again"
[[services]]
name = "also-good"
binary = "/e"
)");
    ASSERT_EQ(file.services.size(), 2u);
    EXPECT_EQ(file.services[0].name, "good");
    EXPECT_EQ(file.services[0].binary, "/a");
    EXPECT_EQ(file.services[1].name, "also-good");
    ASSERT_EQ(file.problems.size(), 4u);
    EXPECT_EQ(file.problems[0].line, 5u);
    EXPECT_EQ(file.problems[1].line, 11u);
    EXPECT_NE(file.problems[1].message.find("priority"), std::string::npos);
    EXPECT_EQ(file.problems[2].line, 15u);
    EXPECT_NE(file.problems[2].message.find("prioriti"), std::string::npos);
}

// Goal: a port with a right that does not exist takes its service along, and says so.
// Method: one such port.
TEST(ServicesFile, RefusesAnUnknownRight)
{
    auto const file
        = parse_services("[[services]]\nname = \"a\"\nbinary = \"/a\"\n"
                         "[[services.ports]]\nname = \"b\"\ncapabilities = [\"fly\"]\n");
    EXPECT_TRUE(file.services.empty());
    ASSERT_FALSE(file.problems.empty());
    EXPECT_NE(file.problems[0].message.find("fly"), std::string::npos);
}

// Goal: the bound on services holds.
// Method: one more than it.
TEST(ServicesFile, StopsAtTheBound)
{
    std::string text;
    for (usize i = 0; i <= services_max; ++i)
        text += "[[services]]\nname = \"s" + std::to_string(i) + "\"\nbinary = \"/b\"\n";
    auto const file = parse_services(text);
    EXPECT_EQ(file.services.size(), services_max);
    EXPECT_EQ(file.problems.size(), 1u);
}

// Goal: the disk's file replaces by name and adds.
// Method: one of each.
TEST(ServicesFile, DiskEntriesReplaceAndAdd)
{
    auto merged
        = merge_services({ { .name = "a", .binary = "/1" }, { .name = "b", .binary = "/2" } },
            { { .name = "b", .binary = "/3" }, { .name = "c", .binary = "/4" } });
    ASSERT_EQ(merged.size(), 3u);
    EXPECT_EQ(merged[0].binary, "/1");
    EXPECT_EQ(merged[1].binary, "/3");
    EXPECT_EQ(merged[2].name, "c");
}

// Goal: every service starts after its dependencies, otherwise in the file's order.
// Method: a chain that is written backwards.
TEST(StartOrder, DependenciesFirst)
{
    std::vector<Service> const services { { .name = "ext4", .dependencies = { "block" } },
        { .name = "log" }, { .name = "block", .dependencies = { "devices" } },
        { .name = "devices" } };
    auto const result = start_order(services);
    EXPECT_TRUE(result.problems.empty());
    EXPECT_EQ(result.order, (std::vector<usize> { 1, 3, 2, 0 }));
}

// Goal: a cycle and a dependency nobody declares leave out those services alone, by name.
// Method: one of each, and one service without either.
TEST(StartOrder, LeavesOutWhatCannotStart)
{
    std::vector<Service> const services { { .name = "a", .dependencies = { "b" } },
        { .name = "b", .dependencies = { "a" } }, { .name = "c", .dependencies = { "ghost" } },
        { .name = "d" } };
    auto const result = start_order(services);
    EXPECT_EQ(result.order, std::vector<usize> { 3 });
    ASSERT_EQ(result.problems.size(), 3u);
    EXPECT_NE(result.problems[2].find("ghost"), std::string::npos);
}

} // namespace

} // namespace gemel::init
