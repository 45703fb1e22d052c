// System calls as they are, for programs that stand in for init. Failing is a word, not an error to
// handle: the caller compares it.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"
#include "core/abi/startup.hpp"

#include <gemel/arch/user.hpp>

#include <string_view>

namespace gemel::raw {

using arch::Registers;

inline constexpr u64 own_task = 0;

// In line, as the stub is: what is counted is the call, not the way of its words through memory.
[[gnu::always_inline]] inline u64 call(
    Registers& registers, Call number, u64 flags = 0, u64 deadline_us = 0)
{
    registers.number = static_cast<u64>(number) | flags << 8 | deadline_us << 16;
    arch::system_call(registers);
    return registers.number;
}

inline void print(std::string_view text)
{
    constexpr usize bytes_max = 48;
    while (!text.empty()) {
        auto const count = text.size() < bytes_max ? text.size() : bytes_max;
        Registers registers {};
        registers.words[0] = count;
        __builtin_memcpy(&registers.words[2], text.data(), count);
        call(registers, Call::debug_print);
        text.remove_prefix(count);
    }
}

inline void print(u64 number)
{
    char digits[20];
    auto at = sizeof digits;
    do {
        digits[--at] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    print(std::string_view(digits + at, sizeof digits - at));
}

inline u64 now_ns()
{
    Registers registers {};
    call(registers, Call::time);
    return registers.words[2];
}

inline u64 port_new()
{
    Registers registers {};
    call(registers, Call::port_allocate);
    return registers.words[2];
}

// The number of init's variable NAME=number.
inline u64 variable(Startup const& startup, std::string_view name, u64 otherwise)
{
    auto const* at = startup.text.data();
    for (u32 i = 0; i < startup.variable_count; ++i, ++at) {
        auto const same = __builtin_memcmp(at, name.data(), name.size()) == 0;
        auto const found = same && at[name.size()] == '=';
        u64 value = 0;
        for (; *at != 0; ++at)
            value = *at >= '0' && *at <= '9' ? value * 10 + static_cast<u64>(*at - '0') : 0;
        if (found)
            return value;
    }
    return otherwise;
}

struct Memory {
    u64 address = 0;
    u64 region = 0;
};

inline Memory memory_new(u64 bytes)
{
    Registers registers {};
    registers.words[1] = bytes;
    registers.words[2] = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write);
    call(registers, Call::vm_allocate);
    return { registers.words[2], registers.words[3] };
}

// word 2 of the result, or 0 if it failed.
inline u64 cap(u64 source, CapOperation operation, u64 operand = 0, Rights rights = rights_all)
{
    Registers registers {};
    registers.words[0] = source;
    registers.words[1] = own_task;
    registers.words[2] = rights | static_cast<u64>(operation) << 16;
    registers.words[3] = operand;
    return call(registers, Call::cap_move) == status_ok ? registers.words[2] : 0;
}

// A broker operation; its status. Arguments and results are words 2.. of `registers`.
inline u64 operate(Registers& registers, u64 broker, Operation operation)
{
    registers.words[0] = broker;
    registers.words[1] = tag_of(static_cast<u16>(operation));
    return call(registers, Call::port_receive, static_cast<u64>(ReceiveFlag::call));
}

inline u64 capability(Startup const& startup, std::string_view name)
{
    for (u32 index = 0; index < startup.capability_count; ++index) {
        if (name == startup.capabilities[index].name)
            return startup.capabilities[index].handle;
    }
    return 0;
}

struct ThreadStart {
    u64 task = 0;
    void (*entry)(u64 argument) = nullptr;
    u64 stack_top = 0;
    u64 argument = 0;
    u64 priority = 4;
    u64 fault_port = 0;
};

// Made by the TASK broker, stopped. 0: it failed.
inline u64 thread_new(u64 broker, ThreadStart const& start)
{
    Registers registers {};
    registers.words[2] = start.task;
    registers.words[3] = reinterpret_cast<u64>(start.entry);
    registers.words[4] = start.stack_top;
    registers.words[5] = start.argument;
    registers.words[6] = start.priority;
    registers.words[7] = start.fault_port;
    return operate(registers, broker, Operation::thread_new) == status_ok ? registers.words[2] : 0;
}

inline u64 thread_run(u64 broker, u64 thread)
{
    Registers registers {};
    registers.words[2] = thread;
    return operate(registers, broker, Operation::thread_run);
}

[[noreturn]] inline void power_off(Startup const& startup, u8 status)
{
    for (;;) {
        Registers registers {};
        registers.words[2] = status;
        operate(registers, capability(startup, "broker-machine"), Operation::power_off);
    }
}

} // namespace gemel::raw

extern "C" [[noreturn]] void gemel_program_start(gemel::Startup const* startup);
