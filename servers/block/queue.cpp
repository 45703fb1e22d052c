#include "servers/block/queue.hpp"

#include "core/base/assert.hpp"

#include <atomic>

namespace gemel::block {
namespace {

constexpr u16 descriptor_next = 1;
constexpr u16 descriptor_device_writes = 2;
constexpr u16 used_no_notify = 1;
constexpr u16 available_no_interrupt = 1;

// Both rings begin with flags and an index.
constexpr usize ring_flags = 0;
constexpr usize ring_index = 2;
constexpr usize ring_entries = 4;
constexpr usize used_entry_bytes = 8;

} // namespace

Queue::Queue(std::span<std::byte> memory, u16 entries)
    : memory_(memory.data())
    , entries_(entries)
    , free_count_(entries)
{
    ASSERT(memory.size() >= memory_bytes);
    ASSERT(entries > 0 && entries <= queue_entries && (entries & (entries - 1)) == 0);
    for (u16 i = 0; i < entries; ++i)
        next_[i] = static_cast<u16>(i + 1);
}

Queue::Descriptor volatile& Queue::descriptor(u16 index) const
{
    return reinterpret_cast<Descriptor volatile*>(memory_ + descriptors_offset)[index];
}

u16 volatile& Queue::word(usize offset) const
{
    return *reinterpret_cast<u16 volatile*>(memory_ + offset);
}

std::optional<u16> Queue::add(std::span<QueueSegment const> segments)
{
    if (segments.empty() || segments.size() > free_count_)
        return std::nullopt;
    auto const head = free_head_;
    auto at = head;
    for (usize i = 0; i < segments.size(); ++i) {
        auto const& segment = segments[i];
        auto const last = i + 1 == segments.size();
        auto const writes = segment.direction == QueueSegment::Direction::device_writes;
        auto& entry = descriptor(at);
        entry.address = segment.physical;
        entry.bytes = segment.bytes;
        entry.flags = static_cast<u16>(
            (last ? 0 : descriptor_next) | (writes ? descriptor_device_writes : 0));
        entry.next = next_[at];
        if (last)
            free_head_ = next_[at];
        at = next_[at];
    }
    free_count_ = static_cast<u16>(free_count_ - segments.size());
    length_[head] = static_cast<u16>(segments.size());
    auto& index = word(available_offset + ring_index);
    word(available_offset + ring_entries + 2 * (index % entries_)) = head;
    std::atomic_thread_fence(std::memory_order_seq_cst); // 2.7.13.3
    index = static_cast<u16>(index + 1);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return head;
}

void Queue::ask_for(Interrupts interrupts)
{
    word(available_offset + ring_flags)
        = interrupts == Interrupts::wanted ? 0 : available_no_interrupt;
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool Queue::wants_notification() const
{
    return (word(used_offset + ring_flags) & used_no_notify) == 0;
}

void Queue::free_chain(u16 head)
{
    auto last = head;
    for (u16 i = 1; i < length_[head]; ++i)
        last = next_[last];
    next_[last] = free_head_;
    free_head_ = head;
    free_count_ = static_cast<u16>(free_count_ + length_[head]);
    length_[head] = 0;
}

std::optional<Queue::Done> Queue::take()
{
    while (word(used_offset + ring_index) != used_seen_) {
        std::atomic_thread_fence(std::memory_order_acquire);
        auto const at = used_offset + ring_entries + used_entry_bytes * (used_seen_ % entries_);
        auto const head = *reinterpret_cast<u32 volatile*>(memory_ + at);
        auto const written = *reinterpret_cast<u32 volatile*>(memory_ + at + 4);
        ++used_seen_;
        if (head >= entries_ || length_[head] == 0)
            continue;
        free_chain(static_cast<u16>(head));
        return Done { static_cast<u16>(head), written };
    }
    return std::nullopt;
}

} // namespace gemel::block
