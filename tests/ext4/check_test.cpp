// The check against e2fsck: the same volumes are clean to both, and the same damage is seen by
// both.
#include "servers/ext4/check/check.hpp"
#include "tests/ext4/debugfs.hpp"
#include "tests/ext4/log_writer.hpp"
#include "tests/ext4/planter.hpp"
#include "tests/ext4/source_tree.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

struct Checked {
    explicit Checked(std::vector<u8> bytes)
        : device(std::move(bytes))
        , summary(check_volume(device, problems, report))
    {
    }
    bool clean() const { return summary && summary->problems == 0; }
    std::string text() const
    {
        std::string all = report.refusal;
        for (auto const& each : problems.sentences)
            all += "\n  " + each;
        return all;
    }

    MemoryDevice device;
    CollectedErrors problems;
    MountReport report;
    Result<CheckSummary> summary;
};

constexpr char const* configurations[] {
    "-b 1024",
    "-b 2048",
    "-b 4096",
    "-b 1024 -I 128",
    "-b 1024 -O ^metadata_csum",
    "-b 1024 -O ^metadata_csum,uninit_bg",
    "-b 1024 -O ^64bit",
    "-b 1024 -O ^metadata_csum,^64bit,^extent",
    "-t ext2 -b 1024",
    "-t ext3 -b 1024",
    "-t ext3 -b 4096",
    "-b 1024 -O inline_data",
    "-b 1024 -O metadata_csum_seed,orphan_file",
    "-b 1024 -O meta_bg,^resize_inode -g 1024",
    "-b 1024 -O sparse_super2 -g 1024",
    "-b 1024 -O ^sparse_super,^flex_bg,^resize_inode -g 2048",
    "-b 1024 -O ^flex_bg -g 1024",
    "-b 1024 -O large_dir,ea_inode",
    "-b 1024 -O ^has_journal,^resize_inode",
    "-b 1024 -O mmp",
    "-b 1024 -O ^dir_index,^filetype",
    "-b 1024 -N 50000",
};

class Check : public testing::Test {
protected:
    fs::path image() const { return folder_.path() / "image"; }
    fs::path source() const { return folder_.path() / "source"; }

    void SetUp() override
    {
        fs::create_directory(source());
        TreeOptions const options {
            .files = 14, .folders_deep = 4, .entries_in_large_folder = 700
        };
        fill_tree(source(), options, test_seed());
    }
    std::vector<u8> make(std::string const& options)
    {
        fs::remove(image());
        make_image(image(), source(), options, "16M");
        index_directories(image());
        return read_host_file(image());
    }
    // Whether e2fsck finds nothing.
    bool judged_clean(std::vector<u8> const& bytes, std::string* said = nullptr)
    {
        write_host_file(image(), bytes);
        auto const text = run_up_to("e2fsck -fn " + quoted(image()) + "; echo status $?", 0);
        if (said)
            *said = text;
        // It mentions wrong totals in the superblock and wrong checksums of descriptors, and calls
        // them harmless: status 0.
        return text.find("status 0\n") != std::string::npos
            && text.find("count wrong") == std::string::npos
            && text.find("IGNORED") == std::string::npos;
    }

    TemporaryFolder folder_;
};

// Goal: nothing is found on a volume that is sound, whatever its features.
TEST_F(Check, SoundVolumes)
{
    for (auto const* const each : configurations) {
        SCOPED_TRACE(each);
        auto const bytes = make(each);
        EXPECT_TRUE(judged_clean(bytes));
        Checked const checked(bytes);
        EXPECT_TRUE(checked.clean()) << checked.text();
        EXPECT_GT(checked.summary ? checked.summary->inodes_used : 0, 30u);
    }
}

// Goal: what e2fsck calls damage, so does the check, and the other way round.
// Method: faults of every kind, planted with fitting checksums in volumes of several formats.
TEST_F(Check, PlantedFaults)
{
    std::mt19937_64 random(test_seed());
    auto const rounds = std::getenv("GEMEL_TEST_LONG") ? 6 : 1;
    int planted = 0;
    for (auto const* const each :
        { "-b 1024", "-b 4096 -O ^metadata_csum", "-b 1024 -O ^metadata_csum,^extent,^64bit" }) {
        Planter planter(make(each));
        for (auto const kind : Planter::kinds()) {
            for (int round = 0; round < rounds; ++round) {
                auto const image = planter.plant(kind, random);
                SCOPED_TRACE(
                    std::string(each) + ": " + std::string(kind) + ": " + planter.description());
                std::string said;
                bool const sound = judged_clean(image, &said);
                Checked const checked(image);
                EXPECT_EQ(checked.clean(), sound) << checked.text() << "\n" << said;
                planted += !sound;
            }
        }
    }
    EXPECT_GT(planted, 80 * rounds);
}

} // namespace

} // namespace gemel::ext4::test
