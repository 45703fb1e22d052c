#include "servers/init/bundle.hpp"
#include "servers/init/test_archive.hpp"

#include <gtest/gtest.h>
#include <string>

namespace gemel::init {

namespace {

using namespace test;

std::string archive()
{
    std::string bytes;
    add(bytes, "gemel", directory, "");
    add(bytes, "gemel/bin/tools", regular, "many tools");
    add(bytes, "gemel/bin/ls", symlink, "tools");
    add(bytes, "gemel/bin/far", symlink, "/gemel/etc/motd");
    add(bytes, "gemel/bin/self", symlink, "self");
    add(bytes, "gemel/etc/motd", regular, "hello");
    add(bytes, "TRAILER!!!", 0, "");
    return bytes;
}

Result<std::string> read(std::string const& bytes, std::string_view path)
{
    Bundle const bundle(std::as_bytes(std::span(bytes)));
    auto const data = TRY(bundle.file(path));
    return std::string(reinterpret_cast<char const*>(data.data()), data.size());
}

// Goal: files are found by path, through links beside them and absolute ones.
// Method: an archive with each.
TEST(Bundle, FindsFilesAndFollowsLinks)
{
    auto const bytes = archive();
    EXPECT_EQ(*read(bytes, "/gemel/etc/motd"), "hello");
    EXPECT_EQ(*read(bytes, "/gemel/bin/ls"), "many tools");
    EXPECT_EQ(*read(bytes, "/gemel/bin/far"), "hello");
    EXPECT_EQ(read(bytes, "/gemel/bin/self").error(), Error::symlink_loop);
    EXPECT_EQ(read(bytes, "/gemel").error(), Error::is_directory);
    EXPECT_EQ(read(bytes, "/gemel/none").error(), Error::not_found);
    EXPECT_EQ(read(bytes, "gemel/etc/motd").error(), Error::invalid);
}

// Goal: a cut or damaged archive ends in an error or a file, never outside its bytes.
// Method: every length, and every byte of the headers replaced (run under AddressSanitizer in CI).
TEST(Bundle, SurvivesDamage)
{
    auto const bytes = archive();
    for (usize length = 0; length < bytes.size(); ++length) {
        auto result = read(bytes.substr(0, length), "/gemel/etc/motd");
        EXPECT_EQ(std::move(result).value_or("hello"), "hello");
    }
    for (usize at = 0; at < bytes.size(); ++at) {
        auto damaged = bytes;
        damaged[at] = 'F';
        EXPECT_LE(read(damaged, "/gemel/none").value_or("").size(), bytes.size());
    }
}

} // namespace

} // namespace gemel::init
