#include "servers/fskit/path.hpp"

#include <gtest/gtest.h>

namespace gemel::fskit {
namespace {

using Components = std::vector<std::string>;

// Goal: a path falls into the components POSIX says, whatever its slashes and dots.
// Method: a table of texts.
TEST(Path, SplitsIntoComponents)
{
    struct Case {
        std::string_view path;
        Components components;
        PathEnding ending;
    };
    for (auto const& [path, components, ending] : {
             Case { "/", {}, PathEnding::slash },
             Case { "///", {}, PathEnding::slash },
             Case { "/a", { "a" }, PathEnding::name },
             Case { "//a//b", { "a", "b" }, PathEnding::name },
             Case { "/a/./b/.", { "a", "b" }, PathEnding::dot },
             Case { "/a/b/", { "a", "b" }, PathEnding::slash },
             Case { "/a/../b/..", { "a", "..", "b", ".." }, PathEnding::dot },
             Case { "/...", { "..." }, PathEnding::name },
             Case { ".", {}, PathEnding::dot },
         }) {
        auto const split = split_path(path);
        ASSERT_TRUE(split) << path;
        EXPECT_EQ(split->components, components) << path;
        EXPECT_EQ(split->ending, ending) << path;
    }
}

// Goal: bounds are where the documentation says.
// Method: one below, at and one over each.
TEST(Path, HoldsItsBounds)
{
    EXPECT_TRUE(split_path("/" + std::string(255, 'n')));
    EXPECT_EQ(split_path("/" + std::string(256, 'n')).error(), Error::name_too_long);
    std::string longest;
    while (longest.size() < path_bytes_max)
        longest += "/x";
    longest.resize(path_bytes_max);
    EXPECT_TRUE(split_path(longest));
    EXPECT_EQ(split_path(longest + "/").error(), Error::name_too_long);
    EXPECT_EQ(split_path("").error(), Error::not_found);
    EXPECT_EQ(split_path(std::string_view("/a\0b", 4)).error(), Error::invalid);
}

// Goal: every byte but '/' and NUL may stand in a name, and is kept.
// Method: a path of one such name for each.
TEST(Path, KeepsEveryByte)
{
    for (int byte = 1; byte < 256; ++byte) {
        if (byte == '/' || byte == '.')
            continue;
        std::string const name(1, static_cast<char>(byte));
        auto const split = split_path("/" + name);
        ASSERT_TRUE(split) << byte;
        EXPECT_EQ(split->components, Components { name }) << byte;
        EXPECT_TRUE(check_name(name)) << byte;
    }
    EXPECT_EQ(check_name("a/b").error(), Error::invalid);
    EXPECT_EQ(check_name("..").error(), Error::invalid);
    EXPECT_EQ(check_name("").error(), Error::invalid);
    EXPECT_EQ(check_name(std::string_view("\0", 1)).error(), Error::invalid);
}

} // namespace
} // namespace gemel::fskit
