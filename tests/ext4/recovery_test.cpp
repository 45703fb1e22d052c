// Journal recovery: byte for byte what e2fsck makes of the same image, and nothing at all when the
// journal is damaged.
#include "servers/ext4/recovery.hpp"
#include "servers/ext4/replay_overlay.hpp"
#include "servers/ext4/volume_super.hpp"
#include "tests/ext4/debugfs.hpp"
#include "tests/ext4/log_writer.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <set>

namespace gemel::ext4::test {

namespace {

constexpr JournalChecksum checksum_kinds[] { JournalChecksum::none, JournalChecksum::v1,
    JournalChecksum::v2, JournalChecksum::v3 };

// Volumes of one group, so that no block of the upper part is metadata.
constexpr char const* volumes[] {
    "-b 1024 8M",
    "-b 2048 -O ^64bit 12M",
    "-b 4096 24M",
    "-t ext3 -b 1024 8M",
    "-b 1024 -O ^metadata_csum,^64bit 8M",
};

// Fields of the superblock that e2fsck changes whenever it writes (when, how much in all, and so
// the checksum), and the end of s_last_mounted, which is ours: see seal_superblock.
bool e2fsck_may_differ(u64 offset)
{
    struct Field {
        u64 offset;
        u64 bytes;
    };
    constexpr Field fields[] { { 0x30, 4 }, { 0x40, 4 }, { 0xC4, 4 }, { 0x178, 8 }, { 0x274, 1 },
        { 0x277, 1 }, { 0x3FC, 4 } };
    return std::any_of(std::begin(fields), std::end(fields), [&](Field const& field) {
        return offset - superblock_offset - field.offset < field.bytes;
    });
}

std::vector<u8> random_block(usize bytes, std::mt19937_64& random)
{
    std::vector<u8> block(bytes);
    for (auto& each : block)
        each = static_cast<u8>(random());
    if (random() % 8 == 0)
        journal::store_be32(block, 0, journal::magic);
    return block;
}

class Recovered : public testing::Test {
protected:
    fs::path image() const { return folder_.path() / "image"; }

    std::vector<u8> make_volume(std::string const& options)
    {
        auto const space = options.rfind(' ');
        fs::remove(image());
        run("mkfs.ext4 -q -F " + options.substr(0, space) + " " + quoted(image()) + " "
            + options.substr(space + 1));
        return read_host_file(image());
    }

    // A target for copies: a block in the upper part that is not the journal's.
    u64 target(Journal const& journal, std::mt19937_64& random) const
    {
        auto const blocks = journal.disk().super().blocks;
        while (true) {
            auto const block = blocks / 2 + random() % (blocks / 2);
            if (!journal.owns(block) && targets_.insert(block).second)
                return block;
        }
    }

    // Transactions of random size over a small set of blocks, so that they meet again.
    void fill_log(LogWriter& log, std::mt19937_64& random)
    {
        std::vector<u64> pool;
        for (int each = 0; each < 40; ++each)
            pool.push_back(target(log.journal(), random));
        auto const bytes = log.journal().disk().super().block_bytes;
        auto const count = 1 + random() % 12;
        for (u64 each = 0; each < count && log.free_blocks() > 120; ++each) {
            std::vector<LoggedBlock> blocks;
            std::vector<u64> revokes;
            std::set<u64> used;
            for (auto left = random() % 90; left > 0; --left) {
                auto const block
                    = left > 40 ? target(log.journal(), random) : pool[random() % pool.size()];
                if (used.insert(block).second)
                    blocks.push_back({ block, random_block(bytes, random) });
            }
            for (auto left = random() % 3 == 0 ? random() % 20 : 0; left > 0; --left)
                revokes.push_back(pool[random() % pool.size()]);
            bool const last = each + 1 == count;
            log.transaction(
                blocks, revokes, last && random() % 2 == 0 ? Ending::cut_off : Ending::committed);
        }
    }

    // What e2fsck makes of it.
    std::vector<u8> judged(std::vector<u8> const& bytes)
    {
        write_host_file(image(), bytes);
        run_up_to("e2fsck -p -E journal_only " + quoted(image()), 1);
        return read_host_file(image());
    }

    void expect_as_judged(MemoryDevice& device)
    {
        auto const before = device.bytes;
        auto const expected = judged(before);
        MountReport report;
        CollectedErrors errors;
        auto const plan = plan_of(device);
        auto const done = recover(device, errors, report);
        ASSERT_TRUE(done) << report.refusal;
        EXPECT_TRUE(done->was_needed);
        compare(device.bytes, expected);
        expect_overlay(before, expected, plan);
    }

    // A replay in memory shows the same blocks.
    void expect_overlay(
        std::vector<u8> const& before, std::vector<u8> const& expected, ReplayPlan const& plan)
    {
        MemoryDevice device(before);
        MountReport report;
        auto const super = load_superblock(device, report);
        ReplayOverlay overlay(device, super->block_bytes, plan.copies);
        std::vector<u8> seen(before.size());
        // Pieces of odd sizes cross block boundaries in every way.
        for (u64 offset = 0; offset < seen.size();) {
            auto const count = std::min<u64>(seen.size() - offset, 3001 + offset % 977);
            ASSERT_TRUE(overlay.read(offset, std::span(seen).subspan(offset, count)));
            offset += count;
        }
        for (auto const& copy : plan.copies) {
            auto const at = copy.target * super->block_bytes;
            // The superblock's block still says needs_recovery.
            if (at <= superblock_offset)
                continue;
            EXPECT_EQ(std::memcmp(&seen[at], &expected[at], super->block_bytes), 0) << copy.target;
        }
    }

    ReplayPlan plan_of(MemoryDevice& device)
    {
        MountReport report;
        CollectedErrors errors;
        auto opening = open_volume(device, errors, report);
        EXPECT_TRUE(opening) << report.refusal;
        return opening ? opening->plan : ReplayPlan {};
    }

    void compare(std::vector<u8> const& ours, std::vector<u8> const& expected)
    {
        ASSERT_EQ(ours.size(), expected.size());
        int shown = 0;
        for (u64 offset = 0; offset < ours.size() && shown < 8; ++offset) {
            if (ours[offset] == expected[offset] || e2fsck_may_differ(offset))
                continue;
            ++shown;
            ADD_FAILURE() << "byte " << offset << " is " << int { ours[offset] } << ", with e2fsck "
                          << int { expected[offset] };
        }
    }

    TemporaryFolder folder_;
    mutable std::set<u64> targets_;
};

// Goal: a replay is exactly e2fsck's, for every kind of journal.
// Method: 100 random logs (5 volumes, 4 checksum kinds, wide or not, wrapped logs, sequence numbers
// that wrap, escapes, revokes, unfinished ends), each replayed by both.
TEST_F(Recovered, AsE2fsckDoes)
{
    std::mt19937_64 random(test_seed());
    u64 copies = 0;
    u64 revoked = 0;
    u64 escaped = 0;
    int images = 0;
    for (auto const* const each : volumes) {
        auto const volume = make_volume(each);
        for (int round = 0; round < 20; ++round, ++images) {
            SCOPED_TRACE(std::string(each) + ", round " + std::to_string(round));
            targets_.clear();
            MemoryDevice device(volume);
            LogOptions options { checksum_kinds[round % 4], round / 4 % 2 == 0 };
            if (round % 3 == 1)
                options.start = 1024 - static_cast<u32>(random() % 60) - 1;
            options.sequence
                = round % 5 == 2 ? 0xFFFF'FFFD : static_cast<u32>(random() % 1'000'000 + 1);
            LogWriter log(device, options);
            fill_log(log, random);
            auto const plan = plan_of(device);
            copies += plan.copies.size();
            revoked += plan.revoked;
            for (auto const& copy : plan.copies)
                escaped += copy.escaped;
            expect_as_judged(device);
            if (HasFailure())
                return;
        }
    }
    EXPECT_GE(images, 100);
    EXPECT_GT(copies, 5000u);
    EXPECT_GT(revoked, 100u);
    EXPECT_GT(escaped, 300u);
}

// Goal: the same for what debugfs writes.
// Method: 100 images: its four kinds of journal, random transactions of blocks and revokes that
// meet each other, with and without an unfinished end.
TEST_F(Recovered, JournalsOfDebugfs)
{
    constexpr int rounds = 25;
    std::mt19937_64 random(test_seed());
    auto const volume = make_volume("-b 1024 8M");
    auto const owned = Debugfs(image()).blocks(8);
    std::set<u64> const taken(owned.begin(), owned.end());
    auto const blocks = (folder_.path() / "blocks").string();
    auto const pick = [&] {
        while (true) {
            auto const block = 6'000 + random() % 60 * 30;
            if (!taken.contains(block))
                return block;
        }
    };
    auto const some = [&](usize count) {
        std::set<u64> picked;
        while (picked.size() < count)
            picked.insert(pick());
        std::string text;
        for (auto const block : picked)
            text += (text.empty() ? "" : ",") + std::to_string(block);
        return text;
    };
    u64 copies = 0;
    u64 revoked = 0;
    for (auto const* const open : { "jo", "jo -c", "jo -c -v 2", "jo -c -v 3" }) {
        for (int round = 0; round < rounds && !HasFailure(); ++round) {
            SCOPED_TRACE(std::string(open) + ", round " + std::to_string(round));
            write_host_file(image(), volume);
            auto script = std::string(open) + "\n";
            auto const transactions = 2 + random() % 5;
            for (u64 each = 0; each < transactions; ++each) {
                auto const count = 1 + random() % 12;
                bool const unfinished = each + 1 == transactions && random() % 3 == 0;
                write_host_file(blocks + std::to_string(each), random_block(count * 1024, random));
                if (random() % 2 == 0)
                    script += "jw -r " + some(1 + random() % 5) + "\n";
                script += std::string("jw ") + (unfinished ? "-c " : "") + "-b " + some(count) + " "
                    + blocks + std::to_string(each) + "\n";
            }
            run("printf '" + script + "jc\n' | debugfs -w -f - " + quoted(image()));
            MemoryDevice device(read_host_file(image()));
            auto const plan = plan_of(device);
            copies += plan.copies.size();
            revoked += plan.revoked;
            expect_as_judged(device);
        }
    }
    EXPECT_GT(copies, 500u);
    EXPECT_GT(revoked, 20u);
}

// Goal: the same for what the kernel leaves when the power goes.
// Method: copy the image of a mounted volume, after fsync, for several kinds of volume.
TEST_F(Recovered, JournalsOfTheKernel)
{
    auto const mount_point = folder_.path() / "mounted";
    fs::create_directory(mount_point);
    constexpr char const* kinds[] { "-b 1024 24M", "-b 4096 48M", "-t ext3 -b 1024 24M",
        "-b 2048 -O ^metadata_csum 24M" };
    for (auto const* const kind : kinds) {
        SCOPED_TRACE(kind);
        make_volume(kind);
        auto const mounted = run_up_to("mount -o loop,commit=100,"
                + std::string(std::strstr(kind, "^metadata") ? "journal_checksum" : "noatime") + " "
                + quoted(image()) + " " + quoted(mount_point),
            255);
        if (!mounted.empty())
            GTEST_SKIP() << "skipped: no loop mount here: " << mounted;
        run("cd " + quoted(mount_point)
            + " && for i in 1 2 3 4 5 6; do mkdir d$i; for j in 1 2 3 4 5 6 7 8 9; do echo $i $j > "
              "d$i/$j; "
              "done; sync; rm -r d$(( (i + 1) / 2 )); mkdir e$i; sync -f e$i; done");
        auto const copied = folder_.path() / "copy";
        run("cp " + quoted(image()) + " " + quoted(copied) + "; umount " + quoted(mount_point));
        MemoryDevice device(read_host_file(copied));
        EXPECT_GT(plan_of(device).copies.size(), 10u);
        expect_as_judged(device);
        write_host_file(copied, device.bytes);
        run("e2fsck -fn " + quoted(copied));
    }
}

// A log of three transactions; the second revokes what the first wrote.
struct Sample {
    explicit Sample(std::vector<u8> const& volume, LogOptions options = {})
        : device(volume)
        , log(device, options)
    {
        std::mt19937_64 random(test_seed());
        auto const some = [&](u64 target) {
            return LoggedBlock { target, random_block(1024, random) };
        };
        log.transaction({ some(7000), some(7001), some(7002) }, {}, Ending::committed);
        log.transaction({ some(7001), some(7003) }, { 7000 }, Ending::committed);
        log.transaction({ some(7004) }, {}, Ending::committed);
    }

    MemoryDevice device;
    LogWriter log;
};

// Goal: a power cut during the replay costs nothing.
// Method: let the device fail at every write of it in turn, then replay what is left.
TEST_F(Recovered, AgainAfterAnInterruption)
{
    auto const volume = make_volume("-b 1024 8M");
    Sample const whole(volume);
    MemoryDevice finished(whole.device.bytes);
    MountReport report;
    CollectedErrors errors;
    ASSERT_TRUE(recover(finished, errors, report));
    ASSERT_GE(finished.writes, 3u);
    EXPECT_GE(finished.flushes, 3u);
    for (u64 writes = 0; writes < finished.writes; ++writes) {
        MemoryDevice device(whole.device.bytes);
        device.fails_at = writes;
        MountReport interrupted;
        EXPECT_EQ(recover(device, errors, interrupted).error(), Error::io);
        EXPECT_NE(interrupted.refusal.find("interrupted: cannot write"), std::string::npos);
        device.fails_at.reset();
        auto const again = recover(device, errors, report);
        ASSERT_TRUE(again && again->was_needed) << report.refusal;
        EXPECT_TRUE(device.bytes == finished.bytes) << writes << " writes";
    }
    EXPECT_FALSE(recover(finished, errors, report)->was_needed);
}

// Goal: who waits for a long recovery is told how far it is, and of a short one nothing.
// Method: a clock of which every look takes as long as we say.
TEST_F(Recovered, LongOnesAreTold)
{
    Sample const sample(make_volume("-b 1024 8M"));
    auto const told_at = [&](i64 look_ns) {
        MemoryDevice device(sample.device.bytes);
        CollectedErrors errors;
        MountReport report;
        std::vector<std::string> told;
        i64 now_ns = 0;
        report.listener = { [&](std::string_view sentence) { told.emplace_back(sentence); },
            [&] { return now_ns += look_ns; } };
        EXPECT_TRUE(recover(device, errors, report)) << report.refusal;
        return told;
    };
    EXPECT_TRUE(told_at(0).empty());
    auto const told = told_at(LongWork::interval_ns);
    ASSERT_GE(told.size(), 3u);
    EXPECT_EQ(told.front(), "reading the journal: 0 of 1023 blocks");
    EXPECT_EQ(told.back().rfind("replaying the journal: ", 0), 0u) << told.back();
}

// Goal: a journal damaged where it was committed is refused by the block's name, nothing written.
// Method: spoil each block of the log in turn; the last commit alone may look like a power cut.
TEST_F(Recovered, DamageNeverSpreads)
{
    auto const volume = make_volume("-b 1024 8M");
    for (auto const kind : { JournalChecksum::v2, JournalChecksum::v3 }) {
        Sample const whole(volume, { kind });
        auto const& used = whole.log.used();
        for (usize index = 0; index < used.size(); ++index) {
            SCOPED_TRACE("journal block " + std::to_string(used[index]));
            MemoryDevice device(whole.device.bytes);
            device.bytes[whole.log.journal().place(used[index]) * 1024 + 700] ^= 1;
            auto const before = device.bytes;
            MountReport report;
            CollectedErrors errors;
            auto const done = recover(device, errors, report);
            bool const last_commit = index + 1 == used.size();
            // Block 7000's copy was revoked, 7001's first one replaced: nobody needs them.
            bool const unneeded = index == 1 || index == 2;
            if (last_commit || unneeded) {
                ASSERT_TRUE(done) << report.refusal;
                EXPECT_EQ(done->transactions, last_commit ? 2u : 3u);
                continue;
            }
            ASSERT_FALSE(done);
            EXPECT_EQ(done.error(), Error::corrupt);
            EXPECT_NE(report.refusal.find("journal block " + std::to_string(used[index]) + " "),
                std::string::npos)
                << report.refusal;
            EXPECT_TRUE(device.bytes == before);
            EXPECT_EQ(device.writes, 0u);
        }
    }
}

// Goal: a copy that claims a place outside the volume or in the journal is refused.
TEST_F(Recovered, CopiesThatBelongNowhere)
{
    auto const volume = make_volume("-b 1024 8M");
    std::mt19937_64 random(test_seed());
    for (u64 const wrong : { 0, 8192, 0x7FFF'FFFF, -1 }) {
        MemoryDevice device(volume);
        LogWriter log(device, {});
        auto const target = wrong == ~0ull ? log.journal().place(500) : wrong;
        log.transaction({ { target, random_block(1024, random) } }, {}, Ending::committed);
        MountReport report;
        CollectedErrors errors;
        EXPECT_EQ(recover(device, errors, report).error(), Error::corrupt) << target;
        EXPECT_NE(report.refusal.find("block " + std::to_string(target)), std::string::npos);
        EXPECT_EQ(device.writes, 0u);
    }
}

// Goal: what cannot be replayed is refused by name.
TEST_F(Recovered, RefusesByName)
{
    auto const refusal = [&](MemoryDevice& device) {
        MountReport report;
        CollectedErrors errors;
        auto const done = recover(device, errors, report);
        EXPECT_EQ(done.error(), Error::unsupported);
        EXPECT_EQ(device.writes, 0u);
        return report.refusal;
    };
    auto const volume = make_volume("-b 1024 8M");
    {
        Sample sample(volume);
        auto const super = std::span(sample.device.bytes).subspan(superblock_offset, 1024);
        store32(super, 0xE0, 0);
        seal_superblock(super);
        EXPECT_NE(refusal(sample.device).find("external"), std::string::npos);
    }
    {
        Sample sample(volume);
        auto& bytes = sample.device.bytes;
        auto const super = std::span(bytes).subspan(sample.log.journal().place(0) * 1024, 1024);
        journal::store_be32(super, journal::super::incompatible, 0x33);
        journal::store_be32(super, journal::super::fast_commit_blocks, 16);
        journal::store_be32(super, journal::super::checksum, journal_super_checksum(super));
        MemoryDevice without(bytes);
        // The head of a fast commit that follows the last transaction (number 4).
        auto const area = std::span(bytes).subspan(
            sample.log.journal().place(sample.log.journal().super().blocks - 16) * 1024, 1024);
        store32(area, 0, 8 << 16 | 9);
        store32(area, 8, 4);
        EXPECT_NE(refusal(sample.device).find("fast_commit"), std::string::npos);
        MountReport report;
        CollectedErrors errors;
        EXPECT_TRUE(recover(without, errors, report)) << report.refusal;
    }
    {
        Sample sample(volume);
        auto const super
            = std::span(sample.device.bytes).subspan(sample.log.journal().place(0) * 1024, 1024);
        journal::store_be32(super, journal::super::incompatible, 0x113);
        journal::store_be32(super, journal::super::checksum, journal_super_checksum(super));
        EXPECT_NE(refusal(sample.device).find("0x100"), std::string::npos);
    }
}

// Goal: a volume that needs a replay can be read where nothing can be written.
// Method: a new root directory block exists in the log only.
TEST_F(Recovered, MountsInMemory)
{
    MemoryDevice device(make_volume("-b 1024 8M"));
    fs::create_directory(folder_.path() / "tree");
    write_host_file(folder_.path() / "tree" / "found", std::vector<u8>(10, 1));
    MemoryDevice const later(
        make_volume("-b 1024 -d " + (folder_.path() / "tree").string() + " 8M"));
    LogWriter log(device, {});
    std::vector<LoggedBlock> blocks;
    for (u64 block = 1; block < 8192; ++block) {
        auto const at = static_cast<std::ptrdiff_t>(block * 1024);
        auto const* const now = device.bytes.data() + at;
        auto const* const then = later.bytes.data() + at;
        if (!log.journal().owns(block) && std::memcmp(now, then, 1024) != 0)
            blocks.push_back({ block, { then, then + 1024 } });
    }
    log.transaction(blocks, {}, Ending::committed);
    auto const before = device.bytes;
    MountReport report;
    CollectedErrors errors;
    auto volume = Volume::mount(device, errors, report);
    ASSERT_TRUE(volume) << report.refusal;
    ASSERT_FALSE(report.notes.empty());
    EXPECT_NE(report.notes[0].find("1 transactions"), std::string::npos);
    EXPECT_TRUE(volume->lookup(*volume->inode(root_inode), "found"));
    EXPECT_TRUE(device.bytes == before);
}

} // namespace

} // namespace gemel::ext4::test
