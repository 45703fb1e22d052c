// A thread: saved registers, what it waits for, and its FPU state. One page.
#pragma once

#include "core/base/types.hpp"
#include "core/object/task.hpp"

#include <gemel/arch/frame.hpp>

namespace gemel {

struct Port;

enum class ThreadState : u8 {
    stopped,
    ready,
    running,
    // These wait:
    receiving, // on a port for a message
    calling, // queued on a port; its message is still in its frame
    awaiting_reply, // its call was received
};

// What a reply to the thread means.
enum class PendingCall : u8 { message, fault, foreign };

struct Thread {
    // What every switch touches comes first: near the pointer its addresses are short.
    ThreadState state = ThreadState::stopped;
    bool foreign = false;
    PendingCall pending = PendingCall::message;
    u8 priority = 0;
    u8 cpus = 0xFF; // bit n: may run on processor n
    u8 cpu = 0; // on which it runs, in whose ready queue it is, or where it ran last
    u16 id = 0; // index in the thread table
    u16 reply_owner = 0; // task that received the call
    Thread* next = nullptr; // ready queue or port queue
    Thread* previous = nullptr;
    Task* task = nullptr;
    Port* waits_on = nullptr;
    u64 root = 0; // copy of task->root: one load less on the switch
    u64 deadline_ns = 0; // 0: none
    arch::Frame frame;
    u64 fault_words[8] = {}; // the message of a fault or foreign call; the frame stays untouched
    u64 run_ns = 0; // processor time used, counted at switches to and from idle and at ticks
    u32 fault_row = 0;
    u32 fault_generation = 0;
    u64 call_badge = 0; // of the call that waits in a port's queue
    u64 call_tag = 0;
    Name name = {};
    alignas(64) arch::FpuState fpu;

    // It runs, and its system calls are the kernel's. Neighbours: one comparison for both.
    bool runs_native() const { return state == ThreadState::running && foreign == false; }
};
static_assert(sizeof(Thread) <= page_bytes);

inline constexpr u32 threads_max = 1024;

// A message's six words; in one piece, where a loop would take three times the instructions.
[[gnu::always_inline]] inline void copy_words(u64* to, u64 const* from)
{
    auto const word2 = from[2];
    auto const word3 = from[3];
    auto const word4 = from[4];
    to[2] = word2;
    to[3] = word3;
    to[4] = word4;
    auto const word5 = from[5];
    auto const word6 = from[6];
    auto const word7 = from[7];
    to[5] = word5;
    to[6] = word6;
    to[7] = word7;
}

} // namespace gemel
