// The twelve calls as typed functions over raw handles. Servers use Handle, Client, serve and the
// broker classes, which are made of these.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"
#include "core/base/result.hpp"
#include "servers/rt/deadline.hpp"

#include <array>
#include <string_view>

namespace gemel {

constexpr u16 operator|(VmFlag a, VmFlag b)
{
    return static_cast<u16>(static_cast<u16>(a) | static_cast<u16>(b));
}

} // namespace gemel

namespace gemel::system {

using Words = std::array<u64, message_words>;

// What is sent, and what came back from a call.
struct Message {
    u64 tag = 0;
    Words words {};
};

struct Received {
    u64 badge = 0;
    u64 token = 0; // reply token; 0 for a one-way send and for notifications
    Message message;
};

struct Mapping {
    u64 address = 0;
    u64 region = 0; // handle; 0 when the caller's own handle was mapped
    u64 bytes = 0; // of the region
};

// All rights but send_once.
Result<u64> port_allocate();
// One-way, or the answer to a reply token. Never blocks.
Result<void> port_send(u64 port_or_token, Message const& message);
Result<Received> port_receive(u64 port, Deadline deadline = Deadline::none());
// timed_out when nothing is there.
Result<Received> port_poll(u64 port);
// Sends and waits for the answer to this very call.
Result<Message> port_call(u64 port, Message const& message, Deadline deadline = Deadline::none());
// Answers `token`, then receives from `port`: two traps for each round trip.
Result<Received> port_reply_receive(
    u64 token, Message const& reply, u64 port, Deadline deadline = Deadline::none());

// `address` 0: the kernel chooses. `bytes` at most region_bytes_max, rounded up to pages.
Result<Mapping> vm_allocate(u64 address, u64 bytes, u16 flags);
Result<Mapping> vm_map(u64 address, u64 region, u16 flags);
Result<void> vm_deallocate(u64 address, u64 bytes);

struct CapResult {
    u64 word2 = 0;
    u64 word3 = 0;
    u64 word4 = 0;
    u64 word5 = 0;
};
Result<CapResult> cap_move(u64 source, u64 task, CapOperation operation, Rights rights = 0,
    u64 operand = 0, u64 operand2 = 0);

// A thread in the caller's task that runs entry(argument); at most 16 bytes of `name` are kept.
Result<u64> sched_spawn(u64 entry, u64 stack_top, u64 argument, std::string_view name);
void sched_yield();
Result<void> sched_switch(u64 thread, u64 budget_ticks);
// Monotonic nanoseconds since boot.
u64 time_ns();
// The whole text, in pieces of 48 bytes.
void debug_print(std::string_view text);
Result<void> signal(u64 port, u64 bits);
// Ends the thread, and says so to its fault port. `status` 0 is success.
[[noreturn]] void exit(u64 status, u64 error = 0);

// Calls a broker; arguments from w2, results from w2.
Result<Words> broker(u64 broker, Operation operation, Words const& arguments);

// Up to 16 bytes of a name as the kernel takes it, little-endian, in two words.
std::array<u64, 2> name_words(std::string_view name);

} // namespace gemel::system
