// The cache of the device over a driver that counts, in memory, on the real kernel: what is asked
// of the device, and what it is told and when.
#include "servers/ext4/device_cache.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/test/in_program.hpp"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <set>

namespace gemel::ext4::test {

namespace {

using gemel::test::in_program;
using gemel::test::in_thread;
using protocol::Block;

constexpr u64 page = 4096;
constexpr u64 sector = protocol::sector_bytes;
constexpr u64 mib = 1 << 20;
constexpr u64 device_bytes = 6 * mib;

struct Medium {
    std::vector<u8> bytes = std::vector<u8>(device_bytes);
    std::set<u64> bad {}; // sectors that are refused
    u64 reads = 0;
    u64 sectors_read = 0;
    u64 writes = 0;
    u64 sectors_written = 0;
    u64 flushes = 0;
    u64 writes_at_flush = 0; // before the last one

    Result<void> check(u64 lba, u32 count) const
    {
        auto const next = bad.lower_bound(lba);
        return next != bad.end() && *next < lba + count ? Result<void>(Error::io) : Result<void>();
    }
    void forget_counts() { reads = sectors_read = writes = sectors_written = flushes = 0; }
};

class MemoryDriver {
public:
    MemoryDriver(Medium& medium, ObjectServer& objects, SharedRegion region)
        : medium_(medium)
        , objects_(objects)
        , region_(std::move(region))
    {
    }
    Result<Block::Read::Reply> on(Block::Read const& request)
    {
        auto const target = TRY(region_.at({ request.offset, request.count * u32 { sector } }));
        ++medium_.reads;
        medium_.sectors_read += request.count;
        TRY(medium_.check(request.lba, request.count));
        std::memcpy(target.data(), medium_.bytes.data() + request.lba * sector, target.size());
        return Block::Read::Reply {};
    }
    Result<Block::Write::Reply> on(Block::Write const& request)
    {
        auto const source = TRY(region_.at({ request.offset, request.count * u32 { sector } }));
        ++medium_.writes;
        medium_.sectors_written += request.count;
        TRY(medium_.check(request.lba, request.count));
        std::memcpy(medium_.bytes.data() + request.lba * sector, source.data(), source.size());
        return Block::Write::Reply {};
    }
    Result<Block::Flush::Reply> on(Block::Flush const&)
    {
        ++medium_.flushes;
        medium_.writes_at_flush = medium_.writes;
        return Block::Flush::Reply {};
    }
    Result<Block::Discard::Reply> on(Block::Discard const& request)
    {
        return Block::Discard::Reply { request.count };
    }
    Result<Block::Attach::Reply> on(Block::Attach request)
    {
        auto region = TRY(SharedRegion::map(std::move(request.region)));
        auto session = make_ref<MemoryDriver>(medium_, objects_, std::move(region));
        return Block::Attach::Reply { TRY(objects_.publish<Block>(std::move(session))) };
    }
    Result<Block::Info::Reply> on(Block::Info const&)
    {
        return Block::Info::Reply { medium_.bytes.size() / sector, 4096, 1000,
            protocol::BlockAccess::read_write };
    }

private:
    Medium& medium_;
    ObjectServer& objects_;
    SharedRegion region_;
};

struct Cached {
    explicit Cached(u64 cache_bytes)
        : port(*system::port_allocate())
        , objects(port)
        , run([this] {
            (void)objects.run();
            ended = true;
        })
    {
        for (u64 each = 0; each < medium.bytes.size(); ++each)
            medium.bytes[each] = original(each);
        objects.set_root<Block>(make_ref<MemoryDriver>(medium, objects, SharedRegion {}));
        in_thread(run, "driver");
        cache = std::move(*DeviceCache::create(
            Client<Block>(*port.derive(Right::call | Right::derive)), cache_bytes));
    }
    // The driver ends first: it uses the rest.
    ~Cached()
    {
        cache.reset();
        port.close();
        while (!ended)
            system::sched_yield();
    }
    Cached(Cached const&) = delete;
    static u8 original(u64 offset) { return static_cast<u8>(offset * 7 + offset / page * 13); }

    // Each byte must be what it was at first.
    void read(u64 offset, u64 bytes, u64 ahead = 0)
    {
        std::vector<u8> target(bytes);
        ASSERT_TRUE(cache->read_contents(offset, target, ahead));
        expect_original(target, offset);
    }
    void read_metadata(u64 offset, u64 bytes)
    {
        std::vector<u8> target(bytes);
        ASSERT_TRUE(cache->read(offset, target));
        expect_original(target, offset);
    }
    static void expect_original(std::vector<u8> const& bytes, u64 offset)
    {
        for (u64 each = 0; each < bytes.size(); ++each)
            ASSERT_EQ(bytes[each], original(offset + each)) << offset + each;
    }
    void write(u64 offset, u64 bytes, u8 value)
    {
        ASSERT_TRUE(cache->write_contents(offset, std::vector<u8>(bytes, value)));
    }
    void expect_counts(u64 reads, u64 sectors_read)
    {
        EXPECT_EQ(medium.reads, reads);
        EXPECT_EQ(medium.sectors_read, sectors_read);
        medium.forget_counts();
    }

    Medium medium;
    Handle port;
    ObjectServer objects;
    std::function<void()> run;
    std::atomic<bool> ended { false };
    Own<DeviceCache> cache;
};

int with_cache(u64 cache_bytes, std::function<void(Cached&)> const& body)
{
    return in_program([&](Env&) {
        Cached cached(cache_bytes);
        body(cached);
    });
}

} // namespace

// Goal: reading more than fits leaves metadata in memory that is used now and then.
TEST(DeviceCache, AScanLeavesMetadata)
{
    EXPECT_EQ(with_cache(2 * mib,
                  [](Cached& cached) {
                      for (u64 each = 0; each < 128; ++each)
                          cached.read_metadata(each * 2 * page, page);
                      for (u64 offset = 2 * mib; offset < device_bytes; offset += 64 * 1024)
                          cached.read(offset, 64 * 1024);
                      cached.medium.forget_counts();
                      for (u64 each = 0; each < 128; ++each)
                          cached.read_metadata(each * 2 * page, page);
                      cached.expect_counts(0, 0);
                  }),
        0);
}

// Goal: what is asked for alone is read, in whole pages; what follows, in one request, where
// somebody says so, and never past the device's end.
TEST(DeviceCache, ReadsAheadInOneRequest)
{
    EXPECT_EQ(with_cache(2 * mib,
                  [](Cached& cached) {
                      cached.read(5 * page + 100, 200);
                      cached.expect_counts(1, 8);
                      cached.read(100 * page, 2 * page, 6 * page);
                      cached.expect_counts(1, 64);
                      cached.read(102 * page, 6 * page);
                      cached.expect_counts(0, 0);
                      cached.read(device_bytes - 2 * page, page, 10 * page);
                      cached.expect_counts(1, 16);
                      cached.read(300 * page, page);
                      cached.read(301 * page, page); // goes on there: the rest of 64 KiB with it
                      cached.read(302 * page, page);
                      cached.expect_counts(2, 8 + 3 * 8);
                  }),
        0);
}

// Goal: a block that nobody asked for may be unreadable; so may the rest of a page.
TEST(DeviceCache, ErrorsAreForWhoAsked)
{
    EXPECT_EQ(with_cache(2 * mib,
                  [](Cached& cached) {
                      cached.medium.bad = { 12 * 8 + 3 };
                      cached.read(10 * page, page, 8 * page);
                      cached.read(11 * page, page + 2 * sector, 8 * page);
                      std::vector<u8> target(sector);
                      EXPECT_EQ(
                          cached.cache->read_contents(12 * page + 3 * sector, target, 0).error(),
                          Error::io);
                      cached.read(12 * page + 4 * sector, 4 * sector);
                      EXPECT_FALSE(cached.cache->lost());
                      cached.medium.bad.clear();
                      cached.read(12 * page, page);
                  }),
        0);
}

// Goal: small writes beside each other reach the device in one request, before the flush, and
// nothing is read for them; what is not written yet is what a read sees.
TEST(DeviceCache, WritesRuns)
{
    EXPECT_EQ(with_cache(2 * mib,
                  [](Cached& cached) {
                      for (u64 each = 0; each < 64; ++each)
                          cached.write(mib + each * 1024, 1024, static_cast<u8>(each));
                      EXPECT_EQ(cached.medium.writes, 0u);
                      EXPECT_EQ(cached.medium.bytes[mib], Cached::original(mib));
                      std::vector<u8> target(1024);
                      ASSERT_TRUE(cached.cache->read_contents(mib + 5 * 1024, target, 0));
                      EXPECT_EQ(target, std::vector<u8>(1024, 5));
                      ASSERT_TRUE(cached.cache->flush());
                      EXPECT_EQ(cached.medium.writes, 1u);
                      EXPECT_EQ(cached.medium.writes_at_flush, 1u);
                      EXPECT_EQ(cached.medium.sectors_written, 128u);
                      EXPECT_EQ(cached.medium.bytes[mib + 63 * 1024], 63);
                      cached.expect_counts(0, 0);
                      ASSERT_TRUE(cached.cache->flush());
                      EXPECT_EQ(cached.medium.writes, 0u);
                      EXPECT_EQ(cached.medium.flushes, 1u);
                  }),
        0);
}

// Goal: pages beside each other on the device that are not so in memory are one request all the
// same; where the device refuses it, what it does not refuse is written.
TEST(DeviceCache, GathersWhatIsScattered)
{
    EXPECT_EQ(with_cache(2 * mib,
                  [](Cached& cached) {
                      auto const write_scattered = [&](u64 others) {
                          for (u64 each = 0; each < 40; ++each) {
                              cached.read(
                                  (others + 2 * each) * page, page); // takes a frame between them
                              cached.write((100 + each) * page, page, static_cast<u8>(each));
                          }
                          cached.medium.forget_counts();
                      };
                      write_scattered(600);
                      ASSERT_TRUE(cached.cache->flush());
                      EXPECT_EQ(cached.medium.writes, 1u);
                      EXPECT_EQ(cached.medium.sectors_written, 40 * 8u);
                      for (u64 each = 0; each < 40 * page; ++each)
                          ASSERT_EQ(cached.medium.bytes[100 * page + each], each / page);
                      std::fill_n(cached.medium.bytes.begin() + 100 * page, 40 * page, u8 { 77 });
                      cached.medium.bad = { 110 * 8 };
                      cached.cache->abandon_writes();
                      write_scattered(800);
                      EXPECT_EQ(cached.cache->flush().error(), Error::io);
                      for (u64 each = 0; each < 40 * page; ++each)
                          ASSERT_EQ(cached.medium.bytes[100 * page + each],
                              each / page == 10 ? 77u : static_cast<u8>(each / page));
                  }),
        0);
}

// Goal: parts of pages are written alone and read around, parts of sectors with their other bytes.
TEST(DeviceCache, WritesPartsOfPages)
{
    EXPECT_EQ(with_cache(2 * mib,
                  [](Cached& cached) {
                      cached.write(20 * page + 2 * sector, sector, 1);
                      cached.write(20 * page + 4 * sector, sector, 2);
                      cached.expect_counts(0, 0);
                      cached.write(21 * page + 100, 50, 3);
                      cached.expect_counts(1, 1);
                      std::vector<u8> target(2 * page);
                      ASSERT_TRUE(cached.cache->read_contents(20 * page, target, 0));
                      ASSERT_TRUE(cached.cache->flush());
                      EXPECT_EQ(cached.medium.writes, 3u);
                      EXPECT_EQ(cached.medium.sectors_written, 3u);
                      for (u64 each = 0; each < target.size(); ++each) {
                          auto const within = each % page;
                          u8 wanted = Cached::original(20 * page + each);
                          if (each < page && within / sector == 2)
                              wanted = 1;
                          else if (each < page && within / sector == 4)
                              wanted = 2;
                          else if (each >= page && within >= 100 && within < 150)
                              wanted = 3;
                          ASSERT_EQ(target[each], wanted) << each;
                          ASSERT_EQ(cached.medium.bytes[20 * page + each], wanted) << each;
                      }
                  }),
        0);
}

// Goal: what waits is bounded, and nothing of it gets lost when the cache is full of it.
TEST(DeviceCache, WritesBackWhenMuchWaits)
{
    EXPECT_EQ(
        with_cache(mib,
            [](Cached& cached) {
                for (u64 offset = 0; offset < 4 * mib; offset += page)
                    cached.write(offset, page, static_cast<u8>(offset / page));
                EXPECT_GT(cached.medium.sectors_written, (4 * mib - mib / 2) / sector);
                EXPECT_LT(cached.medium.writes, 40u);
                ASSERT_TRUE(cached.cache->flush());
                for (u64 offset = 0; offset < 4 * mib; offset += page)
                    ASSERT_EQ(cached.medium.bytes[offset], static_cast<u8>(offset / page))
                        << offset;
                std::vector<u8> const whole(2 * mib, 9); // more than the cache at once
                ASSERT_TRUE(cached.cache->write_contents(4 * mib, whole));
                ASSERT_TRUE(cached.cache->flush());
                EXPECT_EQ(
                    std::memcmp(cached.medium.bytes.data() + 4 * mib, whole.data(), 2 * mib), 0);
            }),
        0);
}

// Goal: a write that the device refuses later is an error of the next flush, also when room for a
// read was what wrote it; once.
TEST(DeviceCache, TheFlushTellsOfRefusedWrites)
{
    EXPECT_EQ(with_cache(mib,
                  [](Cached& cached) {
                      cached.medium.bad = { 30 * 8 };
                      cached.write(30 * page, page, 1);
                      cached.write(40 * page, page, 2);
                      EXPECT_EQ(cached.cache->flush().error(), Error::io);
                      EXPECT_EQ(cached.medium.bytes[40 * page], 2);
                      EXPECT_EQ(cached.medium.flushes, 0u);
                      cached.medium.bad.clear();
                      EXPECT_TRUE(cached.cache->flush());
                      cached.read(30 * page, page); // forgotten
                  }),
        0);
}

// Goal: the same when room for other writes was what wrote it: those succeed, and the flush after
// them fails, once.
TEST(DeviceCache, AWriteThatMadeOthersWriteIsNotBlamed)
{
    EXPECT_EQ(with_cache(mib,
                  [](Cached& cached) {
                      cached.medium.bad = { 30 * 8 };
                      cached.write(30 * page, page, 1);
                      for (u64 each = 100; each < 100 + mib / page; ++each)
                          cached.write(each * page, page, 2);
                      EXPECT_GT(cached.medium.writes, 0u);
                      cached.medium.bad.clear();
                      EXPECT_EQ(cached.cache->discard(4 * page, page).error(), Error::io);
                      EXPECT_EQ(cached.cache->flush().error(), Error::io);
                      EXPECT_TRUE(cached.cache->flush());
                  }),
        0);
}

// Goal: another host's bytes are seen, and our own are not lost for it; what is abandoned is never
// written; what is discarded is read again.
TEST(DeviceCache, FreshAbandonedAndDiscarded)
{
    EXPECT_EQ(with_cache(mib,
                  [](Cached& cached) {
                      cached.read(50 * page, page);
                      cached.write(50 * page + sector, sector, 1);
                      cached.medium.bytes[50 * page] = 99;
                      std::vector<u8> target(page);
                      ASSERT_TRUE(cached.cache->read_fresh(50 * page, target));
                      EXPECT_EQ(target[0], 99);
                      EXPECT_EQ(target[sector], 1);
                      EXPECT_EQ(cached.medium.writes, 0u);
                      cached.cache->abandon_writes();
                      ASSERT_TRUE(cached.cache->flush());
                      EXPECT_EQ(cached.medium.writes, 0u);
                      cached.read(60 * page, page);
                      cached.write(70 * page, page, 5);
                      ASSERT_TRUE(cached.cache->discard(60 * page, 4 * page));
                      EXPECT_EQ(cached.medium.bytes[70 * page], 5);
                      cached.medium.forget_counts();
                      cached.read(60 * page, page);
                      cached.expect_counts(1, 8);
                  }),
        0);
}

// Goal: whatever is read and written in whichever order, the cache is the device with what was
// written. Method: random steps beside a copy; a cache much smaller than what is touched.
TEST(DeviceCache, RandomStepsAgree)
{
    EXPECT_EQ(
        with_cache(mib,
            [](Cached& cached) {
                auto copy = cached.medium.bytes;
                u64 random = 1;
                auto const next = [&](u64 below) {
                    random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
                    return (random >> 33) % below;
                };
                for (u32 step = 0; step < 6000; ++step) {
                    auto const bytes = next(8) == 0 ? next(100'000) + 1 : next(9000) + 1;
                    auto const offset = next(copy.size() - bytes);
                    bool const as_metadata = next(3) == 0;
                    std::vector<u8> part(bytes, static_cast<u8>(step));
                    switch (next(5)) {
                    case 0:
                    case 1:
                        ASSERT_TRUE(as_metadata ? cached.cache->write(offset, part)
                                                : cached.cache->write_contents(offset, part));
                        std::copy(part.begin(), part.end(),
                            copy.begin() + static_cast<std::ptrdiff_t>(offset));
                        break;
                    case 2:
                    case 3:
                        ASSERT_TRUE(as_metadata
                                ? cached.cache->read(offset, part)
                                : cached.cache->read_contents(offset, part, next(40'000)));
                        ASSERT_EQ(std::memcmp(part.data(), copy.data() + offset, bytes), 0) << step;
                        break;
                    case 4:
                        if (next(20) == 0) {
                            ASSERT_TRUE(cached.cache->flush());
                            ASSERT_EQ(cached.medium.bytes, copy);
                        } else {
                            ASSERT_TRUE(cached.cache->read_fresh(offset, part));
                            ASSERT_EQ(std::memcmp(part.data(), copy.data() + offset, bytes), 0)
                                << step;
                        }
                        break;
                    }
                }
                ASSERT_TRUE(cached.cache->flush());
                EXPECT_EQ(cached.medium.bytes, copy);
            }),
        0);
}

} // namespace gemel::ext4::test
