// What must not mount, and the sentence that says why.
#include "tests/ext4/debugfs.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

class Refusal : public testing::Test {
protected:
    fs::path image() const { return folder_.path() / "image"; }
    void mkfs(std::string const& options)
    {
        run("mkfs.ext4 -q -F " + options + " " + quoted(image()) + " 8M");
    }
    void expect_refused(Error error, std::vector<std::string> const& words)
    {
        Mounted mounted(image());
        ASSERT_FALSE(mounted.volume);
        EXPECT_EQ(mounted.volume.error(), error);
        for (auto const& word : words)
            EXPECT_NE(mounted.report.refusal.find(word), std::string::npos)
                << "'" << mounted.report.refusal << "' does not say '" << word << "'";
    }

private:
    TemporaryFolder folder_;
};

TEST_F(Refusal, ExternalJournal)
{
    mkfs("-O journal_dev");
    expect_refused(Error::unsupported, { "external journal" });
}

TEST_F(Refusal, FeaturesByName)
{
    mkfs("-O encrypt");
    expect_refused(Error::unsupported, { "ext4 image", "encrypt" });
    fs::remove(image());
    mkfs("-O casefold");
    expect_refused(Error::unsupported, { "ext4 image", "casefold" });
}

TEST_F(Refusal, UnknownFeatureByBit)
{
    mkfs("-O ^metadata_csum");
    u8 const high_byte = 0x40;
    overwrite(image(), 1024 + 0x63, { &high_byte, 1 });
    expect_refused(Error::unsupported, { "unknown feature 0x40000000" });
}

TEST_F(Refusal, Truncated)
{
    mkfs("-b 1024");
    fs::resize_file(image(), 5'000'000);
    expect_refused(Error::corrupt,
        { "truncated: superblock says 8192 blocks of 1024 bytes, device has 4882" });
}

TEST_F(Refusal, TooSmallAndEmpty)
{
    write_host_file(image(), {});
    expect_refused(Error::corrupt, { "not an ext2, ext3 or ext4 image", "0 bytes" });
    write_host_file(image(), std::vector<u8>(1500));
    expect_refused(Error::corrupt, { "not an ext2, ext3 or ext4 image", "1500 bytes" });
    write_host_file(image(), std::vector<u8>(100000));
    expect_refused(Error::corrupt, { "not an ext2, ext3 or ext4 image", "no superblock" });
}

TEST_F(Refusal, OtherFormatsByName)
{
    struct Foreign {
        u64 offset;
        std::string magic;
        std::string name;
    };
    std::vector<Foreign> const formats { { 0, "XFSB", "xfs" }, { 0x10040, "_BHRfS_M", "btrfs" },
        { 0x52, "FAT32   ", "fat" }, { 3, "NTFS    ", "ntfs" }, { 0, "hsqs", "squashfs" },
        { 4086, "SWAPSPACE2", "swap" }, { 512, "EFI PART", "partitioned disk (GPT)" },
        { 0, "QFI\xFB", "qcow2" }, { 0, "\x1F\x8B", "gzip" }, { 0x8001, "CD001", "iso9660" } };
    for (auto const& [offset, magic, name] : formats) {
        std::vector<u8> bytes(200000);
        std::copy(magic.begin(), magic.end(), bytes.begin() + static_cast<long>(offset));
        write_host_file(image(), bytes);
        expect_refused(Error::unsupported, { "not an ext2, ext3 or ext4 image", name });
    }
}

// Goal: no superblock that was changed passes its checksum.
// Method: spoil one byte of each field in turn.
TEST_F(Refusal, SpoiltSuperblock)
{
    mkfs("");
    // Byte 0x64..0x67 excepted: there one change is that there are no checksums at all.
    for (u64 const offset :
        { 0x0, 0x4, 0x18, 0x20, 0x28, 0x58, 0x60, 0x68, 0xFE, 0x175, 0x270, 0x3FC }) {
        auto const copy = image().string() + ".copy";
        fs::copy_file(image(), copy, fs::copy_options::overwrite_existing);
        spoil(copy, 1024 + offset);
        Mounted mounted(copy);
        EXPECT_FALSE(mounted.volume) << offset;
        EXPECT_NE(mounted.report.refusal.find("superblock"), std::string::npos)
            << mounted.report.refusal;
    }
}

// Goal: impossible numbers are refused without a checksum, too.
TEST_F(Refusal, ImpossibleSuperblock)
{
    struct Field {
        u64 offset;
        u32 value;
        std::string word;
    };
    std::vector<Field> const fields { { 0x18, 20, "block size" }, { 0x20, 0, "blocks in a group" },
        { 0x20, 1 << 30, "blocks in a group" }, { 0x28, 0, "inodes in a group" },
        { 0x28, 1 << 30, "inodes in a group" }, { 0x58, 100, "inode size" },
        { 0x58, 0x8000, "inode size" }, { 0x0, 77, "inodes do not fit" },
        { 0x14, 5, "first data block" }, { 0x4, 0, "number of blocks" } };
    mkfs("-b 1024 -O ^metadata_csum,^64bit");
    for (auto const& [offset, value, word] : fields) {
        auto const copy = image().string() + ".copy";
        fs::copy_file(image(), copy, fs::copy_options::overwrite_existing);
        std::array<u8, 4> const bytes { static_cast<u8>(value), static_cast<u8>(value >> 8),
            static_cast<u8>(value >> 16), static_cast<u8>(value >> 24) };
        overwrite(copy, 1024 + offset, std::span(bytes).first(offset == 0x58 ? 2 : 4));
        Mounted mounted(copy);
        EXPECT_FALSE(mounted.volume) << offset;
        EXPECT_NE(mounted.report.refusal.find(word), std::string::npos) << mounted.report.refusal;
    }
}

TEST_F(Refusal, NotesAboutMountedVolumes)
{
    mkfs("");
    Debugfs(image()).change({ "ssv state 2" });
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    ASSERT_EQ(mounted.report.notes.size(), 1u);
    EXPECT_NE(mounted.report.notes[0].find("errors"), std::string::npos);
}

} // namespace

} // namespace gemel::ext4::test
