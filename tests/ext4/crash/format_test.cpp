// The file system under power cuts in every format that changes what is written: sizes of blocks
// and inodes, checksums, orphans, what lies in the inode.
#include "tests/ext4/crash/volume_crash.hpp"

namespace gemel::ext4::test {

namespace {

struct Format {
    char const* name;
    char const* options;
    char const* size = "3M";
    usize append_bytes_max = 4000;
};

constexpr Format formats[] {
    { "blocks of 4 KiB", "-b 4096 -J size=4", "9M" },
    { "blocks of 2 KiB", "-b 2048 -J size=2", "5M" },
    { "inodes of 128 bytes", "-b 1024 -I 128 -J size=1" },
    { "blocks of 4 KiB, inodes of 128 bytes", "-b 4096 -I 128 -J size=4", "9M" },
    { "metadata_csum_seed", "-b 1024 -O metadata_csum_seed -J size=1" },
    { "uninit_bg", "-b 1024 -O ^metadata_csum,uninit_bg -J size=1" },
    { "no checksums", "-b 1024 -O ^metadata_csum,^uninit_bg,^64bit -J size=1" },
    { "blocks of 4 KiB, orphan_file, metadata_csum_seed",
        "-b 4096 -O orphan_file,metadata_csum_seed -J size=4", "9M" },
    { "blocks of 4 KiB, inline_data", "-b 4096 -O inline_data -J size=4", "9M", 120 },
    { "blocks of 2 KiB, inline_data, orphan_file", "-b 2048 -O inline_data,orphan_file -J size=2",
        "5M", 120 },
};

} // namespace

// Goal: in no format is anything lost or spoilt that was made durable in any way.
// Method: single operations, a sample of them by default, after something that is durable; then a
// sequence with each way to sync.
TEST_F(VolumeCrash, Formats)
{
    std::mt19937_64 random(test_seed());
    options_.states.samples = 16;
    for (auto const& format : formats) {
        make_image(format.options, format.size);
        subject_options_.append_bytes_max = format.append_bytes_max;
        auto const before = all_.distinct;
        for (u32 number = 0; number < operations; ++number) {
            if (!is_long() && random() % 4 != 0)
                continue;
            auto const operation = static_cast<Operation>(number);
            campaign(std::string(format.name) + ": " + name_of(operation), number + 1,
                [&](VolumeSubject& subject) {
                    subject.perform(Operation::append);
                    subject.sync(any_way(random));
                    subject.perform(operation);
                    subject.sync(any_way(random));
                    subject.unmount();
                });
        }
        for (u64 round = 0; round < (is_long() ? 4u : 1u); ++round) {
            campaign(std::string(format.name) + ": random", random(), [&](VolumeSubject& subject) {
                random_steps(subject, random, is_long() ? 500 : 40, all_operations());
                subject.replace(any_way(random));
                subject.sync(SyncWay::directory);
            });
        }
        EXPECT_GT(all_.distinct - before, 300u) << format.name;
    }
}

} // namespace gemel::ext4::test
