// The smallest system in which everything about capabilities and messages can happen: two tasks,
// three threads of one priority, two ports, a few rows; and what each thread may do in it.
#pragma once

#include "tests/model/kernel_fixture.hpp"

#include <vector>

namespace gemel {

enum class Act : u8 {
    send,
    send_capability, // with the task's first port capability inside
    call,
    call_for_a_tick, // with a deadline
    receive,
    receive_for_a_tick,
    poll,
    reply, // to the task's oldest open call
    reply_and_receive,
    signal,
    yield,
    derive,
    derive_to_other,
    move_to_other,
    revoke,
    close,
    destroy,
    badge,
    limit, // to live for a tick
    watch, // by the task's first port capability
    allocate,
    tick, // the idle thread's only act, and the clock's
};

struct Step {
    Act act;
    u8 capability; // which of the task's own, by row; for acts on one
};

class TinySystem {
public:
    static constexpr usize capabilities_max = 6; // that a task's acts reach

    TinySystem();

    bool idles() { return kernel.current().id == idle_thread_; }
    // Every step that the current thread can take, of these acts.
    void steps(std::vector<Act> const& acts, std::vector<Step>& out);
    void take(Step step);
    // What can be told apart from inside: equal for states that behave the same. Row and object
    // numbers, but no generations, epochs or clock.
    u64 fingerprint();

    KernelFixture kernel { memory_bytes };

private:
    static constexpr u64 memory_bytes = 4 << 20;

    void make_tasks();
    std::vector<u32> rows_of(u16 task);
    u64 handle_of(u32 row);
    u64 port_of(u16 task);
    u64 open_call(u16 task);
    void act_on(Act act, u64 handle);

    u32 idle_thread_ = 0;
    u64 tasks_[2] = {}; // init's capabilities
    u32 first_row_ = 0; // rows below are init's
};

} // namespace gemel
