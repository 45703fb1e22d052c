#include "servers/vfs/path_walk.hpp"

#include <gtest/gtest.h>

namespace gemel::vfs {
namespace {

PathWalk walk_of(std::string_view path, LastLink last = LastLink::follow)
{
    return PathWalk::begin(path, last).value();
}

// What the walk asks for next, as text; a prefix ends in "/..".
std::string asked(PathWalk& walk)
{
    auto const question = walk.next();
    return walk.text(question.count) + (question.whole ? "" : "/..");
}

// Goal: a path without ".." is one question.
// Method: ask.
TEST(PathWalk, AsksForAPlainPathAtOnce)
{
    auto walk = walk_of("//usr/./lib//x");
    EXPECT_EQ(asked(walk), "/usr/lib/x");
    auto root = walk_of("/");
    EXPECT_EQ(asked(root), "/");
}

// Goal: ".." leaves the directory before it only after that was looked at; the root's is the root.
// Method: answer prefix by prefix.
TEST(PathWalk, LooksBeforeItLeaves)
{
    auto walk = walk_of("/../a/b/../../../c");
    EXPECT_EQ(asked(walk), "/a/b/..");
    walk.prefix_is_directory();
    EXPECT_EQ(asked(walk), "/a/..");
    walk.prefix_is_directory();
    EXPECT_EQ(asked(walk), "/c");
}

// Goal: ".." after a symlink leaves where the link led, not where it stood.
// Method: /link/../x with link -> /deep/below.
TEST(PathWalk, LeavesWhereALinkLed)
{
    auto walk = walk_of("/link/../x");
    EXPECT_EQ(asked(walk), "/link/..");
    ASSERT_TRUE(walk.symlink(0, "/deep/below"));
    EXPECT_EQ(asked(walk), "/deep/below/..");
    walk.prefix_is_directory();
    EXPECT_EQ(asked(walk), "/deep/x");
}

// Goal: a relative text starts in the link's directory, an absolute one at the root; what follows
// the link follows its text.
// Method: both kinds in the middle.
TEST(PathWalk, ExpandsLinksInPlace)
{
    auto relative = walk_of("/a/link/z");
    ASSERT_TRUE(relative.symlink(1, "b/../c"));
    EXPECT_EQ(asked(relative), "/a/b/..");
    relative.prefix_is_directory();
    EXPECT_EQ(asked(relative), "/a/c/z");
    auto absolute = walk_of("/a/link/z");
    ASSERT_TRUE(absolute.symlink(1, "/"));
    EXPECT_EQ(asked(absolute), "/z");
}

// Goal: no more than 40 symlinks are followed.
// Method: a link to itself.
TEST(PathWalk, EndsInALoop)
{
    auto walk = walk_of("/loop");
    for (u32 i = 0; i < symlinks_max; ++i)
        ASSERT_TRUE(walk.symlink(0, "loop"));
    EXPECT_EQ(walk.symlink(0, "loop").error(), Error::symlink_loop);
}

// Goal: an expanded path is bounded, and a refused expansion changes nothing.
// Method: a link that doubles a long path; bad texts.
TEST(PathWalk, BoundsWhatLinksExpandTo)
{
    std::string half;
    while (half.size() < 2'000)
        half += "/abcdefgh";
    auto walk = walk_of("/l" + half);
    ASSERT_TRUE(walk.symlink(0, "l" + half));
    auto const before = asked(walk);
    EXPECT_EQ(walk.symlink(0, "l" + half).error(), Error::name_too_long);
    EXPECT_EQ(walk.symlink(0, "").error(), Error::not_found);
    EXPECT_EQ(walk.symlink(0, std::string(256, 'x')).error(), Error::name_too_long);
    EXPECT_EQ(walk.symlink(5'000, "x").error(), Error::invalid);
    EXPECT_EQ(asked(walk), before);
}

// Goal: "a/" must be a directory and follows a link; so must what a link's text "b/" names.
// Method: endings.
TEST(PathWalk, TrailingSlashAsksForADirectory)
{
    EXPECT_FALSE(walk_of("/a", LastLink::keep).directory_required());
    EXPECT_FALSE(walk_of("/a", LastLink::keep).follows_last());
    EXPECT_TRUE(walk_of("/a/", LastLink::keep).directory_required());
    EXPECT_TRUE(walk_of("/a/", LastLink::keep).follows_last());
    EXPECT_TRUE(walk_of("/a/.", LastLink::keep).directory_required());
    auto walk = walk_of("/link");
    ASSERT_TRUE(walk.symlink(0, "b/"));
    EXPECT_TRUE(walk.directory_required());
    auto middle = walk_of("/link/c");
    ASSERT_TRUE(middle.symlink(0, "b/"));
    EXPECT_FALSE(middle.directory_required());
}

TEST(PathWalk, RefusesWhatIsNoAbsolutePath)
{
    EXPECT_EQ(PathWalk::begin("a", LastLink::follow).error(), Error::invalid);
    EXPECT_EQ(PathWalk::begin("", LastLink::follow).error(), Error::not_found);
}

} // namespace
} // namespace gemel::vfs
