// A thread: saved registers, what it waits for, and its FPU state. One page.
#pragma once

#include "core/abi/call.hpp"
#include "core/base/types.hpp"
#include "core/object/queue.hpp"
#include "core/object/task.hpp"

#include <gemel/arch/frame.hpp>

#include <cstddef>

namespace gemel {

struct Port;

// What a reply to the thread means.
enum class PendingCall : u8 { message, fault, foreign };

// Its link is in the queue that it waits in: a ready queue or a port's.
struct Thread : Link {
    // What every switch touches comes first: near the pointer its addresses are short.
    PendingCall pending = PendingCall::message;
    u8 priority = 0;
    u8 cpus = 0xFF; // bit n: may run on processor n
    u8 cpu = 0; // on which it runs, in whose ready queue it is, or where it ran last
    u16 id = 0; // index in the thread table
    u16 reply_owner = 0; // task that received the call
    u16 task_index = 0; // copy of task->index: one load less at each look at a handle
    Task* task = nullptr;
    Port* waits_on = nullptr; // while it is receiving or calling
    u64 root = 0; // copy of task->root: one load less on the switch
    u64 deadline_ns = 0; // 0: none
    arch::Frame frame;
    u64 fault_words[message_words] = {}; // the message of a fault or an exit
    u64 run_ns = 0; // processor time used, counted at switches to and from idle and at ticks
    u32 fault_row = 0;
    u32 fault_generation = 0;
    u64 call_badge = 0; // of the call that waits in a port's queue
    u64 call_tag = 0;
    Name name = {};
    alignas(64) arch::FpuState fpu;

    // It runs, and its system calls are the kernel's. Neighbours: one comparison for both.
    bool runs_native() const
    {
        u16 both;
        __builtin_memcpy(&both, __builtin_assume_aligned(&state, sizeof both), sizeof both);
        return both == static_cast<u16>(ThreadState::running);
    }
};
static_assert(sizeof(Thread) <= page_bytes);

inline constexpr u32 threads_max = 1024;

static_assert(offsetof(Link, foreign) == offsetof(Link, state) + 1);

// A message's six words; in one piece, where a loop would take three times the instructions.
[[gnu::always_inline]] inline void copy_words(u64* to, u64 const* from)
{
    auto const word0 = from[0];
    auto const word1 = from[1];
    auto const word2 = from[2];
    to[0] = word0;
    to[1] = word1;
    to[2] = word2;
    auto const word3 = from[3];
    auto const word4 = from[4];
    auto const word5 = from[5];
    to[3] = word3;
    to[4] = word4;
    to[5] = word5;
}

// Of the eight words of a message, the six that it carries.
inline constexpr unsigned first_word = 2;

} // namespace gemel
