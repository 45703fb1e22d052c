// Every default feature of mkfs.ext4, on and off, against source folder and debugfs.
#include "tests/ext4/comparison.hpp"
#include "tests/ext4/source_tree.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

struct Configuration {
    std::string name;
    std::string options; // of mkfs.ext4
    std::string size = "24M";
    std::vector<std::string> changes = {}; // by debugfs, before e2fsck makes the hash trees
};

void PrintTo(Configuration const& configuration, std::ostream* stream)
{
    *stream << "mkfs.ext4 " << configuration.options;
}

// One random folder for all configurations, with a directory large enough for a hash tree.
class Image : public testing::TestWithParam<Configuration> {
protected:
    static void SetUpTestSuite()
    {
        folder = std::make_unique<TemporaryFolder>();
        fs::create_directory(folder->path() / "source");
        TreeOptions options;
        options.entries_in_large_folder = 5000;
        fill_tree(folder->path() / "source", options, test_seed());
    }
    static void TearDownTestSuite() { folder.reset(); }

    static fs::path source() { return folder->path() / "source"; }
    static fs::path image() { return folder->path() / "image"; }
    void TearDown() override { fs::remove(image()); }
    static void make()
    {
        make_image(image(), source(), GetParam().options, GetParam().size);
        Debugfs(image()).change(GetParam().changes);
        index_directories(image());
    }

    static inline std::unique_ptr<TemporaryFolder> folder;
};

// Goal: whatever mkfs.ext4 can make, reads back as it was and as debugfs sees it.
// Method: make the image, mount, compare names, contents, links and attributes of every file.
TEST_P(Image, ReadsAsMade)
{
    make();
    Mounted mounted(image());
    ASSERT_TRUE(mounted.volume) << mounted.report.refusal;
    expect_same_as_source(*mounted.volume, source());
    expect_same_as_debugfs(*mounted.volume, image());
    EXPECT_TRUE(mounted.errors.sentences.empty()) << mounted.errors.sentences.front();
}

std::vector<Configuration> configurations()
{
    return {
        { "Defaults", "" },
        { "Defaults4K", "-b 4096", "40M" },
        { "Blocks1K", "-b 1024" },
        { "Blocks2K", "-b 2048" },
        { "Inodes128", "-I 128" },
        { "Inodes512", "-I 512" },
        { "NoExtent", "-O ^extent,^64bit,^bigalloc" },
        { "NoExtent4K", "-b 4096 -O ^extent,^64bit", "40M" },
        { "No64bit", "-O ^64bit" },
        { "NoChecksum", "-O ^metadata_csum" },
        { "NoChecksumUninit", "-O ^metadata_csum,uninit_bg" },
        { "NoChecksumUninitNo64bit", "-O ^metadata_csum,uninit_bg,^64bit" },
        { "NoDirIndex", "-O ^dir_index" },
        { "NoFlexBg", "-O ^flex_bg" },
        { "NoExtraIsize", "-O ^extra_isize" },
        { "NoHugeFile", "-O ^huge_file" },
        { "NoLargeFile", "-O ^large_file" },
        { "NoDirNlink", "-O ^dir_nlink" },
        { "NoFiletype", "-O ^filetype" },
        { "NoSparseSuper", "-O ^sparse_super,^resize_inode" },
        { "SparseSuper2", "-O sparse_super2,^resize_inode" },
        { "InlineData", "-O inline_data" },
        { "InlineData4K", "-b 4096 -O inline_data", "40M" },
        { "InlineDataInodes1024", "-I 1024 -b 4096 -O inline_data", "64M" },
        { "InlineDataNoChecksum", "-O inline_data,^metadata_csum" },
        { "ChecksumSeed", "-O metadata_csum_seed" },
        { "OrphanFile", "-O orphan_file" },
        { "MetaBg", "-O meta_bg,^resize_inode" },
        { "MetaBgNoChecksum", "-O meta_bg,^resize_inode,^metadata_csum" },
        { "MetaBg4K", "-b 4096 -O meta_bg,^resize_inode", "40M" },
        { "NoJournal", "-O ^has_journal" },
        { "LargeDir", "-O large_dir" },
        { "EaInode", "-O ea_inode" },
        { "Bigalloc", "-O bigalloc -C 16384", "64M" },
        { "Bigalloc4K", "-b 4096 -O bigalloc", "128M" },
        { "QuotaProject", "-O quota,project" },
        { "Mmp", "-O mmp" },
        { "Verity", "-b 4096 -O verity", "40M" },
        { "StableInodes", "-O stable_inodes" },
        { "FastCommit", "-O fast_commit" },
        { "HashUnsigned", "", "24M", { "ssv flags 2" } },
        { "HashLegacy", "", "24M", { "ssv def_hash_version legacy", "ssv flags 1" } },
        { "HashLegacyUnsigned", "", "24M", { "ssv def_hash_version legacy", "ssv flags 2" } },
        { "HashTea", "", "24M", { "ssv def_hash_version tea", "ssv flags 1" } },
        { "HashTeaUnsigned", "", "24M", { "ssv def_hash_version tea", "ssv flags 2" } },
        { "HashTeaNoChecksum", "-O ^metadata_csum", "24M", { "ssv def_hash_version tea" } },
        { "SmallGroups", "-b 1024 -g 1024 -O ^resize_inode" },
        { "Ext2", "-t ext2" },
        { "Ext3", "-t ext3" },
        { "Ext3Blocks4K", "-t ext3 -b 4096", "40M" },
        { "Revision0", "-t ext2 -r 0 -b 1024 -O none" },
    };
}

INSTANTIATE_TEST_SUITE_P(Mkfs, Image, testing::ValuesIn(configurations()),
    [](auto const& each) { return each.param.name; });

} // namespace

} // namespace gemel::ext4::test
