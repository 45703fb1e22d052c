// A split virtqueue (Virtio 1.2, 2.7) over memory that the device shares. Only about its layout and
// its order: where the memory lies and who is told is the caller's.
#pragma once

#include "core/base/types.hpp"

#include <array>
#include <optional>
#include <span>

namespace gemel::block {

inline constexpr u16 queue_entries = 128; // at most; what a page of descriptors and rings can hold

struct QueueSegment {
    u64 physical = 0;
    u32 bytes = 0;
    enum class Direction : u8 { device_reads, device_writes } direction = Direction::device_reads;
};

class Queue {
public:
    // Byte offsets of the areas in two pages of zeroed memory, each area within one page.
    static constexpr usize descriptors_offset = 0;
    static constexpr usize available_offset = 2048;
    static constexpr usize used_offset = page_bytes;
    static constexpr usize memory_bytes = 2 * page_bytes;

    // `memory` is borrowed; `entries` a power of two, at most queue_entries.
    Queue(std::span<std::byte> memory, u16 entries);

    u16 entries() const { return entries_; }
    u16 free_descriptors() const { return free_count_; }

    // The head that the next chain will have; only while descriptors are free.
    u16 next_head() const { return free_head_; }
    // Makes a chain available: its head, or nothing when there are not enough descriptors. The
    // device may see it at once.
    std::optional<u16> add(std::span<QueueSegment const> segments);
    enum class Interrupts : u8 { wanted, not_now };
    // A hint to the device (2.7.7). After `wanted`, look again: it may have been done meanwhile.
    void ask_for(Interrupts interrupts);
    // Whether the device wants to be told of new chains.
    bool wants_notification() const;

    struct Done {
        u16 head = 0;
        u32 written = 0; // bytes, as the device says
    };
    // The next chain the device is done with, its descriptors free again. What the device says of
    // chains it does not have is left out.
    std::optional<Done> take();

private:
    struct Descriptor {
        u64 address;
        u32 bytes;
        u16 flags;
        u16 next;
    };
    Descriptor volatile& descriptor(u16 index) const;
    u16 volatile& word(usize offset) const;
    void free_chain(u16 head);

    std::byte* memory_;
    u16 entries_;
    u16 free_count_;
    u16 free_head_ = 0;
    u16 used_seen_ = 0;
    std::array<u16, queue_entries> next_ {}; // the driver's own copy: the device may scribble
    std::array<u16, queue_entries> length_ {}; // of the chain that begins here; 0: none does
};

} // namespace gemel::block
