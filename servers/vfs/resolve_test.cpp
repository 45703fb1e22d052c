// The name space over real trees, without messages: mounts are tmpfs trees.
#include "servers/vfs/resolve.hpp"

#include "servers/tmpfs/tree.hpp"

#include <gtest/gtest.h>

namespace gemel::vfs {
namespace {

struct TreeMount {
    std::string path;
    u64 id = 0;
    tmpfs::Tree tree { { .now_ns = [] { return i64 { 1 }; } } };

    TreeMount(std::string at, u64 number)
        : path(std::move(at))
        , id(number)
    {
    }

    Result<std::variant<FileKind, fskit::LinkMet>> probe(std::string_view relative)
    {
        auto const met = TRY(fskit::walk(tree, relative, LastLink::follow));
        if (auto const* const link = std::get_if<fskit::LinkMet>(&met))
            return std::variant<FileKind, fskit::LinkMet>(*link);
        auto const& place = std::get<fskit::Place>(met);
        if (!place.node)
            return Error::not_found;
        return std::variant<FileKind, fskit::LinkMet>(TRY(tree.status(*place.node)).kind);
    }
};

class NameSpace : public testing::Test {
protected:
    void mount(std::string path)
    {
        ASSERT_TRUE(mounts_.put(make_ref<TreeMount>(path, ++next_id_)));
    }

    // Makes what the path names, in the tree of its mount; parents must be there.
    void make(std::string_view path, FileKind kind, std::string_view link_text = {})
    {
        auto const mount = *mounts_.find(path);
        auto const met = fskit::walk(mount->tree, below(path, mount->path), LastLink::keep);
        auto const& place = std::get<fskit::Place>(met.value());
        ASSERT_TRUE(mount->tree.make(
            { place.parent, place.name }, { .kind = kind, .link_text = link_text }));
    }
    void directory(std::string_view path) { make(path, FileKind::directory); }
    void file(std::string_view path) { make(path, FileKind::regular); }
    void link(std::string_view path, std::string_view text) { make(path, FileKind::symlink, text); }

    // The real path of what is found, or the error's name.
    std::string real(std::string_view path)
    {
        auto walk = PathWalk::begin(path, LastLink::follow);
        if (!walk)
            return std::string(name_of(walk.error()));
        using Answer = std::variant<std::string, fskit::LinkMet>;
        auto const found
            = resolve<std::string>(mounts_, *walk, [](auto const& at) -> Result<Answer> {
                  auto const met = TRY(at.mount->probe(at.relative()));
                  if (auto const* const link = std::get_if<fskit::LinkMet>(&met))
                      return Answer(*link);
                  return Answer(at.text);
              });
        return found ? *found : std::string(name_of(found.error()));
    }

    std::string rename(std::string_view from, std::string_view to)
    {
        auto walk_from = PathWalk::begin(from, LastLink::keep).value();
        auto walk_to = PathWalk::begin(to, LastLink::keep).value();
        auto const pair = locate_pair(mounts_, walk_from, walk_to);
        return pair ? pair->from.text + " " + pair->to.text : std::string(name_of(pair.error()));
    }

    MountTable<TreeMount> mounts_;
    u64 next_id_ = 0;
};

// Goal: ".." climbs out of a mount into what it is mounted on, and links lead across mounts.
// Method: a tree on a tree, links both ways.
TEST_F(NameSpace, CrossesMounts)
{
    mount("/");
    directory("/home");
    mount("/tmp");
    file("/tmp/f");
    directory("/tmp/d");
    link("/tmp/out", "../home");
    link("/home/in", "/tmp/d");
    link("/home/beside", "../tmp/f");
    EXPECT_EQ(real("/tmp/d/../f"), "/tmp/f");
    EXPECT_EQ(real("/tmp/.."), "/");
    EXPECT_EQ(real("/tmp/out"), "/home");
    EXPECT_EQ(real("/tmp/out/in/../f"), "/tmp/f");
    EXPECT_EQ(real("/home/beside"), "/tmp/f");
    EXPECT_EQ(real("/home/beside/"), "/tmp/f"); // whoever asked checks directory_required
}

// Goal: "a/.." needs a to be a directory that is there.
// Method: a file and nothing.
TEST_F(NameSpace, DoesNotLeaveWhatIsNoDirectory)
{
    mount("/");
    file("/f");
    EXPECT_EQ(real("/f/.."), "not a directory");
    EXPECT_EQ(real("/none/.."), "not found");
    EXPECT_EQ(real("/f/x"), "not a directory");
}

// Goal: loops of symlinks end, through mounts and through "..".
// Method: two links that name each other.
TEST_F(NameSpace, EndsInALoop)
{
    mount("/");
    mount("/m");
    link("/a", "m/../m/b");
    link("/m/b", "/a");
    EXPECT_EQ(real("/a"), "too many levels of symbolic links");
    EXPECT_EQ(real("/a/.."), "too many levels of symbolic links");
    link("/c", "c/x");
    EXPECT_EQ(real("/c"), "too many levels of symbolic links");
}

// Goal: a chain of 40 links is followed, of 41 not.
// Method: build one.
TEST_F(NameSpace, FollowsFortyLinks)
{
    mount("/");
    file("/0");
    for (int i = 1; i <= 41; ++i)
        link("/" + std::to_string(i), std::to_string(i - 1));
    EXPECT_EQ(real("/40"), "/0");
    EXPECT_EQ(real("/41"), "too many levels of symbolic links");
}

// Goal: a rename is judged by where its paths really lead.
// Method: links to and from another mount.
TEST_F(NameSpace, JudgesARenameByWhereItLeads)
{
    mount("/");
    mount("/tmp");
    file("/tmp/f");
    link("/way", "tmp");
    directory("/d");
    EXPECT_EQ(rename("/tmp/f", "/way/g"), "/tmp/f /tmp/g");
    EXPECT_EQ(rename("/way/f", "/tmp/g"), "/tmp/f /tmp/g");
    EXPECT_EQ(rename("/tmp/f", "/d/g"), "different file systems");
    EXPECT_EQ(rename("/tmp/f", "/none/g"), "not found");
}

TEST_F(NameSpace, WithoutAMountNothingIsThere)
{
    EXPECT_EQ(real("/"), "unavailable");
}

} // namespace
} // namespace gemel::vfs
