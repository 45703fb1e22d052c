// rename(), case by case as POSIX names them, then at random beside a naive model.
#include "servers/tmpfs/tree_test.hpp"

#include <map>
#include <random>

namespace gemel::tmpfs {
namespace {

constexpr auto directory = FileKind::directory;

TEST_F(TreeTest, RenameReplacesAFile)
{
    auto const moved = make("a").value();
    auto const replaced = make("b").value();
    ASSERT_TRUE(tree_.open(replaced));
    ASSERT_TRUE(rename("a", "b"));
    EXPECT_EQ(node("a"), 0u);
    EXPECT_EQ(node("b"), moved);
    EXPECT_EQ(tree_.status(replaced).value().links, 0u); // open, so it lives
    tree_.close(replaced);
}

TEST_F(TreeTest, RenameOntoItselfDoesNothing)
{
    auto const file = make("a").value();
    ASSERT_TRUE(make("d", directory));
    EXPECT_TRUE(rename("a", "a"));
    EXPECT_EQ(node("a"), file);
    auto const inner = node("d");
    EXPECT_TRUE(rename("d", "d"));
    EXPECT_EQ(node("d"), inner);
}

TEST_F(TreeTest, RenameRespectsKinds)
{
    ASSERT_TRUE(make("f"));
    ASSERT_TRUE(make("d", directory));
    ASSERT_TRUE(make("empty", directory));
    ASSERT_TRUE(make("full", directory));
    ASSERT_TRUE(make("full/x"));
    EXPECT_EQ(rename("f", "d").error(), Error::is_directory);
    EXPECT_EQ(rename("d", "f").error(), Error::not_directory);
    EXPECT_EQ(rename("d", "full").error(), Error::not_empty);
    EXPECT_EQ(rename("none", "x").error(), Error::not_found);
    EXPECT_TRUE(rename("d", "empty"));
    EXPECT_EQ(node("d"), 0u);
}

TEST_F(TreeTest, RenameRefusesItsOwnSubtree)
{
    ASSERT_TRUE(make("d", directory));
    ASSERT_TRUE(make("d/e", directory));
    ASSERT_TRUE(make("d/e/f", directory));
    EXPECT_EQ(rename("d", "d/x").error(), Error::invalid);
    EXPECT_EQ(rename("d", "d/e/f/x").error(), Error::invalid);
    EXPECT_EQ(rename("d/e/f", "d").error(), Error::not_empty); // onto its ancestor
    EXPECT_NE(node("d/e/f"), 0u);
}

TEST_F(TreeTest, RenameKeepsLinkCounts)
{
    ASSERT_TRUE(make("a", directory));
    ASSERT_TRUE(make("b", directory));
    ASSERT_TRUE(make("a/d", directory));
    ASSERT_TRUE(make("b/d", directory));
    EXPECT_EQ(links("a"), 3u);
    ASSERT_TRUE(rename("a/d", "b/e"));
    EXPECT_EQ(links("a"), 2u);
    EXPECT_EQ(links("b"), 4u);
    ASSERT_TRUE(rename("b/e", "b/d")); // replaces
    EXPECT_EQ(links("b"), 3u);
    ASSERT_TRUE(rename("b/d", "a/d"));
    EXPECT_EQ(links("a"), 3u);
    EXPECT_EQ(links("b"), 2u);
    ASSERT_TRUE(make("a/d/x", directory)); // the moved directory knows its new parent
    EXPECT_EQ(rename("a", "a/d/x/y").error(), Error::invalid);
}

// Goal: exchange trades two names in one step, no_replace keeps what stands there.
// Method: a file and a directory in two directories; then the refusals.
TEST_F(TreeTest, RenameModes)
{
    ASSERT_TRUE(make("a", directory));
    ASSERT_TRUE(make("b", directory));
    auto const moved = make("a/d", directory).value();
    auto const file = make("b/f").value();
    ASSERT_TRUE(rename("a/d", "b/f", RenameMode::exchange));
    EXPECT_EQ(node("a/d"), file);
    EXPECT_EQ(node("b/f"), moved);
    EXPECT_EQ(links("a"), 2u);
    EXPECT_EQ(links("b"), 3u);
    EXPECT_EQ(rename("b", "b/f", RenameMode::exchange).error(), Error::invalid);
    EXPECT_EQ(rename("a/d", "none", RenameMode::exchange).error(), Error::not_found);
    EXPECT_EQ(rename("a/d", "b/f", RenameMode::no_replace).error(), Error::exists);
    EXPECT_TRUE(rename("a/d", "b/g", RenameMode::no_replace));
    EXPECT_EQ(node("b/g"), file);
}

// A file system as a map from path to kind: rename rewrites prefixes.
struct Model {
    std::map<std::string, FileKind> files;

    bool has_children(std::string const& path) const
    {
        auto const next = files.lower_bound(path + "/");
        return next != files.end() && next->first.starts_with(path + "/");
    }
    bool parent_is_directory(std::string const& path) const
    {
        auto const slash = path.rfind('/');
        if (slash == std::string::npos)
            return true;
        auto const parent = files.find(path.substr(0, slash));
        return parent != files.end() && parent->second == directory;
    }
    bool rename(std::string const& from, std::string const& to)
    {
        auto const moved = files.find(from);
        auto const replaced = files.find(to);
        if (from == to)
            return true;
        if (moved->second == directory && to.starts_with(from + "/"))
            return false;
        if (replaced != files.end() && (replaced->second != moved->second || has_children(to)))
            return false;
        std::map<std::string, FileKind> after;
        for (auto const& [path, kind] : files) {
            if (path == from || path.starts_with(from + "/"))
                after[to + path.substr(from.size())] = kind;
            else if (path != to)
                after.emplace(path, kind);
        }
        files = std::move(after);
        return true;
    }
};

// Goal: any sequence of make, remove and rename leaves what a naive model leaves.
// Method: 20,000 random steps over few names, so that collisions are common.
TEST_F(TreeTest, RandomChangesAgreeWithAModel)
{
    Model model;
    std::mt19937 random(7);
    auto const random_path = [&] {
        std::string path(1, static_cast<char>('a' + random() % 3));
        for (auto depth = random() % 3; depth > 0; --depth)
            path += std::string("/") + static_cast<char>('a' + random() % 3);
        return path;
    };
    for (int step = 0; step < 20'000; ++step) {
        auto const path = random_path();
        auto const other = random_path();
        if (!model.parent_is_directory(path) || !model.parent_is_directory(other))
            continue;
        auto const known = model.files.find(path);
        if (known == model.files.end()) {
            auto const kind = random() % 3 ? directory : FileKind::regular;
            ASSERT_TRUE(make(path, kind));
            model.files[path] = kind;
        } else if (random() % 3 == 0) {
            auto const kind = known->second == directory ? RemoveKind::directory : RemoveKind::file;
            ASSERT_EQ(tree_.remove(name(path), kind).has_value(), !model.has_children(path));
            if (!model.has_children(path))
                model.files.erase(path);
        } else {
            ASSERT_EQ(rename(path, other).has_value(), model.rename(path, other)) << path << other;
        }
        if (step % 50 != 0)
            continue;
        for (auto const& [at, kind] : model.files)
            ASSERT_EQ(tree_.status(node(at)).value().kind, kind) << step;
        ASSERT_EQ(tree_.volume().files_free, 16'384 - 1 - model.files.size());
    }
}

} // namespace
} // namespace gemel::tmpfs
