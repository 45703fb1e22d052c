// A capability: one 64-byte row of the one table. A handle is (generation, index).
#pragma once

#include "core/abi/operation.hpp"
#include "core/abi/right.hpp"
#include "core/base/types.hpp"

#include <cstddef>

namespace gemel {

struct Row {
    u64 badge = 0;
    u64 stamp = 0; // the validity epoch in which this row was last found alive
    u32 object = 0; // page number
    u32 object_generation = 0;
    u32 generation = 1; // of the handle
    u32 epoch = 0; // bumped by revoke and close: children hold the value they were derived at
    u32 parent = 0; // row index, 0: none; of a free row the next free one
    u32 parent_epoch = 0;
    u32 watch = 0; // row index of the port that is told, 0: none
    u32 watch_generation = 0;
    u32 expiry_tick = 0; // 0: never
    u16 depth = 0;
    bool waited = false; // a thread has waited for messages by it
    u16 owner = 0; // task index, 0: free row
    Rights rights = 0;
    u16 children = 0;
    u8 watch_bit = 0;
    ObjectType type = ObjectType::none; // the object's, for as long as there is one

    // Owner, rights, type and what lies between, in one word.
    u64 nature() const
    {
        u64 word;
        __builtin_memcpy(&word, __builtin_assume_aligned(&owner, sizeof word), sizeof word);
        return word;
    }
};
static_assert(sizeof(Row) == 64 && offsetof(Row, owner) == 56);

// Of that word: an owner, some rights and the type.
constexpr u64 nature_of(u16 owner, Rights rights, ObjectType type)
{
    return owner | u64 { rights } << 16 | static_cast<u64>(type) << 56;
}
static_assert(offsetof(Row, rights) == 58 && offsetof(Row, type) == 63);

inline constexpr u32 row_depth_max = 15;
inline constexpr u32 handle_generation_max = 0x7FFF'FFFF;
inline constexpr u32 row_epoch_max = 0xFFFF'FFFF;

} // namespace gemel
