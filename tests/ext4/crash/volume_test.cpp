// The file system under power cuts: single operations, pairs and random sequences.
#include "tests/ext4/crash/volume_subject.hpp"

#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

bool is_long()
{
    return std::getenv("GEMEL_TEST_LONG") != nullptr;
}

class VolumeCrash : public testing::Test {
protected:
    void SetUp() override
    {
        make_image("-J size=1 -E lazy_itable_init=0");
        options_.judge_file = (folder_.path() / "judged").string();
        options_.judge_every = is_long() ? 20 : 200;
        options_.crash_again_every = 50;
        began_ = std::chrono::steady_clock::now();
    }
    void TearDown() override
    {
        auto const seconds
            = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
        std::printf("crash states: %llu tried, %llu distinct, %llu in recoveries, %llu seen by "
                    "e2fsck, %.0f a second, %zu failures\n",
            static_cast<unsigned long long>(all_.tried),
            static_cast<unsigned long long>(all_.distinct),
            static_cast<unsigned long long>(all_.recoveries_cut),
            static_cast<unsigned long long>(all_.judged),
            static_cast<double>(all_.distinct + all_.recoveries_cut) / seconds,
            all_.failures.size());
    }

    void make_image(std::string const& options)
    {
        auto const image = folder_.path() / "image";
        run("mkfs.ext4 -q -F -b 1024 -N 64 " + options + " " + quoted(image) + " 3M");
        image_ = read_host_file(image);
    }

    template <typename Work>
    void campaign(std::string const& name, u64 seed, Work const& work)
    {
        RecordingDevice device(image_);
        VolumeSubject subject(device, seed, append_bytes_max_);
        work(subject);
        options_.states.seed = seed;
        auto const result = run_campaign(image_, device, subject, options_);
        for (auto const& failure : result.failures)
            ADD_FAILURE() << "workload '" << name << "', seed " << seed << ", " << failure;
        all_.add(result);
    }

    TemporaryFolder folder_;
    std::vector<u8> image_;
    CampaignOptions options_;
    usize append_bytes_max_ = 4000;
    CampaignResult all_;
    std::chrono::steady_clock::time_point began_;
};

// Goal: no single operation loses or spoils anything, made durable or not.
TEST_F(VolumeCrash, SingleOperations)
{
    for (u32 number = 0; number < operations; ++number) {
        auto const operation = static_cast<Operation>(number);
        for (bool const synced : { true, false }) {
            campaign(name_of(operation), number + 1, [&](VolumeSubject& subject) {
                subject.perform(operation);
                if (synced)
                    subject.sync();
                subject.unmount();
            });
        }
    }
    EXPECT_GT(all_.distinct, 1000u);
}

// Goal: nor do two, one after the other, in the long run all pairs.
TEST_F(VolumeCrash, Pairs)
{
    std::mt19937_64 random(test_seed());
    for (u32 pair = 0; pair < operations * operations; ++pair) {
        if (!is_long() && random() % 8 != 0)
            continue;
        auto const first = static_cast<Operation>(pair / operations);
        auto const second = static_cast<Operation>(pair % operations);
        campaign(std::string(name_of(first)) + ", " + name_of(second), pair + 1,
            [&](VolumeSubject& subject) {
                subject.perform(first);
                if (pair % 2 == 0)
                    subject.sync();
                subject.perform(second);
                subject.sync();
            });
    }
    EXPECT_GT(all_.distinct, 500u);
}

// Goal: nor do long sequences, with a sync now and then.
TEST_F(VolumeCrash, RandomSequences)
{
    std::mt19937_64 random(test_seed());
    options_.states.samples = 16;
    for (u64 round = 0; round < (is_long() ? 20u : 3u); ++round) {
        auto const seed = random();
        campaign("random", seed, [&](VolumeSubject& subject) {
            for (int step = 0; step < (is_long() ? 500 : 60); ++step) {
                subject.perform(static_cast<Operation>(random() % operations));
                if (random() % 6 == 0)
                    subject.sync();
            }
            subject.unmount();
        });
    }
    EXPECT_GT(all_.distinct, 800u);
}

// Goal: blocks that are given up were nobody's, also of a file that a power cut brings back.
// Method: files go and come, and all that is free turns to rubbish in between, synced or not.
TEST_F(VolumeCrash, Trimmed)
{
    std::mt19937_64 random(test_seed());
    options_.states.samples = 8;
    constexpr Operation often[] { Operation::create, Operation::append, Operation::append,
        Operation::unlink, Operation::cut, Operation::punch, Operation::rename_over };
    for (u64 round = 0; round < (is_long() ? 20u : 4u); ++round) {
        auto const seed = random();
        campaign("trimmed", seed, [&](VolumeSubject& subject) {
            for (int step = 0; step < (is_long() ? 60 : 16); ++step) {
                subject.perform(often[random() % std::size(often)]);
                auto const then = random() % 8;
                if (then == 0)
                    subject.sync();
                if (then > 5)
                    subject.trim();
            }
            subject.trim();
            subject.unmount();
        });
    }
    EXPECT_GT(all_.distinct, 100u);
}

// Goal: nor does anything where deleted files wait in an orphan file.
// Method: files that are open when they lose their names, among other operations.
TEST_F(VolumeCrash, OrphanFile)
{
    make_image("-O orphan_file -J size=1");
    std::mt19937_64 random(test_seed());
    options_.states.samples = 16;
    options_.judge_every = is_long() ? 20 : 60;
    constexpr Operation often[] { Operation::create, Operation::append, Operation::unlink_open,
        Operation::close, Operation::unlink, Operation::rename_over, Operation::cut };
    for (u64 round = 0; round < (is_long() ? 20u : 6u); ++round) {
        auto const seed = random();
        campaign("orphan file", seed, [&](VolumeSubject& subject) {
            for (int step = 0; step < (is_long() ? 200 : 30); ++step) {
                subject.perform(often[random() % std::size(often)]);
                if (random() % 4 == 0)
                    subject.sync();
            }
            if (round % 2 == 0)
                subject.unmount();
        });
    }
    EXPECT_GT(all_.distinct, 500u);
}

// Goal: nor does anything where small files and directories are kept in their inodes, and outgrow
// them.
// Method: every operation on files around that size, then sequences of small steps.
TEST_F(VolumeCrash, InlineData)
{
    make_image("-O inline_data -J size=1");
    std::mt19937_64 random(test_seed());
    append_bytes_max_ = 60;
    options_.judge_every = is_long() ? 20 : 40;
    for (u32 number = 0; number < operations; ++number) {
        auto const operation = static_cast<Operation>(number);
        campaign(name_of(operation), number + 1, [&](VolumeSubject& subject) {
            subject.perform(Operation::append);
            subject.sync();
            subject.perform(operation);
            subject.sync();
            subject.unmount();
        });
    }
    options_.states.samples = 16;
    for (u64 round = 0; round < (is_long() ? 20u : 3u); ++round) {
        auto const seed = random();
        campaign("small steps", seed, [&](VolumeSubject& subject) {
            for (int step = 0; step < (is_long() ? 300 : 60); ++step) {
                subject.perform(static_cast<Operation>(random() % operations));
                if (random() % 6 == 0)
                    subject.sync();
            }
            subject.unmount();
        });
    }
    EXPECT_GT(all_.distinct, 1000u);
}

// Goal: nor does anything where files are mapped by block pointers.
// Method: an ext3 volume; single operations, and a sequence with large files. What only extents can
// is left out.
TEST_F(VolumeCrash, BlockPointers)
{
    make_image("-t ext3 -J size=1");
    std::mt19937_64 random(test_seed());
    auto const is_for_extents = [](Operation operation) {
        return operation == Operation::preallocate || operation == Operation::zero;
    };
    for (u32 number = 0; number < operations; ++number) {
        auto const operation = static_cast<Operation>(number);
        if (is_for_extents(operation))
            continue;
        campaign(name_of(operation), number + 1, [&](VolumeSubject& subject) {
            for (int round = 0; round < 6; ++round) // past the direct pointers
                subject.perform(Operation::append);
            subject.sync();
            subject.perform(operation);
            subject.sync();
            subject.unmount();
        });
    }
    for (u64 round = 0; round < (is_long() ? 10u : 1u); ++round) {
        auto const seed = random();
        options_.states.samples = 16;
        campaign("random", seed, [&](VolumeSubject& subject) {
            for (int step = 0; step < (is_long() ? 500 : 60); ++step) {
                auto const operation = static_cast<Operation>(random() % operations);
                if (!is_for_extents(operation))
                    subject.perform(operation);
                if (random() % 6 == 0)
                    subject.sync();
            }
            subject.unmount();
        });
    }
    EXPECT_GT(all_.distinct, 1000u);
}

} // namespace

} // namespace gemel::ext4::test
