// Regions on the real hosted kernel. The test is the pager and the program at once: before it
// touches a page, it mends the fault that the touch would be.
#include "servers/pager/space.hpp"
#include "servers/rt/test/in_program.hpp"

#include <cstring>
#include <gtest/gtest.h>

namespace gemel::pager {
namespace {

// Counts what is out, and refuses when told to.
class TestSource final : public MemorySource {
public:
    Result<Handle> take(u32 pages) override
    {
        if (left_ == 0)
            return Error::quota;
        --left_;
        auto const mapping
            = TRY(system::vm_allocate(0, pages * page_bytes, VmFlag::read | VmFlag::write));
        TRY(system::vm_deallocate(mapping.address, pages * page_bytes));
        ++out_;
        return Handle(mapping.region);
    }
    void give_back(Handle region) override
    {
        EXPECT_TRUE(region);
        EXPECT_TRUE(region.destroy());
        --out_;
    }
    void allow(u64 more) { left_ = more; }
    usize out() const { return out_; }

private:
    u64 left_ = ~u64 { 0 };
    usize out_ = 0;
};

// A file of which the test knows every byte.
u64 in_file(u64 offset)
{
    return offset * 0x9E3779B97F4A7C15 + 7;
}

std::vector<std::byte> piece_of_file(u64 offset, u32 bytes)
{
    std::vector<std::byte> piece(bytes);
    for (u32 at = 0; at < bytes; at += sizeof(u64)) {
        auto const value = in_file(offset + at);
        std::memcpy(piece.data() + at, &value, sizeof(value));
    }
    return piece;
}

Ref<Backing> file_of(u64 bytes)
{
    return make_ref<Backing>(Client<protocol::File>(), make_ref<SharedRegion>(), bytes);
}

struct Stage {
    MemoryBroker memory;
    TestSource source;
    Frames frames;
    Shared shared;
    Space space;

    explicit Stage(Env& env)
        : memory(std::move(*env.take_handle("broker-mm")))
        , frames(source, memory)
        , shared { frames, source, memory }
        , space(shared, std::move(*env.take_handle("task-self")), arena(env))
    {
    }
    static Arena arena(Env& env)
    {
        return { env.startup().address_end - paged_bytes, env.startup().address_end, 3 };
    }

    // Mends until the access succeeds, and answers how often the file was asked.
    Result<u32> mend(u64 address, PageAccess access)
    {
        for (u32 asked = 0;; ++asked) {
            auto const wanted = TRY(space.mend(address, access));
            if (!wanted)
                return asked;
            TRY(space.filled(*wanted, piece_of_file(wanted->offset, wanted->bytes)));
        }
    }
    Result<u64> read(u64 address)
    {
        TRY(mend(address, PageAccess::read));
        return u64 { *reinterpret_cast<u64 volatile*>(address) };
    }
    Result<void> write(u64 address, u64 value)
    {
        TRY(mend(address, PageAccess::write));
        *reinterpret_cast<u64 volatile*>(address) = value;
        return {};
    }
};

void expect_nothing_kept(Stage& stage)
{
    stage.space.clear();
    auto const usage = stage.space.usage();
    EXPECT_EQ(usage.regions + usage.pages + usage.tables, 0u);
    EXPECT_EQ(stage.frames.used(), 0u);
    EXPECT_EQ(stage.shared.tables, 256u);
    EXPECT_LE(stage.source.out(), 1u); // the page of zeros
}

void run(std::function<void(Stage&)> const& body)
{
    EXPECT_EQ(test::in_program([&](Env& env) {
        Stage stage(env);
        body(stage);
        expect_nothing_kept(stage);
    }),
        0);
}

} // namespace

// Goal: what is read costs nothing, what is written a page; outside is nothing.
TEST(PagerSpace, ZerosCostWhatIsWritten)
{
    run([](Stage& stage) {
        constexpr u64 bytes = u64 { 1 } << 30;
        auto const region = stage.space.map_zeros(bytes);
        ASSERT_TRUE(region);
        for (u64 at = 0; at < bytes; at += bytes / 16) {
            EXPECT_EQ(stage.read(*region + at).value_or(1), 0u);
            EXPECT_EQ(stage.space.usage().pages, 0u);
        }
        for (u64 at = 0; at < bytes; at += bytes / 16)
            EXPECT_TRUE(stage.write(*region + at, at + 1));
        for (u64 at = 0; at < bytes; at += bytes / 16)
            EXPECT_EQ(stage.read(*region + at).value_or(0), at + 1);
        EXPECT_EQ(stage.space.usage().pages, 16u);
        EXPECT_EQ(stage.space.usage().tables, 16u);
        for (auto const outside : { *region - 1, *region + bytes, u64 { 0 }, ~u64 { 0 } })
            EXPECT_EQ(stage.mend(outside, PageAccess::read).error(), Error::not_found);
        EXPECT_EQ(stage.space.unmap(*region + page_bytes).error(), Error::not_found);
        EXPECT_TRUE(stage.space.unmap(*region));
        EXPECT_EQ(stage.mend(*region, PageAccess::read).error(), Error::not_found);
    });
}

// Goal: a snapshot shares pages until a side writes, whatever the pages were; and a page whose
// other side is gone is not copied.
TEST(PagerSpace, SnapshotsShareUntilWritten)
{
    run([](Stage& stage) {
        auto const first = *stage.space.map_zeros(8 * page_bytes);
        for (u64 page = 0; page < 4; ++page) {
            EXPECT_TRUE(stage.write(first + page * page_bytes, page + 1));
            EXPECT_TRUE(stage.write(first + page * page_bytes + 8, page + 51));
        }
        EXPECT_EQ(stage.read(first + 4 * page_bytes).value_or(1), 0u);
        auto const second = *stage.space.snapshot(first);
        auto const third = *stage.space.snapshot(second);
        EXPECT_EQ(stage.space.usage().pages, 4u);
        EXPECT_TRUE(stage.write(first, 100));
        EXPECT_TRUE(stage.write(second + page_bytes, 200));
        EXPECT_TRUE(stage.write(third + 4 * page_bytes, 300));
        EXPECT_TRUE(stage.write(third + 5 * page_bytes, 400));
        EXPECT_EQ(stage.space.usage().pages, 8u);
        u64 const wanted[3][6]
            = { { 100, 2, 3, 4, 0, 0 }, { 1, 200, 3, 4, 0, 0 }, { 1, 2, 3, 4, 300, 400 } };
        u64 const regions[3] = { first, second, third };
        for (u64 region = 0; region < 3; ++region)
            for (u64 page = 0; page < 6; ++page)
                EXPECT_EQ(stage.read(regions[region] + page * page_bytes).value_or(~u64 { 0 }),
                    wanted[region][page]);
        for (auto const region : regions)
            for (u64 page = 0; page < 4; ++page)
                EXPECT_EQ(stage.read(region + page * page_bytes + 8).value_or(0), page + 51);
        EXPECT_TRUE(stage.space.unmap(first));
        EXPECT_TRUE(stage.space.unmap(second));
        EXPECT_EQ(stage.space.usage().pages, 6u);
        EXPECT_TRUE(stage.write(third, 500));
        EXPECT_EQ(stage.space.usage().pages, 6u);
        EXPECT_EQ(stage.space.snapshot(first).error(), Error::not_found);
    });
}

// Goal: a file larger than what the program may have is all there, what was written to it too.
// Method: more pages than pages_max, read twice; every 100th is written in between. The first pages
// of windows are among them or not.
TEST(PagerSpace, FilesAreGivenUpAndReadAgain)
{
    run([](Stage& stage) {
        constexpr u64 pages = pages_max + 1500;
        auto const region
            = stage.space.map_file(file_of(pages * page_bytes), 0, pages * page_bytes);
        ASSERT_TRUE(region);
        auto const at = [&](u64 page) { return *region + page * page_bytes; };
        for (u64 page = 0; page < pages; ++page)
            ASSERT_EQ(stage.read(at(page)).value_or(0), in_file(page * page_bytes));
        for (u64 page = 0; page < pages; page += 100)
            ASSERT_TRUE(stage.write(at(page), page));
        for (u64 page = pages; page-- > 0;)
            ASSERT_EQ(stage.read(at(page)).value_or(0),
                page % 100 == 0 ? page : in_file(page * page_bytes));
        EXPECT_LE(stage.space.usage().pages + stage.space.usage().tables, pages_max);
        auto const copy = stage.space.snapshot(*region);
        ASSERT_TRUE(copy);
        for (u64 page = 0; page < pages; page += 50)
            ASSERT_EQ(stage.read(*copy + page * page_bytes).value_or(0),
                page % 100 == 0 ? page : in_file(page * page_bytes));
    });
}

// Goal: a file can be read with all other memory in use, even within one window.
TEST(PagerSpace, AFileFindsRoomInItsOwnWindow)
{
    run([](Stage& stage) {
        constexpr u64 pages = 400;
        auto const region
            = *stage.space.map_file(file_of(pages * page_bytes), 0, pages * page_bytes);
        EXPECT_TRUE(stage.write(region + 7 * page_bytes, 7));
        auto const full = *stage.space.map_zeros((pages_max - 40) * page_bytes);
        for (u64 page = 0; page < pages_max - 40; ++page)
            ASSERT_TRUE(stage.write(full + page * page_bytes, page));
        for (u64 page = 0; page < pages; ++page)
            ASSERT_EQ(stage.read(region + page * page_bytes).value_or(0),
                page == 7 ? page : in_file(page * page_bytes));
        for (u64 page = 0; page < pages_max - 40; ++page)
            ASSERT_EQ(stage.read(full + page * page_bytes).value_or(~u64 { 0 }), page);
    });
}

// Goal: a page has nothing of who had it before.
TEST(PagerSpace, PagesComeWithZeros)
{
    run([](Stage& stage) {
        auto const stays = *stage.space.map_zeros(page_bytes);
        EXPECT_TRUE(stage.write(stays, 1)); // or the chunk would go and come back
        auto const first = *stage.space.map_zeros(8 * page_bytes);
        for (u64 at = 0; at < 8 * page_bytes; at += page_bytes)
            EXPECT_TRUE(stage.write(first + at, 99));
        EXPECT_TRUE(stage.space.unmap(first));
        auto const second = *stage.space.map_zeros(8 * page_bytes);
        for (u64 at = 0; at < 8 * page_bytes; at += page_bytes) {
            EXPECT_TRUE(stage.write(second + at + 8, 1));
            EXPECT_EQ(stage.read(second + at).value_or(99), 0u);
        }
    });
}

// Goal: a file's end is its end: zeros behind the last byte, nothing behind the last page, an error
// where it has become shorter.
TEST(PagerSpace, FilesEndWhereTheyEnd)
{
    run([](Stage& stage) {
        constexpr u64 bytes = 2 * page_bytes + 8;
        EXPECT_EQ(stage.space.map_file(file_of(bytes), 8, 8).error(), Error::invalid);
        EXPECT_EQ(
            stage.space.map_file(file_of(bytes), 0, 3 * page_bytes + 1).error(), Error::invalid);
        EXPECT_EQ(stage.space.map_file(file_of(bytes), 4 * page_bytes, 1).error(), Error::invalid);
        EXPECT_EQ(stage.space.map_file(file_of(bytes), 3 * page_bytes, 0).error(), Error::invalid);
        auto const region = *stage.space.map_file(file_of(bytes), page_bytes, 2 * page_bytes);
        auto wanted = *stage.space.mend(region + page_bytes, PageAccess::read);
        ASSERT_TRUE(wanted);
        EXPECT_EQ(wanted->offset, page_bytes);
        auto const piece = piece_of_file(page_bytes, page_bytes + 8);
        EXPECT_EQ(stage.space.filled(*wanted, {}).error(), Error::io);
        EXPECT_TRUE(stage.space.filled(*wanted, piece));
        EXPECT_FALSE(*stage.space.mend(region + page_bytes, PageAccess::read));
        EXPECT_EQ(*reinterpret_cast<u64*>(region + page_bytes), in_file(2 * page_bytes));
        EXPECT_EQ(*reinterpret_cast<u64*>(region + page_bytes + 8), 0u);
        EXPECT_EQ(stage.mend(region + 2 * page_bytes, PageAccess::read).error(), Error::not_found);
    });
}

// Goal: what cannot be had changes nothing, and what was taken on the way comes back.
// Method: a snapshot and new pages with every number of regions that may be taken, from none on.
TEST(PagerSpace, WhatFailsChangesNothing)
{
    run([](Stage& stage) {
        auto const region = *stage.space.map_zeros(3 * region_bytes_max);
        auto const place = [&](u64 number) { return region + number * (region_bytes_max / 2); };
        for (u64 number = 0; number < 6; number += 2)
            EXPECT_TRUE(stage.write(place(number), number + 1));
        auto const before = stage.space.usage();
        auto const out = stage.source.out();
        bool made = false;
        u64 refused = 0;
        for (u64 allowed = 0; !made; ++allowed) {
            stage.source.allow(allowed);
            auto const copy = stage.space.snapshot(region);
            made = copy.has_value();
            if (made)
                break;
            ++refused;
            EXPECT_EQ(copy.error(), Error::quota);
            EXPECT_EQ(stage.space.usage().regions, before.regions);
            EXPECT_EQ(stage.space.usage().pages, before.pages);
            EXPECT_EQ(stage.space.usage().tables, before.tables);
            EXPECT_EQ(stage.source.out(), out);
            for (u64 number = 0; number < 6; number += 2)
                EXPECT_EQ(stage.read(place(number)).value_or(0), number + 1);
            EXPECT_TRUE(stage.write(place(0), 1));
        }
        EXPECT_EQ(refused, 3u); // it needs three tables
        stage.source.allow(0);
        EXPECT_EQ(stage.space.map_zeros(page_bytes).has_value(), true); // nothing yet
        auto const other = *stage.space.map_zeros(page_bytes);
        EXPECT_EQ(stage.mend(other, PageAccess::write).error(), Error::quota);
        stage.source.allow(8);
        EXPECT_TRUE(stage.write(other, 5));
        EXPECT_EQ(stage.read(other).value_or(0), 5u);
    });
}

// Goal: every bound is one.
TEST(PagerSpace, BoundsHold)
{
    run([](Stage& stage) {
        for (auto const bytes : { u64 { 1 } << 63, ~u64 { 0 }, paged_bytes })
            EXPECT_EQ(stage.space.map_zeros(bytes).error(), Error::too_big);
        EXPECT_EQ(stage.space.map_zeros(0).error(), Error::invalid);
        auto const region = *stage.space.map_zeros(u64 { 1 } << 30);
        u32 tables = 0;
        while (stage.write(region + tables * region_bytes_max, tables))
            ++tables;
        EXPECT_EQ(tables, tables_max);
        EXPECT_EQ(stage.shared.tables, 256 - (tables_max - tables_own));
        EXPECT_TRUE(stage.space.unmap(region));
        auto const array = *stage.space.map_zeros(u64 { 1 } << 30);
        u32 pages = 0;
        while (stage.write(array + pages * page_bytes, pages))
            ++pages;
        EXPECT_GE(pages, pages_max - 8);
        EXPECT_LE(stage.space.usage().pages + stage.space.usage().tables, pages_max);
        EXPECT_EQ(stage.mend(array + pages * page_bytes, PageAccess::write).error(), Error::quota);
        EXPECT_EQ(stage.read(array).value_or(1), 0u);
        EXPECT_TRUE(stage.space.unmap(array));
        // More places of zeros than there may be: the oldest are given up.
        auto const zeros = *stage.space.map_zeros(u64 { 1 } << 30);
        for (u64 page = 0; page < 4 * zeros_max; ++page)
            ASSERT_EQ(stage.read(zeros + page * page_bytes).value_or(1), 0u);
        EXPECT_EQ(stage.space.usage().pages, 0u);
        for (u32 files = 0; files < files_max; ++files)
            EXPECT_TRUE(stage.space.map_file(file_of(1), 0, 1));
        EXPECT_EQ(stage.space.map_file(file_of(1), 0, 1).error(), Error::too_big);
        for (u32 regions = 1 + files_max; regions < regions_max; ++regions)
            EXPECT_TRUE(stage.space.map_zeros(1));
        EXPECT_EQ(stage.space.map_zeros(1).error(), Error::too_big);
    });
}

} // namespace gemel::pager
