// Goal: what the tools print is what a user of Unix reads without thinking.
// Method: values with known texts, bounds included; hexdump against the format of POSIX hosts.
#include "servers/tools/format.hpp"

#include "servers/tools/list.hpp"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace gemel::tools {
namespace {

TEST(Format, Sizes)
{
    EXPECT_EQ(human_size(0), "0");
    EXPECT_EQ(human_size(1023), "1023");
    EXPECT_EQ(human_size(1024), "1.0K");
    EXPECT_EQ(human_size(1025), "1.1K");
    EXPECT_EQ(human_size(10 * 1024), "10K");
    EXPECT_EQ(human_size(256 << 20), "256M");
    EXPECT_EQ(human_size(~u64 { 0 }), "16E");
}

TEST(Format, Modes)
{
    EXPECT_EQ(mode_text(FileKind::regular, 0644), "-rw-r--r--");
    EXPECT_EQ(mode_text(FileKind::directory, 01777), "drwxrwxrwt");
    EXPECT_EQ(mode_text(FileKind::regular, 06640), "-rwSr-S---");
    EXPECT_EQ(mode_text(FileKind::symlink, 0777), "lrwxrwxrwx");
    EXPECT_EQ(mode_text(FileKind::character_device, 0600), "crw-------");
}

TEST(Format, Times)
{
    EXPECT_EQ(time_text({}), "1970-01-01 00:00");
    EXPECT_EQ(time_text({ 951'827'696, 0 }), "2000-02-29 12:34");
    EXPECT_EQ(time_text({ 1'795'179'599, 999'999'999 }), "2026-11-20 12:59");
    EXPECT_EQ(time_text({ -1, 999'999'999 }), "1969-12-31 23:59");
    EXPECT_EQ(time_text({ 15'032'385'535, 0 }), "2446-05-10 22:38");
    EXPECT_EQ(seconds_text(1'002'999'999), "1.002");
}

TEST(Format, Hexdump)
{
    EXPECT_EQ(hexdump_row(0x10, "0123456789abcdef"),
        "00000010  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|");
    EXPECT_EQ(hexdump_row(0, std::string_view("a\0\xff", 3)),
        "00000000  61 00 ff                                          |a..|");
}

TEST(Format, Tables)
{
    auto table = Table({ Align::right, Align::left, Align::left });
    table.add({ "N", "NAME", "X" });
    table.add({ "10", "a", "" });
    EXPECT_EQ(table.text(), " N  NAME  X\n10  a\n");
    EXPECT_EQ(in_columns({ "a", "bb", "c", "d", "e" }, 10), "a   d\nbb  e\nc\n");
    EXPECT_EQ(in_columns({}, 80), "");
    EXPECT_EQ(padded("\xC3\xA9", 3, Align::right), "  \xC3\xA9");
}

// Goal: a name in list.hpp without a link in the bundle, or the other way round, is noticed.
TEST(List, IsWhatTheBundleHolds)
{
    auto file = std::ifstream(TOOLS_CMAKE_LISTS);
    auto text = std::stringstream {};
    text << file.rdbuf();
    auto words = text.str();
    words = words.substr(words.find("COMMANDS") + 8);
    words = words.substr(0, words.find(')'));
    auto stream = std::istringstream(words);
    auto names = std::vector<std::string> {};
    for (std::string word; stream >> word;)
        names.push_back(word);
    auto listed = std::vector<std::string> {};
    for (auto const& command : commands)
        listed.emplace_back(command.name);
    EXPECT_EQ(names, listed);
    EXPECT_TRUE(std::ranges::is_sorted(listed));
}

} // namespace
} // namespace gemel::tools
