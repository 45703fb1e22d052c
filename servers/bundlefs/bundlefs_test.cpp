#include "servers/bundlefs/tree.hpp"

#include <gtest/gtest.h>

#include <random>

namespace gemel::bundlefs {
namespace {

struct File {
    std::string name;
    u32 mode = 0100644;
    std::string data {};
};

std::string hexadecimal(u32 value)
{
    char digits[9];
    std::snprintf(digits, sizeof(digits), "%08X", value);
    return digits;
}

void append_entry(std::string& archive, File const& file)
{
    archive += "070701" + hexadecimal(1) + hexadecimal(file.mode);
    for (u32 const value : { 3u, 4u, 1u, 5u })
        archive += hexadecimal(value);
    archive += hexadecimal(static_cast<u32>(file.data.size()));
    for (int i = 0; i < 4; ++i)
        archive += hexadecimal(0);
    archive += hexadecimal(static_cast<u32>(file.name.size() + 1)) + hexadecimal(0);
    archive += file.name + '\0';
    archive.resize(align_up<usize>(archive.size(), 4));
    archive += file.data;
    archive.resize(align_up<usize>(archive.size(), 4));
}

std::string archive_of(std::vector<File> const& files)
{
    std::string archive;
    for (auto const& file : files)
        append_entry(archive, file);
    append_entry(archive, { .name = "TRAILER!!!", .mode = 0 });
    return archive;
}

std::span<std::byte const> bytes_of(std::string const& text)
{
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::optional<std::string> contents(Tree& tree, std::string_view path)
{
    auto const met = fskit::walk(tree, path, LastLink::keep);
    if (!met || !std::get<fskit::Place>(*met).node)
        return std::nullopt;
    std::string text(1'000, '?');
    auto const bytes = std::as_writable_bytes(std::span(text.data(), text.size()));
    auto const read = tree.read(*std::get<fskit::Place>(*met).node, 0, bytes);
    if (!read)
        return std::nullopt;
    text.resize(*read);
    return text;
}

std::vector<File> const usual { { "gemel", 040755 }, { "gemel/bin", 040755 },
    { "gemel/bin/tools", 0100755, "ELF" }, { "gemel/bin/ls", 0120777, "tools" },
    { "./gemel//etc/motd", 0100644, "hello\n" }, { "other/x", 0100644, "out" } };

// Goal: what stands below the prefix is a tree with its contents, modes and owners.
// Method: an archive as the build makes it, with and without a prefix.
TEST(BundleTree, ShowsWhatTheArchiveHolds)
{
    auto const archive = archive_of(usual);
    Tree tree;
    auto const loaded = tree.load(bytes_of(archive), "gemel");
    EXPECT_EQ(loaded.entries, 5u);
    EXPECT_EQ(loaded.refused, 0u);
    EXPECT_FALSE(loaded.broken_at);
    EXPECT_EQ(contents(tree, "bin/tools"), "ELF");
    EXPECT_EQ(contents(tree, "etc/motd"), "hello\n");
    EXPECT_EQ(contents(tree, "other/x"), std::nullopt);
    auto const bin = tree.find(1, "bin").value();
    EXPECT_EQ(tree.link_text(tree.find(bin, "ls").value()).value(), "tools");
    auto const status = tree.status(tree.find(bin, "tools").value()).value();
    EXPECT_EQ(status.mode, 0755);
    EXPECT_EQ(status.uid, 3u);
    EXPECT_EQ(status.modified, (FileTime { 5, 0 }));
    EXPECT_EQ(tree.status(1).value().links, 4u);
    Tree all;
    EXPECT_EQ(all.load(bytes_of(archive), "").entries, 6u);
    EXPECT_EQ(contents(all, "other/x"), "out");
}

// Goal: names that leave the tree or contradict it are refused, the rest stays.
// Method: "..", a file as a directory, a name twice, a device.
TEST(BundleTree, RefusesNamesThatDoNotFit)
{
    auto const archive
        = archive_of({ { "a", 0100644, "1" }, { "../up", 0100644, "2" }, { "a/b", 0100644, "3" },
            { "a", 0100644, "4" }, { "dev", 0020644 }, { "z", 0100644, "5" } });
    Tree tree;
    auto const loaded = tree.load(bytes_of(archive), "");
    EXPECT_EQ(loaded.entries, 2u);
    EXPECT_EQ(loaded.refused, 4u);
    EXPECT_EQ(contents(tree, "a"), "1");
    EXPECT_EQ(contents(tree, "z"), "5");
}

// Goal: no change, through any door.
// Method: each change once.
TEST(BundleTree, IsReadOnly)
{
    auto const archive = archive_of(usual);
    Tree tree;
    tree.load(bytes_of(archive), "gemel");
    auto const motd = tree.find(tree.find(1, "etc").value(), "motd").value();
    EXPECT_EQ(tree.write(motd, 0, {}).error(), Error::read_only);
    EXPECT_EQ(tree.resize(motd, 0).error(), Error::read_only);
    EXPECT_EQ(tree.make({ 1, "x" }, {}).error(), Error::read_only);
    EXPECT_EQ(tree.remove({ 1, "etc" }, RemoveKind::directory).error(), Error::read_only);
    EXPECT_EQ(tree.rename({ 1, "etc" }, { 1, "e" }, RenameMode::replace).error(), Error::read_only);
}

// Goal: an archive cut anywhere says where it broke and gives the files before that.
// Method: cut at every length.
TEST(BundleTree, SurvivesEveryTruncation)
{
    auto const archive = archive_of(usual);
    for (usize bytes = 0; bytes < archive.size(); ++bytes) {
        auto const cut = archive.substr(0, bytes);
        Tree tree;
        auto const loaded = tree.load(bytes_of(cut), "");
        // The trailer's last bytes are padding.
        if (bytes + 4 < archive.size()) {
            ASSERT_TRUE(loaded.broken_at) << bytes;
            ASSERT_LE(*loaded.broken_at, bytes);
        }
    }
}

// Goal: no bytes make the reader touch memory outside the archive or loop (believed under ASan).
// Method: 20,000 archives with a few random bytes changed, each in memory of its exact size.
TEST(BundleTree, SurvivesRandomChanges)
{
    auto const archive = archive_of(usual);
    std::mt19937 random(1);
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::byte> changed(archive.size());
        std::memcpy(changed.data(), archive.data(), archive.size());
        for (auto changes = 1 + random() % 6; changes > 0; --changes)
            changed[random() % changed.size()] = static_cast<std::byte>(
                random() % 2 ? "0123456789ABCDEFf/."[random() % 19] : random());
        Tree tree;
        auto const loaded = tree.load(changed, "");
        ASSERT_LE(loaded.entries, usual.size() + 1);
    }
}

} // namespace
} // namespace gemel::bundlefs
