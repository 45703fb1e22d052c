// A task: an address space, quotas and a name. One page.
#pragma once

#include "core/base/types.hpp"

namespace gemel {

// Aligned, so that it is copied by words.
using Name [[gnu::aligned(8)]] = char[16];

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
    Name name = {};
};

inline constexpr u32 tasks_max = 256;
inline constexpr u32 cpus_max = 8;

// A name travels in two words, its first byte the lowest; 15 bytes of it are kept.
inline void copy_name(Name& to, u64 const* words)
{
    __builtin_memcpy(to, words, sizeof to);
    to[sizeof to - 1] = 0;
}

inline void name_words(u64* to, Name const& name)
{
    __builtin_memcpy(to, name, sizeof name);
}

} // namespace gemel
