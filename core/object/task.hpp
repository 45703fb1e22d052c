// A task: an address space, quotas and a name. One page.
#pragma once

#include "core/base/types.hpp"

namespace gemel {

struct Task {
    u16 index = 0; // in the task table; also what rows and pages name as owner
    u16 creator = 0;
    bool dead = false;
    u32 pages = 0; // left of the quota
    u32 rows = 0;
    u32 threads = 0;
    u32 pages_quota = 0;
    u32 rows_quota = 0;
    u32 threads_quota = 0;
    u64 root = 0; // physical address of the page-table root
    u64 next_address = 0; // where vm_allocate looks first
    u64 reap_cursor = 0; // of a dead task: the step of task_reap that comes next
    char name[16] = {};
};

inline constexpr u32 tasks_max = 256;
inline constexpr u32 cpus_max = 8;

// A name travels in two words; 15 bytes of it are kept.
inline void copy_name(char* to, u64 const* words)
{
    for (unsigned i = 0; i < 15; ++i)
        to[i] = static_cast<char>(words[i / 8] >> (i % 8 * 8));
    to[15] = 0;
}

inline u64 name_word(char const* name, unsigned word)
{
    u64 value = 0;
    for (unsigned i = 0; i < 8; ++i)
        value |= u64 { static_cast<u8>(name[word * 8 + i]) } << (i * 8);
    return value;
}

} // namespace gemel
