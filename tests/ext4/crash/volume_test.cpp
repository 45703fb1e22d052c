// The file system under power cuts: single operations, pairs, triples and random sequences, made
// durable in every way.
#include "tests/ext4/crash/volume_crash.hpp"

namespace gemel::ext4::test {

namespace {

constexpr Operation often_removed[] { Operation::create, Operation::append, Operation::append,
    Operation::unlink, Operation::cut, Operation::punch, Operation::rename_over };
constexpr Operation often_orphaned[] { Operation::create, Operation::append, Operation::unlink_open,
    Operation::close, Operation::unlink, Operation::rename_over, Operation::cut };

std::string names_of(std::initializer_list<Operation> some)
{
    std::string names;
    for (auto const operation : some)
        names += (names.empty() ? "" : ", ") + std::string(name_of(operation));
    return names;
}

} // namespace

// Goal: no single operation loses or spoils anything, made durable in any way or not.
TEST_F(VolumeCrash, SingleOperations)
{
    for (u32 number = 0; number < operations; ++number) {
        auto const operation = static_cast<Operation>(number);
        for (u32 way = 0; way <= sync_ways; ++way) {
            if (!is_long() && way != sync_ways && way != number % sync_ways)
                continue;
            campaign(name_of(operation), number + 1, [&](VolumeSubject& subject) {
                subject.perform(operation);
                if (way < sync_ways)
                    subject.sync(static_cast<SyncWay>(way));
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
        campaign(names_of({ first, second }), pair + 1, [&](VolumeSubject& subject) {
            subject.perform(first);
            if (pair % 2 == 0)
                subject.sync(any_way(random));
            subject.perform(second);
            subject.sync(any_way(random));
        });
    }
    EXPECT_GT(all_.distinct, 500u);
}

// Goal: nor do three.
// Method: a sample, with a sync after each or not.
TEST_F(VolumeCrash, Triples)
{
    std::mt19937_64 random(test_seed());
    for (u64 round = 0; round < (is_long() ? 1000u : 25u); ++round) {
        auto const seed = random();
        Operation const three[] { static_cast<Operation>(random() % operations),
            static_cast<Operation>(random() % operations),
            static_cast<Operation>(random() % operations) };
        campaign(names_of({ three[0], three[1], three[2] }), seed, [&](VolumeSubject& subject) {
            for (auto const operation : three) {
                subject.perform(operation);
                if (random() % 2 == 0)
                    subject.sync(any_way(random));
            }
        });
    }
    EXPECT_GT(all_.distinct, 500u);
}

// Goal: who replaces a file by renaming a new one over it finds the old bytes or the new ones, made
// durable before or not.
TEST_F(VolumeCrash, Replacements)
{
    std::mt19937_64 random(test_seed());
    for (u32 round = 0; round < (is_long() ? 200u : 10u); ++round) {
        auto const way = round % (sync_ways + 1);
        campaign("replace", random(), [&](VolumeSubject& subject) {
            for (int time = 0; time < 2; ++time) {
                subject.replace(
                    way < sync_ways ? std::optional(static_cast<SyncWay>(way)) : std::nullopt);
                subject.sync(SyncWay::directory);
            }
        });
    }
    EXPECT_GT(all_.distinct, 500u);
}

// Goal: a size that changes within a block that the file has is what fdatasync leaves behind.
TEST_F(VolumeCrash, SmallAppends)
{
    std::mt19937_64 random(test_seed());
    subject_options_.append_bytes_max = 100;
    for (u32 round = 0; round < (is_long() ? 100u : 4u); ++round) {
        campaign("small appends", random(), [&](VolumeSubject& subject) {
            for (int step = 0; step < 6; ++step) {
                subject.perform(Operation::append);
                subject.sync(step % 3 == 2 ? any_way(random) : SyncWay::contents);
            }
        });
    }
    EXPECT_GT(all_.distinct, 100u);
}

// Goal: nor do long sequences, with a sync now and then.
TEST_F(VolumeCrash, RandomSequences)
{
    std::mt19937_64 random(test_seed());
    options_.states.samples = 16;
    for (u64 round = 0; round < (is_long() ? 20u : 3u); ++round) {
        auto const seed = random();
        campaign("random", seed, [&](VolumeSubject& subject) {
            random_steps(subject, random, is_long() ? 500 : 60, all_operations());
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
    for (u64 round = 0; round < (is_long() ? 20u : 4u); ++round) {
        auto const seed = random();
        campaign("trimmed", seed, [&](VolumeSubject& subject) {
            for (int step = 0; step < (is_long() ? 60 : 16); ++step) {
                subject.perform(often_removed[random() % std::size(often_removed)]);
                auto const then = random() % 8;
                if (then == 0)
                    subject.sync(any_way(random));
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
    make_image("-b 1024 -O orphan_file -J size=1");
    std::mt19937_64 random(test_seed());
    options_.states.samples = 16;
    for (u64 round = 0; round < (is_long() ? 20u : 6u); ++round) {
        auto const seed = random();
        campaign("orphan file", seed, [&](VolumeSubject& subject) {
            random_steps(subject, random, is_long() ? 200 : 30, often_orphaned, 4);
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
    make_image("-b 1024 -O inline_data -J size=1");
    std::mt19937_64 random(test_seed());
    subject_options_.append_bytes_max = 60;
    for (u32 number = 0; number < operations; ++number) {
        auto const operation = static_cast<Operation>(number);
        campaign(name_of(operation), number + 1, [&](VolumeSubject& subject) {
            subject.perform(Operation::append);
            subject.sync();
            subject.perform(operation);
            subject.sync(static_cast<SyncWay>(number % sync_ways));
            subject.unmount();
        });
    }
    options_.states.samples = 16;
    for (u64 round = 0; round < (is_long() ? 20u : 3u); ++round) {
        auto const seed = random();
        campaign("small steps", seed, [&](VolumeSubject& subject) {
            random_steps(subject, random, is_long() ? 300 : 60, all_operations());
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
    make_image("-b 1024 -t ext3 -J size=1");
    std::mt19937_64 random(test_seed());
    auto without_extents = all_operations();
    std::erase_if(without_extents, [](Operation operation) {
        return operation == Operation::preallocate || operation == Operation::zero;
    });
    for (auto const operation : without_extents) {
        auto const number = static_cast<u32>(operation);
        campaign(name_of(operation), number + 1, [&](VolumeSubject& subject) {
            for (int round = 0; round < 6; ++round) // past the direct pointers
                subject.perform(Operation::append);
            subject.sync();
            subject.perform(operation);
            subject.sync(static_cast<SyncWay>(number % sync_ways));
            subject.unmount();
        });
    }
    for (u64 round = 0; round < (is_long() ? 10u : 1u); ++round) {
        auto const seed = random();
        options_.states.samples = 16;
        campaign("random", seed, [&](VolumeSubject& subject) {
            random_steps(subject, random, is_long() ? 500 : 60, without_extents);
            subject.unmount();
        });
    }
    EXPECT_GT(all_.distinct, 1000u);
}

} // namespace gemel::ext4::test
