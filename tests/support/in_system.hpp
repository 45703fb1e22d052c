// Runs a test's body as init of a fresh hosted system: real system calls, no servers.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"
#include "core/abi/startup.hpp"

#include <gemel/arch/user.hpp>
#include <gemel/hosted/system.hpp>

#include <functional>
#include <string_view>

namespace gemel::test {

using arch::Registers;

// Calls with the given words; the answer's `number` is the status.
Registers call(
    Call call, std::initializer_list<u64> words, u64 port = 0, u64 flags = 0, u64 deadline_us = 0);

// A broker operation; w2.. are the arguments.
Registers operate(u64 broker, Operation operation, std::initializer_list<u64> arguments);

constexpr u64 receive_flags(ReceiveFlag flag)
{
    return static_cast<u64>(flag);
}

struct Init {
    Startup const& startup;
    u64 capability(std::string_view name) const;
    // A thread of this task on a fresh 64 KiB stack.
    u64 spawn(void (*entry)(u64), u64 argument) const;
    // Words of port_allocate, checked.
    u64 port() const;
};

// The status with which the system powered off (0 when the body returned). `prepare` may attach
// devices to the machine before it starts.
int in_system(std::function<void(Init const&)> body, u64 memory_bytes = 32u << 20,
    std::function<void(hosted::System&)> const& prepare = {}, u32 cpus = 1,
    arch::Isolation isolation = arch::Isolation::off,
    hosted::HostThreads host_threads = hosted::HostThreads::one);

} // namespace gemel::test
