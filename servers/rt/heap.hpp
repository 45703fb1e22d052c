// A task's heap: blocks in regions that come from vm_allocate and go back to it. Two-level
// segregated free lists (power of two, then eight steps), neighbours merged at once: allocating and
// freeing take constant time but for a trip to the kernel. Bounded by the task's quota alone.
#pragma once

#include "core/abi/call.hpp"
#include "core/base/result.hpp"
#include "servers/rt/lock.hpp"

#include <array>

namespace gemel {

// Where the heap's memory comes from: the kernel, or a test.
class RegionSource {
public:
    struct Region {
        u64 address = 0;
        u64 handle = 0;
    };
    // `address` 0: anywhere. `bytes` is a multiple of pages, at most region_bytes_max; zeroed.
    virtual Result<Region> allocate(u64 address, usize bytes) = 0;
    virtual void release(Region const& region, usize bytes) = 0;
    // A free range of addresses for `bytes` (a multiple of region_bytes_max); 0 when there is none.
    virtual u64 reserve(usize bytes) = 0;
    virtual void unreserve(u64 address, usize bytes) = 0;

protected:
    ~RegionSource() = default;
};

class Heap {
public:
    static constexpr usize alignment = 16;
    // From here on a block is a range of regions of its own.
    static constexpr usize big_bytes = 512 * 1024;
    static constexpr usize big_regions_max = 128; // 256 MiB in one block

    explicit Heap(RegionSource& source)
        : source_(source)
    {
    }
    Heap(Heap const&) = delete;
    ~Heap();

    // Null when the quota, the machine or the address window has no more. `align` is a power of
    // two.
    void* allocate(usize bytes, usize align = alignment);
    // Null is allowed; anything else must come from allocate of this heap.
    void free(void* block);
    // How many bytes may be used, at least what was asked for.
    static usize usable_bytes(void const* block);

    struct Usage {
        usize region_bytes = 0; // taken from the kernel
        usize used_bytes = 0; // in blocks, their headers included
        usize blocks = 0;
    };
    Usage usage();
    // Every list and boundary agrees; for tests.
    bool consistent();

private:
    struct Block;
    struct Chunk;
    struct Big;
    static constexpr unsigned second_bits = 3;
    static constexpr unsigned second_count = 1 << second_bits;
    static constexpr unsigned first_count = 17;

    struct Index {
        unsigned first;
        unsigned second;
    };
    static Index index_of(usize bytes);
    void* allocate_small(usize bytes);
    void* allocate_aligned(usize bytes, usize align);
    void* allocate_big(usize bytes, usize align);
    void free_big(Big& big);
    bool grow(usize bytes);
    void release_chunk(Chunk& chunk);
    Block* take(usize bytes);
    void insert(Block& block);
    void remove(Block& block);
    void split(Block& block, usize bytes);
    Block& merge(Block& block);

    RegionSource& source_;
    Lock lock_;
    Chunk* chunks_ = nullptr;
    usize next_chunk_bytes_ = 64 * 1024;
    u32 first_map_ = 0;
    std::array<u8, first_count> second_map_ {};
    std::array<std::array<Block*, second_count>, first_count> free_ {};
    Usage usage_;
};

} // namespace gemel
