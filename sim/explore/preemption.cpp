#include "sim/explore/preemption.hpp"

#include "core/base/assert.hpp"

namespace gemel::sim {

namespace {

constexpr u64 domain_distance = 1536;
constexpr u64 domain_gap = 1537;
constexpr u64 domain_pick = 1538;
constexpr u32 bits_least = 3;
constexpr u32 bits_choices = 14;

} // namespace

Preemption::Preemption(u64 seed)
    : seed_(seed)
    , bits_(bits_least + static_cast<u32>(mix(seed, domain_distance, 0, 0) % bits_choices))
{
}

u64 Preemption::next(u32 thread, u64 done)
{
    ASSERT(thread < threads_max);
    if (!is_on())
        return ~0ull;
    auto& cursor = cursors_[thread];
    if (cursor.drawn == 0)
        cursor.stop = done; // what it did before counts for nothing
    while (cursor.stop <= done)
        cursor.stop += 1 + (mix(seed_, domain_gap, thread, cursor.drawn++) >> (64 - bits_));
    return cursor.stop;
}

u32 Preemption::pick(u32 thread, u64 edge, u32 count)
{
    ++stops_;
    return static_cast<u32>(mix(seed_, domain_pick, thread, edge) % count);
}

} // namespace gemel::sim
