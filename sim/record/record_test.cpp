#include "sim/record/record_disk.hpp"
#include "sim/record/recording.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace gemel::sim {
namespace {

// A store of so many bytes.
class Memory final : public RecordStore {
public:
    explicit Memory(usize bytes_max)
        : bytes_(bytes_max)
    {
    }
    u8* extend(usize bytes) noexcept override
    {
        if (bytes > bytes_.size() - used)
            return nullptr;
        auto* at = bytes_.data() + used;
        used += bytes;
        return at;
    }
    std::span<u8 const> all() const { return bytes_; }
    std::span<u8> all() { return bytes_; }

    usize used = 0;

private:
    std::vector<u8> bytes_;
};

RecordingStart a_start()
{
    RecordingStart start;
    start.build = 0x1234'5678'9ABC'DEF0;
    start.memory_bytes = 256u << 20;
    start.disk_bytes = u64 { 1 } << 40;
    start.wall_clock_s = -5;
    start.cpus = 2;
    start.at_prompt = 1;
    start.command_line = "GEMEL_COMMAND=ls ";
    start.image = "a disk";
    return start;
}

// The records of three kinds that every test below has in its file.
void write_some(Memory& store)
{
    RecordWriter writer { store, encode(a_start()) };
    std::vector<u8> fields;
    put_number(fields, 1'000'000);
    EXPECT_TRUE(writer.add(RecordKind::time, fields));
    u8 const typed[] = { 'l', 's', '\n' };
    EXPECT_TRUE(writer.add(RecordKind::typed, typed));
    std::vector<u8> const block(1024, 7);
    fields.clear();
    put_number(fields, 8);
    put_number(fields, 2);
    EXPECT_TRUE(writer.add(RecordKind::disk_bytes, fields, block));
}

std::vector<RecordKind> kinds_in(std::span<u8 const> file)
{
    RecordingStart start;
    usize begin = 0;
    std::string error;
    std::vector<RecordKind> kinds;
    if (!decode(file, start, begin, error))
        return kinds;
    for (RecordReader records { file, begin }; records.next().kind != RecordKind::nothing;
         records.take())
        kinds.push_back(records.next().kind);
    return kinds;
}

std::vector<RecordKind> const all_kinds_written { RecordKind::time, RecordKind::typed,
    RecordKind::disk_bytes };

// Goal: numbers of every length come back, signed ones too.
TEST(Recording, NumbersComeBack)
{
    std::vector<u8> bytes;
    u64 const values[] = { 0, 1, 127, 128, 16383, 16384, ~0ull, u64 { 1 } << 63 };
    for (auto const value : values)
        put_number(bytes, value);
    Fields fields { bytes };
    for (auto const value : values)
        EXPECT_EQ(fields.number(), value);
    EXPECT_TRUE(fields.ok());
    EXPECT_EQ(fields.number(), 0u);
    EXPECT_FALSE(fields.ok());
    for (i64 const value : { i64 { 0 }, i64 { -1 }, i64 { 1 }, i64 { -1'700'000'000 } })
        EXPECT_EQ(from_zigzag(zigzag(value)), value);
}

// Goal: what was written is read, to the zeroes that a killed process leaves behind it.
TEST(Recording, ComesBack)
{
    Memory store { 65536 };
    write_some(store);
    RecordingStart start;
    usize begin = 0;
    std::string error;
    ASSERT_TRUE(decode(store.all(), start, begin, error)) << error;
    EXPECT_EQ(start.build, a_start().build);
    EXPECT_EQ(start.disk_bytes, a_start().disk_bytes);
    EXPECT_EQ(start.wall_clock_s, -5);
    EXPECT_EQ(start.command_line, "GEMEL_COMMAND=ls ");
    EXPECT_EQ(start.image, "a disk");
    EXPECT_EQ(kinds_in(store.all()), all_kinds_written);
    RecordReader records { store.all(), begin };
    for (auto i = 0; i < 3; ++i)
        records.take();
    EXPECT_EQ(records.good_bytes(), store.used);
    EXPECT_FALSE(records.damaged());
}

// Goal: the end of a session comes back, and half of one is none.
TEST(Recording, EndComesBack)
{
    RecordingEnd end;
    end.entries = 12345;
    end.l1 = { 1, 2 };
    end.status = 3;
    end.how = RecordingEnd::How::left;
    auto const bytes = encode(end);
    RecordingEnd back;
    ASSERT_TRUE(decode(bytes, back));
    EXPECT_EQ(back.entries, 12345u);
    EXPECT_EQ(back.l1, end.l1);
    EXPECT_EQ(back.status, 3);
    EXPECT_EQ(back.how, RecordingEnd::How::left);
    EXPECT_FALSE(decode(std::span { bytes }.first(bytes.size() - 1), back));
}

// Goal: a file that ends anywhere gives whole records, in order, and no other.
TEST(Recording, CutAnywhereIsGoodToThere)
{
    Memory store { 65536 };
    write_some(store);
    auto const file = store.all().first(store.used);
    for (usize length = 0; length <= file.size(); ++length) {
        auto const kinds = kinds_in(file.first(length));
        ASSERT_LE(kinds.size(), all_kinds_written.size());
        EXPECT_TRUE(std::equal(kinds.begin(), kinds.end(), all_kinds_written.begin()));
        EXPECT_EQ(kinds == all_kinds_written, length == file.size());
    }
}

// Goal: no flipped bit is believed. Method: every bit of the file; the head's make it unusable, a
// record's end the recording before it.
TEST(Recording, FlippedBitsAreNoticed)
{
    Memory store { 8192 };
    write_some(store);
    u32 believed = 0;
    for (usize bit = 0; bit < store.used * 8; ++bit) {
        store.all()[bit / 8] ^= static_cast<u8>(1u << bit % 8);
        auto const kinds = kinds_in(store.all());
        believed += kinds == all_kinds_written;
        store.all()[bit / 8] ^= static_cast<u8>(1u << bit % 8);
    }
    // The last record's check has eight bits: one flip in 256 may pass where no record follows.
    EXPECT_LT(believed, store.used * 8 / 100);
}

// Goal: a record that finds no room is lost whole, and so is all that follows it.
TEST(Recording, FullIsAnEnd)
{
    auto const begun = encode(a_start()).size();
    Memory store { begun + 16 };
    RecordWriter writer { store, encode(a_start()) };
    u8 const bytes[8] = {};
    EXPECT_TRUE(writer.add(RecordKind::entropy, bytes));
    EXPECT_FALSE(writer.add(RecordKind::entropy, bytes));
    EXPECT_TRUE(writer.full());
    EXPECT_FALSE(writer.add(RecordKind::typed, { bytes, 1 }));
    EXPECT_EQ(kinds_in(store.all()), std::vector { RecordKind::entropy });
}

// Goal: who reads the clock all the time is written down a thousand times a second at most, in the
// long run.
TEST(Recording, TheClockHasABudget)
{
    ReadBudget budget;
    u32 written = 0;
    for (u64 i = 0; i < 1'000'000; ++i)
        written += budget.take();
    EXPECT_EQ(written, ReadBudget::burst);
    budget.refill(1'000'000'000);
    for (u64 i = 0; i < 1'000'000; ++i)
        written += budget.take();
    EXPECT_EQ(written, ReadBudget::burst + 1000);
    budget.refill(3'600'000'000'000);
    for (u64 i = 0; i < 1'000'000; ++i)
        written += budget.take();
    EXPECT_EQ(written, 2 * ReadBudget::burst + 1000);
}

// Goal: sectors are known one by one, over the borders of what is kept together.
TEST(Recording, SectorsAreKnownOneByOne)
{
    SectorSet set;
    set.add(4090, 10);
    set.remove(4095, 2);
    for (u64 sector = 4080; sector < 4110; ++sector)
        EXPECT_EQ(
            set.has(sector), sector >= 4090 && sector < 4100 && sector != 4095 && sector != 4096);
}

} // namespace
} // namespace gemel::sim
