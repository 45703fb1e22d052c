// Fields of an inode that nothing here reads, and others do: its version, its project.
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;
constexpr u16 folder = 040755;

class InodeFields : public testing::Test {
protected:
    void make(std::string const& options) { make_empty_image(image_, "-b 1024 " + options, "8M"); }
    // As debugfs says it, "NAME: VALUE".
    u64 field(std::string const& path, std::string const& name)
    {
        auto const said = Debugfs(image_).ask({ "stat " + path })[0];
        auto const at = said.find(name + ":");
        EXPECT_NE(at, std::string::npos) << said;
        auto text = said.substr(at + name.size() + 1, 24);
        std::erase(text, ':'); // between the halves of a version
        if (auto const low = text.find("0x", text.find("0x") + 2); low != std::string::npos)
            text.erase(low, 2);
        return std::stoull(text, nullptr, 0);
    }
    // Mounts, changes, unmounts.
    void changed(std::function<void(WrittenVolume&)> const& change)
    {
        WrittenVolume written(image_);
        change(written);
        ASSERT_TRUE(written.writer().unmount());
    }

    TemporaryFolder temporary_;
    fs::path image_ = temporary_.path() / "image";
};

} // namespace

// Goal: every change of a file that moves its times raises its version; a look at it does not, and
// the lower half's overflow goes into the upper one.
TEST_F(InodeFields, VersionCountsChanges)
{
    make("");
    u32 file = 0;
    changed([&](WrittenVolume& written) {
        file = written.writer().create({ root_inode, "file" }, { .mode = regular }).value();
    });
    auto const first = field("file", "Version");
    EXPECT_GE(first, 1u);
    changed([&](WrittenVolume& written) {
        for (u64 offset = 0; offset < 40; ++offset) // a millisecond each
            ASSERT_TRUE(written.writer().write(file, offset, std::vector<u8>(1, 'x')));
    });
    auto const second = field("file", "Version");
    EXPECT_GT(second, first);
    changed([&](WrittenVolume& written) { written.contents("file"); });
    EXPECT_EQ(field("file", "Version"), second);
    Debugfs(image_).change({ "set_inode_field file version 0xFFFFFFFF" });
    changed([&](WrittenVolume& written) {
        ASSERT_TRUE(written.writer().set_attributes(file, { .modified = Timestamp { 5, 0 } }));
    });
    EXPECT_EQ(field("file", "Version"), 1ull << 32);
    expect_clean(image_);
}

// Goal: projects are kept, and what is made in a directory that hands its own down has it; nothing
// else gets in there.
TEST_F(InodeFields, ProjectsAreKeptAndHandedDown)
{
    make("-O project -I 256");
    u32 own = 0;
    changed([&](WrittenVolume& written) {
        own = written.writer().create({ root_inode, "own" }, { .mode = folder }).value();
        ASSERT_TRUE(written.writer().create({ root_inode, "other" }, { .mode = regular }));
    });
    Debugfs(image_).change({ "set_inode_field own projid 77",
        "set_inode_field own flags 0x20080000", "set_inode_field other projid 5" });
    changed([&](WrittenVolume& written) {
        auto& writer = written.writer();
        auto const inside = writer.create({ own, "inside" }, { .mode = folder }).value();
        auto const file = writer.create({ inside, "file" }, { .mode = regular }).value();
        auto const other = written.number("other");
        EXPECT_EQ(writer.link(other, { own, "link" }).error(), Error::cross_device);
        EXPECT_EQ(
            writer.rename({ root_inode, "other" }, { own, "moved" }, RenameWay::replace).error(),
            Error::cross_device);
        EXPECT_EQ(
            writer.rename({ inside, "file" }, { root_inode, "other" }, RenameWay::exchange).error(),
            Error::cross_device);
        EXPECT_TRUE(writer.rename({ inside, "file" }, { own, "moved" }, RenameWay::replace));
        EXPECT_TRUE(writer.link(file, { root_inode, "outside" }));
        EXPECT_TRUE(
            writer.rename({ root_inode, "other" }, { root_inode, "renamed" }, RenameWay::replace));
    });
    EXPECT_EQ(field("own/inside", "Project"), 77u);
    EXPECT_EQ(field("own/moved", "Project"), 77u);
    EXPECT_EQ(field("renamed", "Project"), 5u);
    EXPECT_EQ(field("own/inside", "Flags"), 0x2008'0000u);
    expect_clean(image_);
}

} // namespace gemel::ext4::test
