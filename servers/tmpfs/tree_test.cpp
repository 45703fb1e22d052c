#include "servers/tmpfs/tree_test.hpp"

namespace gemel::tmpfs {
namespace {

constexpr auto directory = FileKind::directory;

// Goal: what was made is found, listed and described.
// Method: a directory, a file and a symlink.
TEST_F(TreeTest, MakesAndFinds)
{
    ASSERT_TRUE(make("d", directory));
    auto const file = make("d/f");
    ASSERT_TRUE(file);
    EXPECT_EQ(write(*file, "hello"), 5u);
    ASSERT_TRUE(tree_.make(name("d/l"), { .kind = FileKind::symlink, .link_text = "../d/f" }));
    EXPECT_EQ(read(node("d/f")), "hello");
    EXPECT_EQ(tree_.link_text(node("d/l")).value(), "../d/f");
    EXPECT_EQ(tree_.status(node("d/l")).value().size, 6u);
    auto const status = tree_.status(node("d/f")).value();
    EXPECT_EQ(status.size, 5u);
    EXPECT_EQ(status.blocks, 8u);
    EXPECT_EQ(status.mode, 0644);
    EXPECT_EQ(links("d"), 2u);
    EXPECT_EQ(links(""), 3u);
    EXPECT_EQ(make("d/f").error(), Error::exists);
}

// Goal: kinds are respected.
// Method: each operation on the wrong kind.
TEST_F(TreeTest, RefusesTheWrongKind)
{
    ASSERT_TRUE(make("d", directory));
    ASSERT_TRUE(make("f"));
    ASSERT_TRUE(make("d/inner"));
    EXPECT_EQ(tree_.find(node("f"), "x").error(), Error::not_directory);
    EXPECT_EQ(tree_.make({ node("f"), "x" }, {}).error(), Error::not_directory);
    EXPECT_EQ(tree_.resize(node("d"), 0).error(), Error::is_directory);
    EXPECT_EQ(tree_.link_text(node("f")).error(), Error::invalid);
    EXPECT_EQ(tree_.remove(name("d"), RemoveKind::file).error(), Error::is_directory);
    EXPECT_EQ(tree_.remove(name("f"), RemoveKind::directory).error(), Error::not_directory);
    EXPECT_EQ(tree_.remove(name("d"), RemoveKind::directory).error(), Error::not_empty);
    EXPECT_EQ(tree_.remove(name("none"), RemoveKind::file).error(), Error::not_found);
    EXPECT_EQ(tree_.make({ 1, ".." }, {}).error(), Error::invalid);
}

// Goal: an open file lives on without a name, and its space comes back when it is closed.
// Method: open, unlink, write, close.
TEST_F(TreeTest, KeepsAnUnlinkedFileWhileItIsOpen)
{
    auto const file = make("f").value();
    ASSERT_TRUE(tree_.open(file));
    ASSERT_TRUE(tree_.open(file));
    ASSERT_TRUE(tree_.remove(name("f"), RemoveKind::file));
    EXPECT_EQ(node("f"), 0u);
    EXPECT_EQ(write(file, "still here"), 10u);
    EXPECT_EQ(tree_.status(file).value().links, 0u);
    auto const other = make("f").value(); // the name is free again
    EXPECT_NE(other, file);
    auto const before = tree_.volume();
    tree_.close(file);
    EXPECT_EQ(read(file), "still here");
    tree_.close(file);
    EXPECT_EQ(tree_.status(file).error(), Error::not_found);
    EXPECT_EQ(tree_.volume().bytes_free, before.bytes_free + page_bytes);
}

// Goal: nothing is made in a directory that was removed while open.
// Method: open, remove, make.
TEST_F(TreeTest, ARemovedDirectoryStaysEmpty)
{
    auto const gone = make("d", directory).value();
    ASSERT_TRUE(tree_.open(gone));
    ASSERT_TRUE(tree_.remove(name("d"), RemoveKind::directory));
    EXPECT_EQ(links(""), 2u);
    EXPECT_EQ(tree_.make({ gone, "x" }, {}).error(), Error::not_found);
    ASSERT_TRUE(make("f"));
    EXPECT_EQ(
        tree_.rename(name("f"), { gone, "x" }, RenameMode::replace).error(), Error::not_found);
    tree_.close(gone);
    EXPECT_EQ(tree_.find(gone, "x").error(), Error::not_found);
}

// Goal: a listing of 5,000 files that goes on while files come and go gives every file that stays
// exactly once.
// Method: list in small pieces; between pieces remove files that were listed and add new ones.
TEST_F(TreeTest, ListsStablyWhileTheDirectoryChanges)
{
    std::set<std::string> staying;
    for (int i = 0; i < 5'000; ++i) {
        auto const name = "file" + std::to_string(i);
        ASSERT_TRUE(make(name));
        if (i % 2 == 0)
            staying.insert(name);
    }
    std::multiset<std::string> seen;
    std::array<std::byte, 1'000> piece;
    for (u64 cookie = 0, round = 0;; ++round) {
        EntryWriter writer(piece);
        ASSERT_TRUE(tree_.list(1, cookie, writer));
        if (writer.bytes() == 0)
            break;
        EntryReader reader { std::span(piece).first(writer.bytes()) };
        DirectoryEntry entry;
        std::string_view name;
        while (reader.next(entry, name)) {
            cookie = entry.cookie;
            if (staying.contains(std::string(name)))
                seen.emplace(name);
        }
        auto const victim = "file" + std::to_string(round * 2 + 1);
        if (node(victim) != 0) {
            ASSERT_TRUE(tree_.remove({ 1, victim }, RemoveKind::file));
        }
        if (round < 50) {
            ASSERT_TRUE(make("new" + std::to_string(round)));
        }
    }
    EXPECT_EQ(seen.size(), staying.size());
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), staying);
}

// Goal: an answer too small for one entry is refused, not taken for the end.
// Method: 24 bytes.
TEST_F(TreeTest, ListingNeedsRoomForOneEntry)
{
    ASSERT_TRUE(make("name"));
    std::array<std::byte, 24> little;
    EntryWriter writer(little);
    EXPECT_EQ(tree_.list(1, 0, writer).error(), Error::too_big);
}

// Goal: changes stamp what they changed.
// Method: move the clock between steps.
TEST_F(TreeTest, StampsTimes)
{
    auto const file = make("f").value();
    now_ns_ = 2'000;
    write(file, "x");
    EXPECT_EQ(tree_.status(file).value().modified, (FileTime { 0, 2'000 }));
    now_ns_ = 3'000;
    read(file);
    auto const status = tree_.status(file).value();
    EXPECT_EQ(status.accessed, (FileTime { 0, 3'000 }));
    EXPECT_EQ(status.modified, (FileTime { 0, 2'000 }));
    now_ns_ = 4'000;
    ASSERT_TRUE(tree_.remove(name("f"), RemoveKind::file));
    EXPECT_EQ(tree_.status(1).value().modified, (FileTime { 0, 4'000 }));
}

// Goal: a second name is the same file, counted; directories have one name.
// Method: link, remove the first name, link a directory and onto a name that is there.
TEST_F(TreeTest, LinksShareAFile)
{
    auto const file = make("f").value();
    ASSERT_TRUE(make("d", directory));
    ASSERT_TRUE(tree_.link(file, name("d/g")));
    EXPECT_EQ(links("f"), 2u);
    EXPECT_EQ(tree_.link(file, name("d/g")).error(), Error::exists);
    EXPECT_EQ(tree_.link(node("d"), name("e")).error(), Error::no_rights);
    ASSERT_TRUE(tree_.remove(name("f"), RemoveKind::file));
    EXPECT_EQ(node("d/g"), file);
    EXPECT_EQ(links("d/g"), 1u);
}

// Goal: attributes change as asked, and only those.
// Method: owner and a time, then a size with the clock moved on.
TEST_F(TreeTest, SetsAttributes)
{
    auto const file = tree_.make(name("f"), { .mode = 0600, .owner = { 7, 8 } }).value();
    EXPECT_EQ(tree_.status(file).value().uid, 7u);
    FileAttributes attributes { .mode = 04755, .uid = 9, .modified = { 0, 55 } };
    attributes.add(AttributeChange::mode);
    attributes.add(AttributeChange::modified);
    now_ns_ = 2'000;
    ASSERT_TRUE(tree_.set_attributes(file, attributes));
    auto status = tree_.status(file).value();
    EXPECT_EQ(status.mode, 04755);
    EXPECT_EQ(status.uid, 7u);
    EXPECT_EQ(status.modified, (FileTime { 0, 55 }));
    EXPECT_EQ(status.changed, (FileTime { 0, 2'000 }));
    attributes = { .size = 10 };
    attributes.add(AttributeChange::size);
    attributes.add(AttributeChange::accessed_now);
    now_ns_ = 3'000;
    ASSERT_TRUE(tree_.set_attributes(file, attributes));
    status = tree_.status(file).value();
    EXPECT_EQ(status.size, 10u);
    EXPECT_EQ(status.accessed, (FileTime { 0, 3'000 }));
    EXPECT_EQ(status.modified, (FileTime { 0, 3'000 }));
}

// Goal: data and holes are found.
// Method: one page of data between holes.
TEST_F(TreeTest, SeeksDataAndHoles)
{
    auto const file = make("f").value();
    ASSERT_TRUE(tree_.write(file, 2 * page_bytes + 5, std::array { std::byte { 1 } }));
    ASSERT_TRUE(tree_.resize(file, 9 * page_bytes));
    EXPECT_EQ(tree_.seek(file, 0, SeekKind::data).value(), 2 * page_bytes);
    EXPECT_EQ(tree_.seek(file, 2 * page_bytes + 9, SeekKind::data).value(), 2 * page_bytes + 9);
    EXPECT_EQ(tree_.seek(file, 2 * page_bytes + 9, SeekKind::hole).value(), 3 * page_bytes);
    EXPECT_EQ(tree_.seek(file, 4, SeekKind::hole).value(), 4u);
    EXPECT_EQ(tree_.seek(file, 3 * page_bytes, SeekKind::data).error(), Error::not_found);
    EXPECT_EQ(tree_.seek(file, 9 * page_bytes, SeekKind::hole).error(), Error::not_found);
}

class SmallTree : public TreeTest {
protected:
    SmallTree()
        : TreeTest({ .bytes_max = 2 * page_bytes, .nodes_max = 4, .now_ns = {} })
    {
    }
};

// Goal: both bounds are refused with no_space, and removing makes room.
// Method: fill nodes, then bytes.
TEST_F(SmallTree, HoldsItsBounds)
{
    auto const a = make("a").value();
    ASSERT_TRUE(make("b"));
    ASSERT_TRUE(make("c"));
    EXPECT_EQ(make("d").error(), Error::no_space);
    EXPECT_EQ(node("d"), 0u);
    EXPECT_EQ(write(a, std::string(9'000, 'x')), 8'192u);
    EXPECT_EQ(tree_.volume().bytes_free, 0u);
    EXPECT_EQ(tree_.write(node("b"), 0, std::array { std::byte { 1 } }).error(), Error::no_space);
    ASSERT_TRUE(tree_.remove(name("a"), RemoveKind::file));
    ASSERT_TRUE(make("d"));
    EXPECT_EQ(write(node("d"), "fits"), 4u);
}

} // namespace
} // namespace gemel::tmpfs
