// The smallest system in which everything about capabilities, messages and lives can happen: two
// tasks that may make threads and end one another, three threads of one priority, two ports, a few
// rows for each; and what each thread may do in it.
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
    reply, // to one of the task's open calls
    reply_and_receive, // to the first
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
    spawn,
    end, // by a call to the thread's own fault port
    fault,
    stop, // the thread that the capability names; so
    run,
    foreign,
    native,
    priority, // less urgent
    make_thread, // in the task that the capability names, with the task's first port for its faults
    reap, // that task
    schedule, // be the scheduler; the port is told of ticks
    switch_to, // that thread
    bind, // an interrupt to the port
    interrupt,
    tick, // the idle thread's only act, and the clock's
};
inline constexpr u8 acts_count = static_cast<u8>(Act::tick) + 1;

struct Step {
    Act act;
    u8 capability; // which of the task's own, by row; or of its open calls
};

class TinySystem {
public:
    static constexpr usize capabilities_max = 6; // that a task's acts reach

    // Each task has room for so many capabilities; the first two name the other task and a thread
    // of it.
    explicit TinySystem(u64 rows_each);

    bool idles() { return kernel.current().id == idle_thread_; }
    // Every step that the current thread can take, of these acts.
    void steps(std::vector<Act> const& acts, std::vector<Step>& out);
    void take(Step step);
    // What can be told apart from inside: equal for states that behave the same, whatever the
    // numbers of their rows, objects and threads. No generations, epochs or clock.
    u64 fingerprint();

    KernelFixture kernel { memory_bytes };

private:
    static constexpr u64 memory_bytes = 4 << 20;

    static constexpr u32 rows_end = 64; // none is used from here on: so much is kept of a state
    static constexpr u32 threads_end = 16;
    static constexpr usize objects_max = 16; // ports at one time

    void make_tasks(u64 rows_each);
    std::vector<u32> rows_of(u16 task);
    u64 handle_of(u32 row);
    u64 port_of(u16 task);
    std::vector<u64> open_calls(u16 task);
    void act_on(Act act, u64 handle);
    void operate_on(Act act, u64 handle);

    // --- the fingerprint: colours of rows, ports and threads, each made of its neighbours' ---
    u64 first_colour(Row const& row);
    u64 first_colour(Thread const& thread);
    u64 first_colour(u32 page, Port const& port);
    u64 colour_of(u32 row);
    u64 colour_of_handle(u64 handle);
    void find_objects();
    void first_colours();
    void mix_colours();

    u32 idle_thread_ = 0;
    u32 last_thread_ = 0; // of those that were there from the beginning
    u64 tasks_[2] = {}; // init's capabilities
    u64 makers_[2] = {}; // each one's own capabilities to brokers, which no act is on
    u64 schedulers_[2] = {};
    u64 binders_[2] = {};
    std::array<u64, rows_end> row_colours_ {};
    std::array<u64, threads_end> thread_colours_ {};
    std::array<u64, objects_max> port_colours_ {};
    std::array<u32, objects_max> ports_ {}; // their pages
    usize port_count_ = 0;
    u32 first_row_ = 0; // rows below are init's
    u32 rows_stop_ = 0; // no row from here on, nor thread, is ever there
    u32 threads_stop_ = 0;
};

} // namespace gemel
