#include "servers/hostmount/node_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace gemel::hostmount {
namespace {

constexpr u64 root = NodeTable::root;
constexpr usize bytes_max = 1 << 20;

FileStatus file(u64 inode, u32 links = 1)
{
    return { .inode = inode, .links = links, .kind = FileKind::regular };
}
FileStatus directory(u64 inode)
{
    return { .inode = inode, .links = 2, .kind = FileKind::directory };
}

} // namespace

// Goal: a node's path is its names joined, and follows a rename of any directory above it.
TEST(NodeTable, PathsFollowRenames)
{
    NodeTable table({ bytes_max, 1 });
    auto const a = *table.learn(root, "a", directory(10));
    auto const b = *table.learn(a, "b", directory(11));
    auto const c = *table.learn(b, "c", file(12));
    EXPECT_EQ(*table.path(c), "a/b/c");
    EXPECT_EQ(*table.path(b, "new"), "a/b/new");
    EXPECT_EQ(*table.path(root), "");
    table.renamed(root, "a", root, "x");
    EXPECT_EQ(*table.path(c), "x/b/c");
    table.renamed(b, "c", root, "top");
    EXPECT_EQ(*table.path(c), "top");
    EXPECT_EQ(table.find(b, "c"), 0u);
}

// Goal: what the host forgets is gone, but not while something below it needs it.
TEST(NodeTable, ForgetsFromTheLeavesUp)
{
    NodeTable table({ bytes_max, 1 });
    auto const a = *table.learn(root, "a", directory(10));
    EXPECT_EQ(*table.learn(root, "a", directory(10)), a);
    auto const b = *table.learn(a, "b", file(11));
    table.forget(a, 2);
    EXPECT_EQ(*table.path(b), "a/b");
    table.forget(b, 1);
    EXPECT_EQ(table.count(), 1u);
    EXPECT_EQ(table.path(a).error(), Error::not_found);
    table.forget(b, 1000); // and what is unknown is no trouble
    table.forget(root, 5);
    EXPECT_TRUE(table.knows(root));
}

// Goal: two links to one file are one node, and either name leads to it.
TEST(NodeTable, LinksAreOneNode)
{
    NodeTable table({ bytes_max, 1 });
    auto const first = *table.learn(root, "first", file(12, 2));
    EXPECT_EQ(*table.learn(root, "second", file(12, 2)), first);
    table.removed(root, "first");
    EXPECT_EQ(*table.path(first), "second");
    table.removed(root, "second");
    EXPECT_EQ(table.path(first).error(), Error::not_found);
    EXPECT_TRUE(table.knows(first)); // open, perhaps
    // The inode's number is free now: a new file with it is a new node.
    EXPECT_NE(*table.learn(root, "third", file(12)), first);
}

// Goal: a link that the host learns of after the name it knew was removed is the same file.
TEST(NodeTable, AnUnseenLinkStaysTheSameNode)
{
    NodeTable table({ bytes_max, 1 });
    auto const node = *table.learn(root, "seen", file(12, 2));
    table.removed(root, "seen");
    EXPECT_EQ(*table.learn(root, "unseen", file(12)), node);
    EXPECT_EQ(*table.path(node), "unseen");
}

// Goal: a rename over a file takes its name; two links to one file both stay.
TEST(NodeTable, RenamesReplace)
{
    NodeTable table({ bytes_max, 1 });
    auto const one = *table.learn(root, "one", file(12));
    auto const two = *table.learn(root, "two", file(13));
    table.renamed(root, "one", root, "two");
    EXPECT_EQ(*table.path(one), "two");
    EXPECT_EQ(table.path(two).error(), Error::not_found);
    auto const linked = *table.learn(root, "l1", file(14, 2));
    (void)table.learn(root, "l2", file(14, 2));
    table.renamed(root, "l1", root, "l2");
    EXPECT_EQ(table.find(root, "l1"), linked);
    EXPECT_EQ(table.find(root, "l2"), linked);
}

TEST(NodeTable, Exchanges)
{
    NodeTable table({ bytes_max, 1 });
    auto const a = *table.learn(root, "a", directory(10));
    auto const inner = *table.learn(a, "inner", file(12));
    auto const f = *table.learn(root, "f", file(13));
    table.exchanged(a, "inner", root, "f");
    EXPECT_EQ(*table.path(f), "a/inner");
    EXPECT_EQ(*table.path(inner), "f");
    table.exchanged(root, "a", root, "unknown"); // the host never asked for the other
    EXPECT_EQ(*table.path(f), "unknown/inner");
}

// Goal: a path beyond the protocol's bound is refused, not cut.
TEST(NodeTable, LongPathsAreRefused)
{
    NodeTable table({ bytes_max, 1 });
    auto at = root;
    std::string const name(255, 'n');
    for (u64 level = 0; level < 15; ++level)
        at = *table.learn(at, name, directory(100 + level));
    EXPECT_EQ(table.path(at)->size(), 15 * 256 - 1u);
    EXPECT_TRUE(table.path(at, name));
    EXPECT_EQ(table.path(at, name + "1").error(), Error::name_too_long);
    auto const deepest = *table.learn(at, name, directory(200));
    EXPECT_TRUE(table.path(deepest));
    EXPECT_EQ(table.path(deepest, "a").error(), Error::name_too_long);
}

// Goal: a full table refuses new names, forgets as ever, and has room again then.
TEST(NodeTable, IsBounded)
{
    NodeTable table({ bytes_max, 1 });
    std::vector<u64> nodes;
    auto learned = table.learn(root, "f0", file(10));
    while (learned) {
        nodes.push_back(*learned);
        auto const number = std::to_string(nodes.size());
        learned = table.learn(root, "a name that is not short " + number, file(10 + nodes.size()));
    }
    EXPECT_EQ(learned.error(), Error::no_memory);
    EXPECT_FALSE(table.has_room());
    EXPECT_GT(nodes.size(), 5000u);
    EXPECT_LT(nodes.size(), 9000u);
    for (auto const node : nodes)
        table.forget(node, 1);
    EXPECT_EQ(table.count(), 1u);
    EXPECT_TRUE(table.has_room());
    for (u64 again = 0; again < nodes.size(); ++again)
        EXPECT_TRUE(table.learn(root, "f" + std::to_string(again), file(10 + again)));
}

// Goal: a number that was forgotten is nobody's, though what it stood for is used again.
TEST(NodeTable, NumbersAreNotGivenAgain)
{
    NodeTable table({ bytes_max, 1 });
    std::set<u64> seen { 0, root };
    for (u64 round = 0; round < 1000; ++round) {
        auto const node = *table.learn(root, "name", file(10 + round));
        EXPECT_TRUE(seen.insert(node).second);
        table.keep_last_status(root, "name", file(10 + round));
        table.removed(root, "name");
        EXPECT_TRUE(table.last_status(node));
        table.forget(node, 1);
        EXPECT_FALSE(table.knows(node));
        EXPECT_EQ(table.path(node).error(), Error::not_found);
        EXPECT_FALSE(table.last_status(node));
    }
    EXPECT_EQ(table.count(), 1u);
}

// Goal: any sequence of what a host does leaves what a plain map of names would hold.
// Method: random steps over few names, inodes and directories.
TEST(NodeTable, AgreesWithAMapOfNames)
{
    for (u32 seed = 1; seed <= 20; ++seed) {
        NodeTable table({ bytes_max, seed });
        std::mt19937 random(seed);
        std::map<std::string, u64> names; // -> inode
        std::map<u64, u64> nodes; // by inode
        auto const any_name = [&] { return "name " + std::to_string(random() % 300); };
        for (unsigned step = 0; step < 3000; ++step) {
            auto const name = any_name();
            auto const at = names.find(name);
            if (auto const what = random() % 4; what == 0) {
                table.removed(root, name);
                names.erase(name);
            } else if (what == 1 && at != names.end()) {
                auto const other = any_name();
                table.renamed(root, name, root, other);
                auto const inode = at->second;
                names.erase(at);
                names[other] = inode;
            } else if (at == names.end()) {
                auto const inode = 1000 + step;
                names[name] = inode;
                nodes[inode] = *table.learn(root, name, file(inode));
            }
            auto const now = names.find(name);
            ASSERT_EQ(table.find(root, name), now == names.end() ? 0 : nodes[now->second]);
        }
        for (auto const& [name, inode] : names)
            ASSERT_EQ(*table.path(nodes[inode]), name);
        for (auto const& [inode, node] : nodes)
            table.forget(node, 1);
        EXPECT_EQ(table.count(), 1u);
    }
}

// Goal: a file of many names loses and gains them in any order.
TEST(NodeTable, ManyNamesOfOneNode)
{
    NodeTable table({ bytes_max, 1 });
    auto const node = *table.learn(root, "0", file(12, 9));
    for (char name = '1'; name < '9'; ++name)
        EXPECT_EQ(*table.learn(root, std::string(1, name), file(12, 9)), node);
    for (char const* name : { "4", "0", "8", "1", "7", "2" })
        table.removed(root, name);
    EXPECT_EQ(table.find(root, "3"), node);
    table.renamed(root, "3", root, "9");
    table.removed(root, "5");
    table.removed(root, "6");
    EXPECT_EQ(*table.path(node), "9");
    table.forget(node, 9);
    EXPECT_EQ(table.count(), 1u);
    EXPECT_EQ(table.find(root, "9"), 0u);
}

// Goal: which file has no name left when this one goes is known beforehand: a regular file's last
// name, as far as the host was told of names.
TEST(NodeTable, KnowsTheLastNameOfAFile)
{
    NodeTable table({ bytes_max, 1 });
    auto const one = *table.learn(root, "one", file(10, 3));
    EXPECT_EQ(table.last_named(root, "one"), one);
    EXPECT_EQ(*table.learn(root, "two", file(10, 3)), one);
    EXPECT_EQ(table.last_named(root, "one"), 0u);
    table.removed(root, "one");
    EXPECT_EQ(table.last_named(root, "one"), 0u);
    EXPECT_EQ(table.last_named(root, "two"), one);
    (void)*table.learn(root, "folder", directory(11));
    EXPECT_EQ(table.last_named(root, "folder"), 0u);
    EXPECT_EQ(table.last_named(root, "nobody"), 0u);
}

} // namespace gemel::hostmount
