// What every program of this folder says and asks: checks that are counted, and threads whose
// faults are theirs to look at.
#pragma once

#include "tests/native/raw.hpp"

namespace gemel {

inline constexpr u64 subject_stack_bytes = 16 * page_bytes;
inline constexpr u64 subject_timeout_us = 2'000'000;

struct Checks {
    Startup const& startup;
    u64 task_broker = raw::capability(startup, "broker-task");
    u64 memory_broker = raw::capability(startup, "broker-mm");
    u64 self = raw::capability(startup, "task-self");
    u64 passed = 0;
    u64 failed = 0;

    void expect(bool held, std::string_view what)
    {
        ++(held ? passed : failed);
        raw::print(held ? "ok      " : "FAILED  ");
        raw::print(what);
        raw::print("\n");
    }
    // The last line, and the machine's end.
    [[noreturn]] void end()
    {
        raw::print(passed);
        raw::print(" passed, ");
        raw::print(failed);
        raw::print(" failed, 0 skipped\n");
        raw::power_off(startup, failed == 0 ? 0 : 2);
    }
};

// A thread of our own task whose faults come to `port`.
struct Subject {
    Checks& checks;
    u64 port = raw::port_new();
    u64 thread = 0;

    Subject(Checks& with, void (*entry)(u64), u64 argument = 0, u64 priority = 4)
        : checks(with)
        , thread(raw::thread_new(with.task_broker,
              { .task = with.self,
                  .entry = entry,
                  .stack_top = raw::memory_new(subject_stack_bytes).address + subject_stack_bytes,
                  .argument = argument,
                  .priority = priority,
                  .fault_port = port }))
    {
    }

    void run() { raw::thread_run(checks.task_broker, thread); }
    void set(u64 index, u64 value)
    {
        raw::Registers registers {};
        registers.words[2] = thread;
        registers.words[3] = index;
        registers.words[4] = value;
        raw::operate(registers, checks.task_broker, Operation::thread_set);
    }
    // The next message of its fault port; words are zero when none comes in time.
    raw::Registers next()
    {
        raw::Registers registers {};
        registers.port = port;
        if (raw::call(registers, Call::port_receive, 0, raw::now_ns() / 1000 + subject_timeout_us)
            != status_ok)
            return {};
        return registers;
    }
    void end() { raw::cap(thread, CapOperation::destroy); }
};

inline bool is_fault(raw::Registers const& message, FaultKind kind)
{
    return (message.words[1] & 0xFFFF) == static_cast<u64>(KernelTag::fault)
        && (message.words[1] >> 16 & 0xFF) == static_cast<u64>(kind);
}

inline bool is_exit(raw::Registers const& message, u64 value)
{
    return (message.words[1] & 0xFFFF) == static_cast<u64>(KernelTag::exit)
        && message.words[2] == value;
}

[[noreturn]] inline void leave(u64 value)
{
    for (;;) {
        raw::Registers registers {};
        registers.words[0] = own_fault_port;
        registers.words[2] = value;
        raw::call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call));
    }
}

} // namespace gemel
