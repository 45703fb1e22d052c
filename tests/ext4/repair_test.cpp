// The repair against e2fsck: what it calls clean is, and what cannot be repaired stays as it was.
#include "servers/ext4/check/repair.hpp"
#include "tests/ext4/debugfs.hpp"
#include "tests/ext4/log_writer.hpp"
#include "tests/ext4/planter.hpp"
#include "tests/ext4/source_tree.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr i64 now = 1'800'000'000'000'000'000;

// What must be put right whatever place the fault is in.
constexpr std::string_view repaired_kinds[] { "super.free_blocks", "super.free_inodes",
    "group.free_blocks", "group.free_inodes", "group.directories", "group.checksum", "bitmap.block",
    "bitmap.inode", "bitmap.padding", "inode.links", "inode.blocks", "inode.deleted",
    "inode.checksum", "entry.type", "entry.dot_dot", "entry.checksum" };

class RepairTest : public testing::Test {
protected:
    fs::path image() const { return folder_.path() / "image"; }
    fs::path source() const { return folder_.path() / "source"; }

    void SetUp() override
    {
        fs::create_directory(source());
        fill_tree(source(), { .files = 14, .folders_deep = 4, .entries_in_large_folder = 700 },
            test_seed());
    }
    std::vector<u8> make(std::string const& options)
    {
        fs::remove(image());
        make_image(image(), source(), options, "16M");
        index_directories(image());
        return read_host_file(image());
    }
    // Whether e2fsck finds nothing, not even what it calls harmless.
    bool judged_clean(std::vector<u8> const& bytes)
    {
        write_host_file(image(), bytes);
        said_ = run_up_to("e2fsck -fn " + quoted(image()) + " 2>&1; echo status $?", 0);
        return said_.find("status 0\n") != std::string::npos
            && said_.find("count wrong") == std::string::npos
            && said_.find("IGNORED") == std::string::npos;
    }
    // Repairs a copy; what it says is held against e2fsck. Gives whether the volume is clean now.
    bool repair(std::vector<u8> const& bytes)
    {
        MemoryDevice device(bytes);
        MountReport report;
        auto const done = repair_volume(device, report, { .now_ns = [] { return now; } });
        std::string text = report.refusal;
        for (usize each = 0; done && each < done->before.findings.size(); ++each)
            text += "\n  " + done->before.findings[each].sentence;
        for (usize each = 0; done && each < done->after.findings.size(); ++each)
            text += "\n  left: " + done->after.findings[each].sentence;
        bool const clean = done && done->after.findings.empty();
        if (clean) {
            EXPECT_TRUE(judged_clean(device.bytes)) << text << "\n" << said_;
        }
        if (done && !done->changed) {
            EXPECT_TRUE(device.bytes == bytes) << text;
        }
        found_ = text;
        changed_ = done && done->changed;
        repaired_ = device.bytes;
        return clean;
    }
    // What the check alone says is held against e2fsck too.
    void check(std::vector<u8> const& bytes)
    {
        MemoryDevice device(bytes);
        MountReport report;
        auto const found = examine_volume(device, report, Totals::when_clean);
        if (found && found->findings.empty() && found->summary.orphans == 0) {
            EXPECT_TRUE(judged_clean(bytes)) << said_;
        }
    }
    void debugfs(std::string const& command)
    {
        run("debugfs -w -R " + quoted(fs::path(command)) + " " + quoted(image()));
    }

    TemporaryFolder folder_;
    std::string said_;
    std::string found_;
    std::vector<u8> repaired_;
    bool changed_ = false;
};

// Goal: values that are inodes: a wrong count of uses is put right, what does not fit its entry is
// named and left.
TEST_F(RepairTest, ValuesOfAttributes)
{
    for (auto const* const options :
        { "-b 1024 -O ea_inode", "-b 4096 -O ea_inode,^metadata_csum" }) {
        SCOPED_TRACE(options);
        make(options);
        u32 value_inode = 0;
        {
            WrittenVolume written(image());
            auto& writer = written.writer();
            auto const file = writer.create({ root_inode, "file" }, { .mode = 0100644 }).value();
            ASSERT_TRUE(
                writer.set_extended(file, "user.a", std::vector<u8>(5'000, 7), AttributeMode::set));
            value_inode = file + 1; // the next free one
            ASSERT_TRUE(writer.unmount());
        }
        auto const field = [&](std::string const& name, std::string const& value) {
            debugfs("set_inode_field <" + std::to_string(value_inode) + "> " + name + " " + value);
        };
        auto const sound = read_host_file(image());
        EXPECT_TRUE(judged_clean(sound)) << said_;
        field("version", "5");
        EXPECT_FALSE(judged_clean(read_host_file(image())));
        EXPECT_TRUE(repair(read_host_file(image()))) << found_;
        EXPECT_TRUE(changed_);
        for (auto const& [name, value] : std::vector<std::pair<std::string, std::string>> {
                 { "atime", "1" }, { "size", "4000" }, { "flags", "0x80000" } }) {
            SCOPED_TRACE(name);
            write_host_file(image(), sound);
            field(name, value);
            auto const damaged = read_host_file(image());
            EXPECT_FALSE(judged_clean(damaged));
            EXPECT_FALSE(repair(damaged)) << found_;
            EXPECT_FALSE(changed_) << found_;
        }
    }
}

// Goal: every fault that can be repaired is, in e2fsck's eyes; every other leaves the volume alone.
TEST_F(RepairTest, PlantedFaults)
{
    std::mt19937_64 random(test_seed());
    auto const rounds = std::getenv("GEMEL_TEST_LONG") ? 6 : 1;
    for (auto const* const each :
        { "-b 1024", "-b 4096 -O ^metadata_csum", "-b 1024 -O ^metadata_csum,^extent,^64bit" }) {
        Planter planter(make(each));
        for (auto const kind : Planter::kinds()) {
            for (int round = 0; round < rounds; ++round) {
                auto const bytes = planter.plant(kind, random);
                SCOPED_TRACE(std::string(each) + ": " + planter.description());
                bool const clean = repair(bytes);
                bool const must
                    = std::find(std::begin(repaired_kinds), std::end(repaired_kinds), kind)
                    != std::end(repaired_kinds);
                EXPECT_TRUE(clean || !must) << found_;
                if (clean) {
                    EXPECT_FALSE(repair(repaired_) && changed_) << "a second one changes nothing";
                }
            }
        }
    }
}

// Goal: bytes anywhere in the metadata: what we call clean e2fsck does, and what we repaired too.
TEST_F(RepairTest, RandomBytes)
{
    std::mt19937_64 random(test_seed() + 1);
    auto const rounds = std::getenv("GEMEL_TEST_LONG") ? 400 : 40;
    for (auto const* const each :
        { "-b 1024", "-b 1024 -O ^metadata_csum", "-b 1024 -O ^metadata_csum,^extent,^64bit",
            "-b 1024 -O inline_data,^metadata_csum" }) {
        auto const sound = make(each);
        for (int round = 0; round < rounds; ++round) {
            auto bytes = sound;
            std::string changes;
            for (u64 count = random() % 3 + 1; count > 0; --count) {
                auto const offset = 1024 + random() % (700 * 1024);
                bytes[offset] = static_cast<u8>(bytes[offset] ^ 1u << random() % 8);
                changes += " " + std::to_string(offset);
            }
            SCOPED_TRACE(std::string(each) + ", bytes" + changes);
            check(bytes);
            repair(bytes);
        }
    }
}

// Goal: what no name leads to gets one. Method: debugfs takes names away, and lost+found with them.
TEST_F(RepairTest, LostFiles)
{
    for (auto const* const each : { "-b 1024", "-b 4096 -O ^metadata_csum", "-b 1024 -I 128" }) {
        for (bool const with_shelter : { true, false }) {
            SCOPED_TRACE(each);
            make(each);
            auto const file = Debugfs(image()).inode_of("hard");
            auto const folder = Debugfs(image()).inode_of("large");
            debugfs("unlink large");
            debugfs("unlink hard");
            if (!with_shelter)
                debugfs("rmdir lost+found");
            EXPECT_FALSE(judged_clean(read_host_file(image())));
            EXPECT_TRUE(repair(read_host_file(image()))) << found_;
            write_host_file(image(), repaired_);
            Debugfs const judge(image());
            EXPECT_EQ(judge.inode_of("lost+found/#" + std::to_string(folder)), folder);
            static_cast<void>(file); // it has other names
        }
    }
}

// Goal: deleted files that wait to be freed are, and an impossible list of them is let go.
TEST_F(RepairTest, Orphans)
{
    for (auto const* const each : { "-b 1024", "-b 1024 -O ^metadata_csum" }) {
        make(each);
        auto const victim = Debugfs(image()).inode_of("fragmented");
        debugfs("unlink fragmented");
        debugfs("set_inode_field <" + std::to_string(victim) + "> links_count 0");
        auto const unlisted = read_host_file(image());
        debugfs("set_super_value last_orphan " + std::to_string(victim));
        EXPECT_TRUE(repair(read_host_file(image()))) << found_;
        EXPECT_TRUE(repair(unlisted)) << found_;
        write_host_file(image(), unlisted);
        debugfs("set_super_value last_orphan 2");
        EXPECT_TRUE(repair(read_host_file(image()))) << found_;
        write_host_file(image(), unlisted);
        debugfs("set_super_value last_orphan 9999999");
        EXPECT_TRUE(repair(read_host_file(image()))) << found_;
    }
}

// Goal: a power cut in a repair costs nothing. Method: only the first writes of it happen; the next
// repair must come to a clean volume.
TEST_F(RepairTest, Interrupted)
{
    class Failing final : public BlockDevice {
    public:
        Failing(std::vector<u8> bytes, usize writes)
            : inner(std::move(bytes))
            , left(writes)
        {
        }
        Result<void> read(u64 offset, std::span<u8> target) override
        {
            return inner.read(offset, target);
        }
        Result<void> write(u64 offset, std::span<u8 const> source) override
        {
            if (left == 0)
                return Error::io;
            --left;
            return inner.write(offset, source);
        }
        Result<void> flush() override { return inner.flush(); }
        u64 size_bytes() const override { return inner.size_bytes(); }
        MemoryDevice inner;
        usize left;
    };
    make("-b 1024");
    debugfs("unlink large");
    debugfs("set_super_value free_blocks_count 7");
    auto bytes = read_host_file(image());
    bool ended = false;
    for (usize writes = 0; !ended; ++writes) {
        Failing device(bytes, writes);
        MountReport report;
        auto const done = repair_volume(device, report, { .now_ns = [] { return now; } });
        ended = done && done->after.findings.empty();
        if (writes % 5 == 0 || ended) {
            EXPECT_TRUE(repair(device.inner.bytes)) << writes << found_;
        }
        ASSERT_LT(writes, 500u);
    }
}

} // namespace

} // namespace gemel::ext4::test
