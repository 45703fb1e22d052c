// Multiple mount protection: what another host does meanwhile is written by the test's own clock.
#include "servers/ext4/check/repair.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/recovery.hpp"
#include "servers/ext4/volume_super.hpp"
#include "tests/ext4/log_writer.hpp"
#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr i64 second = 1'000'000'000;
constexpr u32 clean = 0xFF4D'4D50;
constexpr u32 checked = 0xE24D'4D50;
constexpr u32 greatest = 0xE24D'4D4F;

class Guard : public testing::Test {
protected:
    void SetUp() override { make("-b 1024 -O mmp"); }

    void make(std::string const& options)
    {
        auto const image = folder_.path() / "image";
        make_empty_image(image, options, "16M");
        device_.emplace(read_host_file(image));
        MountReport report;
        super_ = load_superblock(*device_, report).value();
    }

    std::span<u8> block()
    {
        return std::span(device_->bytes).subspan(super_.mmp_block * super_.block_bytes, 1024);
    }
    u32 sequence() { return load32(block(), 4); }
    void set_sequence(u32 number)
    {
        store32(block(), 4, number);
        seal();
    }
    void seal()
    {
        if (super_.has(ReadOnlyCompatible::metadata_csum))
            store32(block(), 1020, crc32c(super_.checksum_seed, Bytes(block()).first(1020)));
    }

    WriteOptions options()
    {
        return { .now_ns = [this] { return now_ns_; },
            .wait_ns =
                [this](i64 ns) {
                    now_ns_ += ns;
                    ++waits_;
                    if (other_host_)
                        other_host_();
                } };
    }
    Result<Volume> mount() { return Volume::mount_writable(*device_, errors_, report_, options()); }
    std::string judge()
    {
        auto const image = folder_.path() / "judged";
        write_host_file(image, device_->bytes);
        return run_up_to("e2fsck -fn " + quoted(image) + "; echo status $?", 0);
    }
    // Mounting must fail with these words, and not have written.
    void expect_refusal(Error error, std::string const& words)
    {
        auto const before = device_->bytes;
        auto const volume = mount();
        ASSERT_FALSE(volume);
        EXPECT_EQ(volume.error(), error);
        EXPECT_NE(report_.refusal.find(words), std::string::npos) << report_.refusal;
        EXPECT_TRUE(device_->bytes == before);
    }

    TemporaryFolder folder_;
    std::optional<MemoryDevice> device_;
    Superblock super_ {};
    CollectedErrors errors_;
    MountReport report_;
    i64 now_ns_ = 1'700'000'000 * second;
    int waits_ = 0;
    std::function<void()> other_host_;
};

// Goal: a mounted volume shows that it is, in time, and an unmounted one is free for everybody.
TEST_F(Guard, ShowsThatTheVolumeIsMounted)
{
    EXPECT_EQ(sequence(), clean);
    {
        auto volume = mount();
        ASSERT_TRUE(volume && volume->writer()) << report_.refusal;
        EXPECT_EQ(waits_, 1); // for who might have started at the same moment
        auto& writer = *volume->writer();
        auto last = sequence();
        EXPECT_LE(last, greatest);
        for (int beat = 0; beat < 5; ++beat) {
            ASSERT_TRUE(writer.due_ns());
            EXPECT_LE(*writer.due_ns(), now_ns_ + 5 * second);
            now_ns_ = *writer.due_ns();
            ASSERT_TRUE(writer.attend());
            EXPECT_EQ(sequence(), last % greatest + 1);
            EXPECT_EQ(load32(block(), 8), static_cast<u32>(now_ns_ / second));
            last = sequence();
        }
        ASSERT_TRUE(writer.create({ root_inode, "f" }, { .mode = 0100644 }));
        now_ns_ += 60 * second; // a long operation gives a sign on its way
        ASSERT_TRUE(writer.sync());
        EXPECT_NE(sequence(), last);
        ASSERT_TRUE(writer.unmount());
        EXPECT_FALSE(writer.due_ns());
    }
    EXPECT_EQ(sequence(), clean);
    EXPECT_NE(judge().find("status 0\n"), std::string::npos) << judge();
}

// Goal: dumpe2fs reads what we write. Method: names, sequence and interval of a mounted volume.
TEST_F(Guard, IsReadByOthers)
{
    auto volume = mount();
    ASSERT_TRUE(volume);
    auto const image = folder_.path() / "mounted";
    write_host_file(image, device_->bytes);
    auto const said = run("dumpe2fs -h " + quoted(image) + " 2>&1");
    EXPECT_NE(said.find("mmp_node_name: gemel"), std::string::npos) << said;
    EXPECT_EQ(said.find("hecksum error"), std::string::npos) << said;
}

// Goal: a volume on which another host is alive is not touched.
TEST_F(Guard, AnotherHostIsAlive)
{
    set_sequence(17);
    std::copy_n("elsewhere", 9, block().begin() + 16);
    seal();
    auto const other = [this] { store32(block(), 4, sequence() + 1), seal(); };
    auto before = device_->bytes;
    other_host_ = other;
    auto const volume = mount();
    ASSERT_FALSE(volume);
    EXPECT_EQ(volume.error(), Error::busy);
    EXPECT_NE(
        report_.refusal.find("another host is using the volume: elsewhere"), std::string::npos)
        << report_.refusal;
    EXPECT_EQ(device_->writes, 0u);
    MountReport report;
    EXPECT_EQ(repair_volume(*device_, report, options()).error(), Error::busy);
    EXPECT_EQ(device_->writes, 0u);
}

// Goal: one that died is waited for as long as it may take between two signs, and no longer.
TEST_F(Guard, AnotherHostDied)
{
    set_sequence(17);
    store16(block(), 112, 20);
    seal();
    auto const start = now_ns_;
    auto const volume = mount();
    ASSERT_TRUE(volume && volume->writer()) << report_.refusal;
    EXPECT_EQ(waits_, 2);
    EXPECT_EQ(now_ns_ - start, 2 * 41 * second);
    EXPECT_NE(sequence(), 17u);
}

// Goal: of two hosts that start at the same moment one gives way.
TEST_F(Guard, TwoAtOnce)
{
    other_host_ = [this] { set_sequence(4711); };
    auto const volume = mount();
    ASSERT_FALSE(volume);
    EXPECT_EQ(volume.error(), Error::busy);
    EXPECT_EQ(sequence(), 4711u);
    EXPECT_EQ(device_->writes, 1u);
}

// Goal: a volume that another host has taken in spite of all is not written any more.
TEST_F(Guard, TakenByAnotherHost)
{
    auto volume = mount();
    ASSERT_TRUE(volume);
    auto& writer = *volume->writer();
    auto const file = writer.create({ root_inode, "f" }, { .mode = 0100644 });
    ASSERT_TRUE(writer.write(file.value(), 0, std::vector<u8>(9000, 'f'))); // has no place yet
    set_sequence(99);
    auto const before = device_->bytes;
    now_ns_ += 6 * second;
    EXPECT_EQ(writer.attend().error(), Error::busy);
    EXPECT_EQ(writer.create({ root_inode, "g" }, { .mode = 0100644 }).error(), Error::read_only);
    EXPECT_FALSE(writer.sync());
    EXPECT_FALSE(writer.unmount());
    EXPECT_FALSE(writer.due_ns());
    EXPECT_TRUE(device_->bytes == before);
    EXPECT_TRUE(volume->inode(root_inode)); // what is there can still be looked at
}

// Goal: the same when it shows in the midst of a commit.
TEST_F(Guard, TakenDuringACommit)
{
    auto volume = mount();
    ASSERT_TRUE(volume);
    auto& writer = *volume->writer();
    auto const file = writer.create({ root_inode, "f" }, { .mode = 0100644 });
    ASSERT_TRUE(writer.write(file.value(), 0, std::vector<u8>(9000, 'f'))); // gets its place in it
    set_sequence(99);
    auto const before = device_->bytes;
    now_ns_ += 6 * second;
    EXPECT_FALSE(writer.sync());
    EXPECT_TRUE(device_->bytes == before);
}

// Goal: e2fsck's own mark, an unknown one, and a damaged block are refused by name.
TEST_F(Guard, WhatCannotBeClaimed)
{
    auto const pristine = device_->bytes;
    set_sequence(checked);
    expect_refusal(Error::busy, "e2fsck is at work");
    set_sequence(checked + 1);
    expect_refusal(Error::corrupt, "unknown sequence");
    device_->bytes = pristine;
    block()[200] ^= 1;
    expect_refusal(Error::corrupt, "wrong checksum");
    device_->bytes = pristine;
    block()[0] ^= 1;
    expect_refusal(Error::corrupt, "holds no such protection");
    device_->bytes = pristine;
    for (u64 const place : { u64 { 0 }, u64 { 1 }, u64 { 1 } << 40 }) {
        store32(std::span(device_->bytes), superblock_offset + 0x168, static_cast<u32>(place));
        store32(
            std::span(device_->bytes), superblock_offset + 0x16C, static_cast<u32>(place >> 32));
        seal_superblock(std::span(device_->bytes).subspan(superblock_offset, superblock_bytes));
        expect_refusal(Error::corrupt, "cannot be one");
    }
    device_->bytes = pristine;
    auto volume
        = Volume::mount_writable(*device_, errors_, report_, { .now_ns = [] { return second; } });
    EXPECT_EQ(volume.error(), Error::unsupported);
}

// Goal: the numbers run from 1 to the greatest and begin again; another interval is kept to.
TEST_F(Guard, SequenceAndInterval)
{
    make("-b 4096 -O mmp,^metadata_csum -E mmp_update_interval=30");
    EXPECT_EQ(super_.mmp_interval, 30u);
    auto const start = now_ns_;
    auto volume = mount();
    ASSERT_TRUE(volume);
    EXPECT_EQ(now_ns_ - start, 61 * second);
    EXPECT_EQ(load16(block(), 112), 60);
    EXPECT_EQ(*volume->writer()->due_ns(), now_ns_ + 30 * second);
    ASSERT_TRUE(volume->writer()->unmount());
    EXPECT_EQ(sequence(), clean);
}

// Goal: what is free can be given back, but not once another host has the volume.
TEST_F(Guard, IsTrimmed)
{
    auto const volume = mount();
    ASSERT_TRUE(volume) << report_.refusal;
    auto const given_back = volume->writer()->trim({});
    ASSERT_TRUE(given_back) << name_of(given_back.error());
    EXPECT_GT(*given_back, 0u);
    EXPECT_EQ(device_->bytes_discarded, *given_back);
    set_sequence(sequence() + 77);
    now_ns_ += 100 * second;
    EXPECT_FALSE(volume->writer()->trim({}));
    EXPECT_EQ(device_->bytes_discarded, *given_back);
}

// Goal: a volume that can only be read is let go of at once; a repair lets go, too.
TEST_F(Guard, IsReleased)
{
    store16(std::span(device_->bytes), superblock_offset + 0x3A, 3); // errors
    seal_superblock(std::span(device_->bytes).subspan(superblock_offset, superblock_bytes));
    auto const volume = mount();
    ASSERT_TRUE(volume);
    EXPECT_EQ(volume->writer(), nullptr);
    EXPECT_EQ(sequence(), clean);
    MountReport report;
    auto const done = repair_volume(*device_, report, options());
    ASSERT_TRUE(done) << report.refusal;
    EXPECT_TRUE(done->after.findings.empty());
    EXPECT_EQ(sequence(), clean);
    EXPECT_NE(judge().find("status 0\n"), std::string::npos) << judge();
}

} // namespace

} // namespace gemel::ext4::test
