// After M. Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time Systems" (ECRTS
// 2004).
#include "servers/rt/heap.hpp"

#include <bit>
#include <cstring>
#include <new>

namespace gemel {
namespace {

constexpr u64 flag_used = 1;
constexpr u64 flag_last = 2; // nothing follows in the chunk
constexpr u64 flag_aligned = 4; // not a block: `previous` is the block this pointer lies in
constexpr u64 flag_big = 8; // not a block: `previous` is the Big
constexpr u64 flags_mask = 15;

constexpr usize header_bytes = 16;
constexpr usize block_bytes_min = 32;
constexpr unsigned first_shift = 5; // log2 of block_bytes_min
constexpr usize chunk_bytes_most = 512 * 1024; // growth doubles up to this
constexpr usize spare_bytes = 64 * 1024; // kept when a chunk becomes free

} // namespace

// Before every pointer that is given out. `size` counts the header.
struct Heap::Block {
    u64 size_flags;
    Block* previous; // the neighbour below in memory, null at a chunk's start
    Block* next_free; // from here on only in free blocks
    Block* previous_free;

    usize size() const { return size_flags & ~flags_mask; }
    bool used() const { return size_flags & flag_used; }
    bool last() const { return size_flags & flag_last; }
    void set_size(usize bytes) { size_flags = bytes | (size_flags & flags_mask); }
    Block* next() { return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) + size()); }
    void* payload() { return reinterpret_cast<std::byte*>(this) + header_bytes; }
    static Block* of(void const* payload)
    {
        return reinterpret_cast<Block*>(
            const_cast<std::byte*>(static_cast<std::byte const*>(payload)) - header_bytes);
    }
};

// A region, cut into blocks.
struct alignas(16) Heap::Chunk {
    Chunk* next;
    Chunk* previous;
    usize bytes;
    RegionSource::Region region;
    Block* first() { return reinterpret_cast<Block*>(this + 1); }
};

// The first page of a block that has regions of its own.
struct Heap::Big {
    usize bytes; // mapped
    usize payload; // offset of what was given out
    u64 reserved; // address range to give back, 0: none
    usize count;
    RegionSource::Region regions[big_regions_max];
};
static constexpr usize big_header_bytes = page_bytes;

Heap::Index Heap::index_of(usize bytes)
{
    auto const log = static_cast<unsigned>(std::bit_width(bytes)) - 1;
    auto const second = static_cast<unsigned>(bytes >> (log - second_bits)) & (second_count - 1);
    return { log - first_shift, second };
}

void Heap::insert(Block& block)
{
    auto const [first, second] = index_of(block.size());
    auto*& head = free_[first][second];
    block.size_flags &= ~flag_used;
    block.next_free = head;
    block.previous_free = nullptr;
    if (head)
        head->previous_free = &block;
    head = &block;
    first_map_ |= 1u << first;
    second_map_[first] = static_cast<u8>(second_map_[first] | 1u << second);
}

void Heap::remove(Block& block)
{
    auto const [first, second] = index_of(block.size());
    if (block.next_free)
        block.next_free->previous_free = block.previous_free;
    if (block.previous_free) {
        block.previous_free->next_free = block.next_free;
        return;
    }
    free_[first][second] = block.next_free;
    if (block.next_free)
        return;
    second_map_[first] = static_cast<u8>(second_map_[first] & ~(1u << second));
    if (!second_map_[first])
        first_map_ &= ~(1u << first);
}

namespace {

// The smallest size whose whole list consists of blocks of at least `bytes`.
usize rounded_for_search(usize bytes)
{
    auto const log = static_cast<unsigned>(std::bit_width(bytes)) - 1;
    auto const step = usize { 1 } << (log - 3);
    return align_up(bytes, step);
}

} // namespace

// The first of the list that holds the size itself may be large enough: where blocks of one size
// come and go, it is. Without that look none of them would be used again before neighbours merge.
Heap::Block* Heap::take(usize bytes)
{
    auto const own = index_of(bytes);
    if (own.first < first_count) {
        auto* const block = free_[own.first][own.second];
        if (block && block->size() >= bytes) {
            remove(*block);
            return block;
        }
    }
    auto const [first, second] = index_of(rounded_for_search(bytes));
    if (first >= first_count)
        return nullptr;
    auto row = first;
    auto candidates = static_cast<u32>(second_map_[first]) & (~0u << second);
    if (!candidates) {
        auto const rows = first_map_ & (~0u << (first + 1));
        if (!rows)
            return nullptr;
        row = static_cast<unsigned>(std::countr_zero(rows));
        candidates = second_map_[row];
    }
    auto* const block = free_[row][static_cast<unsigned>(std::countr_zero(candidates))];
    remove(*block);
    return block;
}

// Gives back what `block` has over `bytes`.
void Heap::split(Block& block, usize bytes)
{
    auto const rest_bytes = block.size() - bytes;
    if (rest_bytes < block_bytes_min)
        return;
    auto const was_last = block.size_flags & flag_last;
    block.size_flags &= ~flag_last;
    block.set_size(bytes);
    auto& rest = *block.next();
    rest.size_flags = rest_bytes | was_last;
    rest.previous = &block;
    if (!was_last)
        rest.next()->previous = &rest;
    insert(rest);
}

Heap::Block& Heap::merge(Block& block)
{
    if (!block.last() && !block.next()->used()) {
        auto& above = *block.next();
        remove(above);
        block.size_flags |= above.size_flags & flag_last;
        block.set_size(block.size() + above.size());
    }
    auto* merged = &block;
    if (block.previous && !block.previous->used()) {
        merged = block.previous;
        remove(*merged);
        merged->size_flags |= block.size_flags & flag_last;
        merged->set_size(merged->size() + block.size());
    }
    if (!merged->last())
        merged->next()->previous = merged;
    return *merged;
}

// Takes a region in which a block of `bytes` will be found.
bool Heap::grow(usize bytes)
{
    auto const least = align_up(rounded_for_search(bytes) + sizeof(Chunk), page_bytes);
    auto wanted = std::max(least, next_chunk_bytes_);
    auto region = source_.allocate(0, wanted);
    // Near the end of a quota: as much as there is at once, since each region costs a page of its
    // own.
    while (!region && wanted > least) {
        wanted = std::max(least, align_down(wanted / 2, page_bytes));
        region = source_.allocate(0, wanted);
    }
    if (!region)
        return false;
    next_chunk_bytes_ = std::min(next_chunk_bytes_ * 2, chunk_bytes_most);
    auto* const chunk = ::new (reinterpret_cast<void*>(region->address))
        Chunk { chunks_, nullptr, wanted, *region };
    if (chunks_)
        chunks_->previous = chunk;
    chunks_ = chunk;
    usage_.region_bytes += wanted;
    auto& block = *chunk->first();
    block.size_flags = (wanted - sizeof(Chunk)) | flag_last;
    block.previous = nullptr;
    insert(block);
    return true;
}

void Heap::release_chunk(Chunk& chunk)
{
    if (chunk.next)
        chunk.next->previous = chunk.previous;
    (chunk.previous ? chunk.previous->next : chunks_) = chunk.next;
    usage_.region_bytes -= chunk.bytes;
    auto const region = chunk.region;
    source_.release(region, chunk.bytes);
}

void* Heap::allocate_small(usize bytes)
{
    auto const size = std::max(align_up(bytes + header_bytes, alignment), block_bytes_min);
    auto* block = take(size);
    if (!block) {
        if (!grow(size))
            return nullptr;
        block = take(size);
        ASSERT(block);
    }
    split(*block, size);
    block->size_flags |= flag_used;
    usage_.used_bytes += block->size();
    ++usage_.blocks;
    return block->payload();
}

// The pointer given out lies in a larger block; a false header before it leads there.
void* Heap::allocate_aligned(usize bytes, usize align)
{
    auto* const payload = allocate_small(bytes + align);
    if (!payload)
        return nullptr;
    auto const address = reinterpret_cast<u64>(payload);
    if (address % align == 0)
        return payload;
    auto* const aligned = reinterpret_cast<void*>(align_up<u64>(address, align));
    auto* const marker = Block::of(aligned);
    marker->size_flags = flag_aligned;
    marker->previous = Block::of(payload);
    return aligned;
}

namespace {

usize region_bytes_at(usize total, usize index)
{
    return std::min(total - index * region_bytes_max, region_bytes_max);
}

} // namespace

void* Heap::allocate_big(usize bytes, usize align)
{
    auto const offset = std::max(align, big_header_bytes);
    if (bytes > big_regions_max * region_bytes_max - offset)
        return nullptr;
    auto const total = align_up(bytes + offset, page_bytes);
    auto const count = (total + region_bytes_max - 1) / region_bytes_max;
    u64 reserved = 0;
    if (count > 1 && !(reserved = source_.reserve(count * region_bytes_max)))
        return nullptr;
    RegionSource::Region regions[big_regions_max];
    for (usize i = 0; i < count; ++i) {
        auto const region = source_.allocate(
            reserved ? reserved + i * region_bytes_max : 0, region_bytes_at(total, i));
        if (region) {
            regions[i] = *region;
            continue;
        }
        while (i-- > 0)
            source_.release(regions[i], region_bytes_at(total, i));
        if (reserved)
            source_.unreserve(reserved, count * region_bytes_max);
        return nullptr;
    }
    auto* const big = ::new (reinterpret_cast<void*>(regions[0].address)) Big;
    *big = {
        .bytes = total, .payload = offset, .reserved = reserved, .count = count, .regions = {}
    };
    std::copy_n(regions, count, big->regions);
    auto* const payload = reinterpret_cast<std::byte*>(big) + offset;
    auto* const marker = Block::of(payload);
    marker->size_flags = flag_big;
    marker->previous = reinterpret_cast<Block*>(big);
    usage_.region_bytes += total;
    usage_.used_bytes += total;
    ++usage_.blocks;
    return payload;
}

void Heap::free_big(Big& big)
{
    auto const whole = big;
    usage_.region_bytes -= whole.bytes;
    usage_.used_bytes -= whole.bytes;
    for (usize i = whole.count; i-- > 0;)
        source_.release(whole.regions[i], region_bytes_at(whole.bytes, i));
    if (whole.reserved)
        source_.unreserve(whole.reserved, whole.count * region_bytes_max);
}

Heap::~Heap()
{
    while (chunks_)
        release_chunk(*chunks_);
}

void* Heap::allocate(usize bytes, usize align)
{
    lock_.lock();
    void* block = nullptr;
    if (align > region_bytes_max / 2 || bytes > big_regions_max * region_bytes_max)
        block = nullptr;
    else if (bytes + align >= big_bytes)
        block = allocate_big(bytes, align);
    else if (align <= alignment)
        block = allocate_small(bytes);
    else
        block = allocate_aligned(bytes, align);
    lock_.unlock();
    return block;
}

void Heap::free(void* payload)
{
    if (!payload)
        return;
    lock_.lock();
    auto* block = Block::of(payload);
    --usage_.blocks;
    if (block->size_flags & flag_big) {
        free_big(*reinterpret_cast<Big*>(block->previous));
    } else {
        if (block->size_flags & flag_aligned)
            block = block->previous;
        ASSERT(block->used());
        usage_.used_bytes -= block->size();
        block->size_flags &= ~flag_used;
        auto& merged = merge(*block);
        auto* const chunk = reinterpret_cast<Chunk*>(&merged) - 1;
        auto const whole = !merged.previous && merged.last();
        if (whole && usage_.region_bytes - chunk->bytes >= usage_.used_bytes + spare_bytes)
            release_chunk(*chunk);
        else
            insert(merged);
    }
    lock_.unlock();
}

usize Heap::usable_bytes(void const* payload)
{
    auto* block = Block::of(payload);
    auto const address = reinterpret_cast<u64>(payload);
    if (block->size_flags & flag_big) {
        auto const* const big = reinterpret_cast<Big const*>(block->previous);
        return big->bytes - big->payload;
    }
    if (block->size_flags & flag_aligned)
        block = block->previous;
    return reinterpret_cast<u64>(block) + block->size() - address;
}

Heap::Usage Heap::usage()
{
    lock_.lock();
    auto const usage = usage_;
    lock_.unlock();
    return usage;
}

bool Heap::consistent()
{
    usize free_in_chunks = 0;
    for (auto* chunk = chunks_; chunk; chunk = chunk->next) {
        Block* previous = nullptr;
        auto* block = chunk->first();
        usize bytes = sizeof(Chunk);
        for (;; previous = block, block = block->next()) {
            if (block->previous != previous || block->size() < block_bytes_min)
                return false;
            if (previous && !previous->used() && !block->used())
                return false;
            bytes += block->size();
            free_in_chunks += !block->used();
            if (block->last())
                break;
        }
        if (bytes != chunk->bytes)
            return false;
    }
    usize free_in_lists = 0;
    for (unsigned first = 0; first < first_count; ++first)
        for (unsigned second = 0; second < second_count; ++second) {
            bool const marked = second_map_[first] >> second & 1;
            if (marked != (free_[first][second] != nullptr))
                return false;
            for (auto* block = free_[first][second]; block; block = block->next_free)
                ++free_in_lists;
        }
    return free_in_chunks == free_in_lists;
}

} // namespace gemel
