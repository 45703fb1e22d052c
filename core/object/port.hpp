// A port: a queue of waiting threads, a ring of one-way messages and a notification word. One page.
#pragma once

#include "core/base/types.hpp"
#include "core/object/thread.hpp"

namespace gemel {

inline constexpr u32 port_ring_messages = 62;

// Waiting receivers or queued callers, never both: they would have met.
struct Port {
    Queue queue;
    u64 notification = 0;
    u64 stamp = 0; // the validity epoch in which its receivers were last found to have the right to
    u32 receiver = 0; // row that was last given the receive right
    u32 receiver_generation = 0;
    u16 ring_head = 0;
    u16 ring_count = 0;
    u64 ring[port_ring_messages][8] = {};
};
static_assert(sizeof(Port) <= page_bytes);

// Of an index that is past the end at most once.
constexpr u32 ring_slot(u32 index)
{
    return index < port_ring_messages ? index : index - port_ring_messages;
}

} // namespace gemel
