// The orphan file: what is in it is what e2fsck expects there, and damage to it spreads no further.
#include "servers/ext4/check/repair.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;

class OrphanFile : public testing::Test {
protected:
    void make(std::string const& options)
    {
        make_empty_image(image_, "-b 1024 -O orphan_file " + options, "24M");
        MountReport report;
        FileBlockReader device(image_);
        CollectedErrors errors;
        file_ = Volume::mount(device, errors, report)->super().orphan_inode;
    }

    // Files that are open, without a name, and a volume that nobody unmounts.
    void leave_orphans(u32 count, usize bytes)
    {
        WrittenVolume written(image_);
        auto& writer = written.writer();
        before_ = written.volume().statistics();
        for (u32 each = 0; each < count; ++each) {
            auto const name = "f" + std::to_string(each);
            auto const inode = writer.create({ root_inode, name }, { .mode = regular }).value();
            auto const written_bytes = writer.write(inode, 0, std::vector<u8>(bytes, 'o'));
            ASSERT_EQ(written_bytes.value(), bytes);
            writer.opened(inode);
            ASSERT_TRUE(writer.remove({ root_inode, name }, Removal::file));
        }
        ASSERT_TRUE(writer.settle());
    }

    bool is_present() const { return feature("orphan_present"); }
    bool feature(std::string const& name) const
    {
        return run("dumpe2fs -h " + quoted(image_) + " 2>&1 | grep features").find(name)
            != std::string::npos;
    }
    // The file's blocks, as inode numbers.
    std::vector<u32> entries() const
    {
        auto const bytes = Debugfs(image_).dump({ file_ }).at(file_);
        std::vector<u32> found;
        for (usize at = 0; at < bytes.size(); at += 4) {
            auto const number = load32(bytes, at);
            if (at % 1024 < 1024 - 8 && number != 0)
                found.push_back(number);
        }
        return found;
    }
    u64 first_block() const { return Debugfs(image_).blocks(file_).at(0); }
    // What mounting for writing has to say; empty when it is written.
    std::string refusal() const
    {
        FileBlockDevice device(image_);
        CollectedErrors errors;
        MountReport report;
        auto const volume
            = Volume::mount_writable(device, errors, report, { .now_ns = [] { return now; } });
        if (!volume)
            return report.refusal;
        return volume->writer() ? "" : report.notes.back();
    }

    enum class Access { reading, writing };

    static constexpr i64 now = 1'700'000'000'000'000'000;
    TemporaryFolder folder_;
    fs::path image_ = folder_.path() / "image";
    u32 file_ = 0;
    Statistics before_ {};
};

// Goal: files that are open without a name stand in the file, and e2fsck frees them from there.
// Method: the image as it is while they are open, on volumes with every kind of checksum.
TEST_F(OrphanFile, IsReadByE2fsck)
{
    for (auto const* const options :
        { "", "-O ^metadata_csum", "-O metadata_csum_seed", "-I 128" }) {
        SCOPED_TRACE(options);
        make(options);
        leave_orphans(5, 20'000);
        EXPECT_TRUE(is_present());
        EXPECT_EQ(entries().size(), 5u);
        auto const said = run_up_to("e2fsck -fp " + quoted(image_), 1);
        EXPECT_NE(said.find("Clearing orphaned inode"), std::string::npos) << said;
        EXPECT_EQ(said.find("UNEXPECTED"), std::string::npos) << said;
        EXPECT_TRUE(entries().empty());
        expect_clean(image_);
    }
}

// Goal: what a mount says of them is true, and said once.
// Method: one for reading, one for writing, and one more; in the orphan file and in the list.
TEST_F(OrphanFile, AreToldOfOnce)
{
    for (auto const* const options : { "", "-O ^orphan_file" }) {
        SCOPED_TRACE(options);
        make(options);
        leave_orphans(3, 3'000);
        auto const told = [&](Access access) {
            FileBlockDevice device(image_);
            CollectedErrors errors;
            MountReport report;
            auto const volume = access == Access::reading
                ? Volume::mount(device, errors, report)
                : Volume::mount_writable(device, errors, report, { .now_ns = [] { return now; } });
            EXPECT_TRUE(volume);
            if (volume && volume->writer())
                EXPECT_TRUE(volume->writer()->unmount());
            std::string text;
            for (auto const& note : report.notes) {
                if (note.find("orphans") != std::string::npos)
                    text += note + "\n";
            }
            return text;
        };
        EXPECT_EQ(told(Access::reading),
            "deleted files still wait to be freed (orphans): a mount for writing frees them\n");
        EXPECT_EQ(told(Access::writing), "deleted files that waited were freed (orphans)\n");
        EXPECT_EQ(told(Access::writing), "");
    }
}

// Goal: the next mount frees them, whoever left them, and says that the file is empty.
TEST_F(OrphanFile, IsWorkedOffAtMount)
{
    make("");
    leave_orphans(300, 3'000);
    EXPECT_EQ(entries().size(), 300u);
    WrittenVolume again(image_);
    EXPECT_EQ(again.volume().statistics().free_inodes, before_.free_inodes);
    EXPECT_EQ(again.volume().statistics().free_blocks, before_.free_blocks);
    ASSERT_TRUE(again.writer().unmount());
    EXPECT_FALSE(is_present());
    EXPECT_TRUE(entries().empty());
    expect_clean(image_);
}

// Goal: a file that was being cut loses what lies behind its end, and nothing else.
// Method: debugfs gives a deleted file in the orphan file its name back, and a smaller size.
TEST_F(OrphanFile, HoldsFilesThatAreCut)
{
    make("");
    leave_orphans(1, 50'000);
    auto const inode = "<" + std::to_string(entries().at(0)) + ">";
    Debugfs(image_).change({ "link " + inode + " f", "sif " + inode + " links_count 1",
        "sif " + inode + " size 10000" });
    WrittenVolume again(image_);
    EXPECT_EQ(again.contents("f"), std::vector<u8>(10'000, 'o'));
    EXPECT_EQ(again.volume().inode(again.number("f"))->allocated_bytes, 10u * 1024);
    ASSERT_TRUE(again.writer().unmount());
    EXPECT_TRUE(entries().empty());
    expect_clean(image_);
}

// Goal: when the file is full the list takes what comes.
TEST_F(OrphanFile, OverflowsIntoTheList)
{
    make("-N 9000");
    constexpr u32 in_file = 32 * (1024 - 8) / 4;
    leave_orphans(in_file + 20, 0);
    EXPECT_EQ(entries().size(), in_file);
    EXPECT_EQ(run("dumpe2fs -h " + quoted(image_) + " 2>&1 | grep -c 'First orphan inode'"), "1\n");
    auto const kept = read_host_file(image_);
    EXPECT_EQ(run_up_to("e2fsck -fp " + quoted(image_), 1).find("UNEXPECTED"), std::string::npos);
    expect_clean(image_);
    write_host_file(image_, kept);
    WrittenVolume again(image_);
    EXPECT_EQ(again.volume().statistics().free_inodes, before_.free_inodes);
    ASSERT_TRUE(again.writer().unmount());
    expect_clean(image_);
}

// Goal: a claim that something is in the file, where nothing is, goes with the next mount.
TEST_F(OrphanFile, EmptyInSpiteOfTheFlag)
{
    make("");
    run("debugfs -w -R 'feature orphan_present' " + quoted(image_));
    EXPECT_EQ(refusal(), "");
    WrittenVolume again(image_);
    ASSERT_TRUE(again.writer().unmount());
    EXPECT_FALSE(is_present());
    expect_clean(image_);
}

// Goal: a damaged orphan file makes the volume read-only, by name, and a repair mends what takes no
// guess.
TEST_F(OrphanFile, Damage)
{
    make("");
    leave_orphans(3, 2'000);
    auto const kept = read_host_file(image_);
    auto const block = first_block() * 1024;
    struct Fault {
        u64 offset;
        bool repaired;
    };
    for (auto const fault : { Fault { 1020, true }, Fault { 1016, false }, Fault { 503, true } }) {
        SCOPED_TRACE(fault.offset);
        write_host_file(image_, kept);
        spoil(image_, block + fault.offset);
        EXPECT_NE(refusal().find("orphan"), std::string::npos) << refusal();
        FileBlockDevice device(image_);
        MountReport report;
        auto const done = repair_volume(device, report, { .now_ns = [] { return now; } });
        ASSERT_TRUE(done) << report.refusal;
        EXPECT_EQ(done->after.findings.empty(), fault.repaired);
        if (fault.repaired)
            expect_clean(image_);
    }
}

} // namespace

} // namespace gemel::ext4::test
