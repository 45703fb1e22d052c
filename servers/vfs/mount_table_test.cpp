#include "servers/vfs/mount_table.hpp"

#include <gtest/gtest.h>

namespace gemel::vfs {
namespace {

struct NamedMount {
    std::string path;
    u64 id;
};

MountTable<NamedMount> table_of(std::vector<std::string> const& paths)
{
    MountTable<NamedMount> table;
    u64 id = 0;
    for (auto const& path : paths)
        EXPECT_TRUE(table.put(make_ref<NamedMount>(path, ++id)));
    return table;
}

// Goal: the mount with the longest prefix by whole components serves a path.
// Method: mounts whose names are prefixes of each other's.
TEST(MountTable, FindsTheLongestPrefixByComponents)
{
    auto const table = table_of({ "/", "/tmp", "/tmp/inner", "/t" });
    EXPECT_EQ((*table.find("/"))->path, "/");
    EXPECT_EQ((*table.find("/tmp"))->path, "/tmp");
    EXPECT_EQ((*table.find("/tmpx"))->path, "/");
    EXPECT_EQ((*table.find("/tmp/innermost"))->path, "/tmp");
    EXPECT_EQ((*table.find("/tmp/inner/a/b"))->path, "/tmp/inner");
    EXPECT_EQ((*table.find("/t/mp"))->path, "/t");
    EXPECT_FALSE(MountTable<NamedMount>().find("/"));
}

// Goal: a name relative to its mount is what the file system expects.
// Method: the root, a mount's own path, paths below.
TEST(MountTable, NamesAPathBelowItsMount)
{
    EXPECT_EQ(below("/", "/"), "");
    EXPECT_EQ(below("/a/b", "/"), "a/b");
    EXPECT_EQ(below("/tmp", "/tmp"), "");
    EXPECT_EQ(below("/tmp/a", "/tmp"), "a");
}

// Goal: mount points, and directories that hold some, cannot go.
// Method: ask for paths above, at and beside.
TEST(MountTable, KnowsWhatIsBusy)
{
    auto table = table_of({ "/", "/a/b", "/a/b/c" });
    EXPECT_TRUE(table.is_busy("/a"));
    EXPECT_TRUE(table.is_busy("/a/b"));
    EXPECT_FALSE(table.is_busy("/a/bb"));
    EXPECT_FALSE(table.is_busy("/a/b/c/d"));
    EXPECT_EQ(table.remove("/a/b").error(), Error::busy);
    EXPECT_EQ(table.remove("/a").error(), Error::not_found);
    EXPECT_TRUE(table.remove("/a/b/c"));
    EXPECT_TRUE(table.remove("/a/b"));
    EXPECT_FALSE(table.is_busy("/a"));
}

// Goal: what a listing adds is what is mounted directly there, in the order of mounting.
// Method: children, grandchildren and namesakes.
TEST(MountTable, ListsWhatStandsDirectlyInADirectory)
{
    auto const table = table_of({ "/", "/tmp", "/dev", "/dev/shm", "/devices" });
    auto const names = [&](std::string_view directory) {
        std::vector<std::string> paths;
        for (auto const& mount : table.directly_in(directory))
            paths.push_back(mount->path);
        return paths;
    };
    EXPECT_EQ(names("/"), (std::vector<std::string> { "/tmp", "/dev", "/devices" }));
    EXPECT_EQ(names("/dev"), std::vector<std::string> { "/dev/shm" });
    EXPECT_TRUE(names("/tmp").empty());
}

// Goal: the table is bounded, and a path has one mount: the last.
// Method: fill it, then mount again where something is.
TEST(MountTable, ReplacesAndRefuses)
{
    auto table = table_of({ "/" });
    for (usize i = 1; i < mounts_max; ++i)
        EXPECT_TRUE(table.put(make_ref<NamedMount>("/m" + std::to_string(i), i)));
    EXPECT_EQ(table.put(make_ref<NamedMount>("/last", 99u)).error(), Error::too_big);
    EXPECT_TRUE(table.put(make_ref<NamedMount>("/m7", 100u)));
    EXPECT_EQ((*table.find("/m7/x"))->id, 100u);
    EXPECT_EQ(table.list().size(), mounts_max);
}

} // namespace
} // namespace gemel::vfs
