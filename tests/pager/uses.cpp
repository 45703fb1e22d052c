#include "tests/pager/uses.hpp"

#include "servers/rt/thread.hpp"

#include <atomic>
#include <cstring>

namespace gemel::paged {

namespace {

// The same numbers in every run (xorshift64*).
class Chooser {
public:
    u64 below(u64 bound)
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545F4914F6CDD1D >> 16) % bound;
    }

private:
    u64 state_ = 88172645463325252;
};

Result<u64> pages_of(PagedMemory const& memory)
{
    return u64 { TRY(memory.usage()).pages };
}

u64 stamp(u64 page)
{
    return page * 0x9E3779B97F4A7C15 + 1;
}

// Pages first..end hold what `of` says.
template <typename Of>
bool holds(PagedMemory::Bytes region, u64 end, Of of)
{
    for (u64 page = 0; page < end; ++page)
        if (word(region, page) != of(page) || word(region, page, 511) != ~of(page))
            return false;
    return true;
}

void write(PagedMemory::Bytes region, u64 page, u64 value)
{
    word(region, page) = value;
    word(region, page, 511) = ~value;
}

} // namespace

// An array larger than all memory there is, touched here and there.
Result<void> use_sparse(Cast& cast)
{
    constexpr u64 pages = u64 { 1 } << 18; // 1 GiB
    constexpr u64 touched = 100;
    constexpr u64 step = pages / touched;
    AuditBroker const audit(TRY(cast.env.take_handle("audit")));
    auto const array = TRY(cast.memory.zeros(pages * page_bytes));
    auto const free_before = TRY(audit.totals()).pages_free;
    bool zero = true;
    for (u64 i = 0; i < touched; ++i)
        zero = zero && word(array, i * step + 1) == 0 && word(array, i * step + 2, 7) == 0;
    auto const read = TRY(pages_of(cast.memory));
    for (u64 i = 0; i < touched; ++i)
        word(array, i * step + 1) = stamp(i);
    for (u64 i = 0; i < touched; ++i)
        zero = zero && word(array, i * step + 1) == stamp(i) && word(array, i * step + 1, 1) == 0;
    auto const written = TRY(pages_of(cast.memory));
    auto const cost = free_before - TRY(audit.totals()).pages_free;
    TRY(cast.say("contents are right: ", cast.check(zero)));
    TRY(cast.say(read, " pages when read, ", written, " when ", touched, " were written"));
    // A table for each place, and what pages are taken in: chunks.
    TRY(cast.say("of ", pages, " pages the machine gave fewer than 400: ", cast.check(cost < 400)));
    TRY(cast.memory.unmap(array));
    auto const after = TRY(cast.memory.usage());
    return cast.say(after.regions, " regions, ", after.pages, " pages, ", after.tables, " tables");
}

Result<void> use_snapshot(Cast& cast)
{
    constexpr u64 pages = 600; // two windows
    auto const first = TRY(cast.memory.zeros(pages * page_bytes));
    for (u64 page = 0; page < pages; ++page)
        write(first, page, stamp(page));
    auto const before = TRY(pages_of(cast.memory));
    auto const second = TRY(cast.memory.snapshot(first));
    auto const third = TRY(cast.memory.snapshot(second));
    auto right
        = holds(first, pages, stamp) && holds(second, pages, stamp) && holds(third, pages, stamp);
    TRY(cast.say("three hold the same: ", cast.check(right), ", in ", TRY(pages_of(cast.memory)),
        " pages where one took ", before));
    for (u64 page = 0; page < pages; page += 100)
        write(first, page, page);
    for (u64 page = 50; page < pages; page += 100)
        write(second, page, page);
    right = holds(first, pages, [](u64 page) { return page % 100 == 0 ? page : stamp(page); })
        && holds(second, pages, [](u64 page) { return page % 100 == 50 ? page : stamp(page); })
        && holds(third, pages, stamp);
    TRY(cast.say("each holds its own: ", cast.check(right), ", in ",
        TRY(pages_of(cast.memory)) - before, " pages more for 12 that were written"));
    TRY(cast.memory.unmap(first));
    TRY(cast.memory.unmap(second));
    right = holds(third, pages, stamp);
    write(third, 0, 5);
    right = right && word(third, 0) == 5 && word(third, 1) == stamp(1);
    return cast.say(
        "the last alone: ", cast.check(right), ", in ", TRY(pages_of(cast.memory)), " pages");
}

namespace {

struct Writing {
    PagedMemory::Bytes region;
    std::atomic<bool> stop { false };
    std::atomic<bool> stopped { false };
    std::atomic<u64> rounds { 0 };
};

// Every page gets the round's number, one after the other.
void write_rounds(void* argument)
{
    auto& writing = *static_cast<Writing*>(argument);
    auto const pages = writing.region.size() / page_bytes;
    for (u64 round = 1; !writing.stop; ++round) {
        for (u64 page = 0; page < pages; ++page)
            word(writing.region, page) = round;
        writing.rounds = round;
        system::sched_yield();
    }
    writing.stopped = true;
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

// A snapshot is of one instant: what was written later is not there without what was written
// earlier.
Result<void> use_snapshot_while_written(Cast& cast)
{
    constexpr u64 pages = 40;
    constexpr u64 snapshots = 30;
    Writing writing { TRY(cast.memory.zeros(pages * page_bytes)) };
    auto thread = TRY(spawn_thread(write_rounds, &writing, 16 * page_bytes, "writer"));
    thread.release();
    bool right = true;
    for (u64 i = 0; i < snapshots; ++i) {
        auto const rounds = writing.rounds.load();
        while (writing.rounds == rounds)
            system::sched_yield();
        auto const copy = TRY(cast.memory.snapshot(writing.region));
        u64 const first = word(copy, 0);
        for (u64 page = 1; page < pages; ++page) {
            u64 const here = word(copy, page);
            u64 const there = word(copy, page - 1);
            right = right && here <= there && first - here <= 1;
        }
        TRY(cast.memory.unmap(copy));
    }
    writing.stop = true;
    while (!writing.stopped)
        system::sched_yield();
    return cast.say(snapshots, " snapshots, each of one instant: ", cast.check(right));
}

// The mapping and read(2) agree on every page, in any order; writing to it stays with us.
Result<void> use_file(Cast& cast)
{
    auto const path = cast.env.arguments()[2];
    auto file = TRY(cast.files.open(path, static_cast<OpenFlags>(OpenFlag::read)));
    auto const size = TRY(file.status()).size;
    auto const pages = (size + page_bytes - 1) / page_bytes;
    auto const mapped = TRY(cast.memory.file(file.client(), 0, size));
    std::vector<u8> seen(pages);
    Chooser chooser;
    u64 different = 0;
    std::array<std::byte, page_bytes> page {};
    auto const compare = [&](u64 number) -> Result<void> {
        seen[number] = 1;
        file.seek(number * page_bytes);
        auto const bytes = TRY(file.read(page));
        different += std::memcmp(page.data(), mapped.data() + number * page_bytes, bytes) != 0;
        for (auto rest = bytes; rest < page_bytes; ++rest)
            different += mapped.data()[number * page_bytes + rest] != std::byte {};
        return {};
    };
    for (u64 i = 0; i < pages; ++i)
        TRY(compare(chooser.below(pages)));
    for (u64 number = 0; number < pages; ++number)
        if (seen[number] == 0)
            TRY(compare(number));
    auto const usage = TRY(cast.memory.usage());
    TRY(cast.say(pages, " pages, ", different, " different; within ", usage.pages_max, ": ",
        cast.check(usage.pages + usage.tables <= usage.pages_max)));
    for (u64 number = 0; number < pages; number += 20)
        word(mapped, number) = stamp(number);
    u64 passed = 0;
    for (u64 number = 0; number < pages; ++number) // all of it once more
        passed += word(mapped, number, 1);
    u64 lost = passed == 0 ? 1 : 0;
    for (u64 number = 0; number < pages; number += 20)
        lost += word(mapped, number) != stamp(number);
    TRY(cast.say(lost, " of the pages that were written are lost"));
    TRY(cast.memory.unmap(mapped));
    auto const again = TRY(cast.memory.file(file.client(), page_bytes, size - page_bytes));
    u64 const first = word(again, 0);
    file.seek(page_bytes);
    TRY(file.read(page));
    u64 in_file = 0;
    std::memcpy(&in_file, page.data(), sizeof(in_file));
    return cast.say("the file has what it had: ", cast.check(first == in_file));
}

Result<void> use_file_snapshot(Cast& cast)
{
    auto const path = cast.env.arguments()[2];
    auto file = TRY(cast.files.open(path, static_cast<OpenFlags>(OpenFlag::read)));
    auto const size = TRY(file.status()).size;
    auto const mapped = TRY(cast.memory.file(file.client(), 0, size));
    u64 const first = word(mapped, 0);
    word(mapped, 1) = 1;
    auto const copy = TRY(cast.memory.snapshot(mapped));
    word(mapped, 0) = 2;
    word(copy, 2) = 3;
    auto const right = word(copy, 0) == first && word(mapped, 0) == 2 && word(copy, 1) == 1
        && word(mapped, 1) == 1 && word(copy, 2) == 3 && word(mapped, 2) != 3
        && word(mapped, 3) == word(copy, 3);
    return cast.say("both hold their own: ", cast.check(right));
}

} // namespace gemel::paged
