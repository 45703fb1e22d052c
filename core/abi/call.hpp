// The system calls: the one list. Numbers, argument names and results; stubs, wrappers, the trace
// printer, the fuzzer and the documentation test are derived from it (docs/calls).
//
// Every call passes the same registers, in the same order, on every machine:
//   words 0..7    x86_64 rdi rsi rdx r10 r8 r9 r12 r13     arm64 x0..x7
//   port          x86_64 rbx                               arm64 x8
//   number        x86_64 rax                               arm64 x9     (status on return)
// number = call | flags << 8 | deadline_us << 16. The deadline is absolute monotonic microseconds,
// 0 is none. All other registers are preserved, but for rcx and r11 on x86_64. No call takes a
// pointer: the kernel never reads or writes user memory on a caller's behalf. Results stand in
// words 2 and up. A failed call changes nothing but the status.
#pragma once

#include "core/abi/error.hpp"
#include "core/abi/right.hpp"
#include "core/base/types.hpp"

#include <array>
#include <string_view>

namespace gemel {

enum class Call : u8 {
    port_allocate = 1, // () -> w2 handle, all rights but send_once
    port_send = 2, // w0 port or reply token, w1 tag, w2..w7 words; never blocks
    port_receive
    = 3, // port: receive from; flags below; w0..w7 the send half of call and send_first
    vm_allocate = 4, // w0 address or 0, w1 bytes or region handle, w2 VmFlag -> w2 address, w3
                     // region, w4 its bytes
    vm_deallocate = 5, // w0 address, w1 bytes: unmaps; the region lives on until it is destroyed
    cap_move = 6, // w0 source, w1 destination task or 0, w2 rights | CapOperation << 16, w3 operand
    sched_spawn = 7, // w0 entry, w1 stack top, w2 argument, w3..w4 name -> w2 thread handle
    sched_yield = 8, // ()
    sched_switch = 9, // w0 thread, w1 budget in ticks; the registered scheduler only
    time = 10, // () -> w2 monotonic nanoseconds since boot
    debug_print = 11, // w0 length, at most 48; w2..w7 the bytes, little-endian
    signal = 12, // w0 port, w1 bits: or-ed into the notification word
};

inline constexpr u8 call_first = 1;
inline constexpr u8 call_last = 12;

struct CallInfo {
    Call call;
    std::string_view name;
    std::string_view arguments; // in register order, "-" for a word that is not used
    std::string_view results; // from word 2
};

inline constexpr std::array calls {
    CallInfo { Call::port_allocate, "port_allocate", "", "port" },
    CallInfo { Call::port_send, "port_send", "port tag word0 word1 word2 word3 word4 word5", "" },
    CallInfo { Call::port_receive, "port_receive", "port tag word0 word1 word2 word3 word4 word5",
        "word0 word1 word2 word3 word4 word5" },
    CallInfo { Call::vm_allocate, "vm_allocate", "address bytes flags", "address region bytes" },
    CallInfo { Call::vm_deallocate, "vm_deallocate", "address bytes", "" },
    CallInfo { Call::cap_move, "cap_move", "source task operation operand operand2", "handle" },
    CallInfo { Call::sched_spawn, "sched_spawn", "entry stack argument name0 name1", "thread" },
    CallInfo { Call::sched_yield, "sched_yield", "", "" },
    CallInfo { Call::sched_switch, "sched_switch", "thread budget", "" },
    CallInfo { Call::time, "time", "", "nanoseconds" },
    CallInfo {
        Call::debug_print, "debug_print", "bytes - text0 text1 text2 text3 text4 text5", "" },
    CallInfo { Call::signal, "signal", "port bits", "" },
};
static_assert(calls.size() == call_last);

// port_receive's flags (bits 8..15 of the number word).
enum class ReceiveFlag : u8 {
    call = 1, // send words to w0, then wait for the reply to this very call; `port` is not used
    send_first = 2, // w0 is a reply token or a port: send, then receive from `port`
    poll = 4, // do not block: timed_out at once when nothing is there
};

// vm_allocate's flags (w2). Write and execute together are refused.
enum class VmFlag : u16 {
    read = 1 << 0,
    write = 1 << 1,
    execute = 1 << 2,
    region = 1 << 3, // w1 is a region handle: map it (needs its read, write, execute rights)
    lasting = 1 << 4, // with region: needs its grant right; outlives the capability
};

inline constexpr usize region_pages_max = 512;
inline constexpr usize region_bytes_max = region_pages_max * page_bytes; // also the alignment

// cap_move's operations (bits 16..23 of w2). Those that need a right on the source name it.
enum class CapOperation : u8 {
    derive = 0, // [derive] a child with `rights`, at most the source's -> w2
    move = 1, // [derive] the row itself changes owner; the source handle is dead -> w2
    revoke = 2, // everything derived from it is dead at once; needs no right
    close = 3, // drop the handle; what was derived from it dies
    destroy = 4, // [destroy] end the object, then close
    badge = 5, // [derive] a child whose badge is w3; the source's badge must be 0 -> w2
    time_to_live = 6, // w3 nanoseconds from now, only ever shorter; rounded up to a tick
    watch = 7, // w3 port handle [send], w4 bits: signalled when this row is revoked, expires in
               // use or loses its last child
    inspect = 8, // -> w2 rights | type << 16 | children << 32, w3 badge, w4 object, w5 depth
};

// A message's tag (w1): operation in bits 0..15, capabilities in bits 28..29 (the last words, moved
// to the receiver), the caller's own use in bits 32..63. Bits 16..27 belong to the kernel's tags.
inline constexpr unsigned tag_capabilities_shift = 28;
inline constexpr unsigned message_capabilities_max = 3;
inline constexpr unsigned message_words = 6;

constexpr u64 tag_of(u16 operation, unsigned capabilities = 0)
{
    return operation | static_cast<u64>(capabilities) << tag_capabilities_shift;
}

// Tags that only the kernel makes.
enum class KernelTag : u16 {
    notification = 0xFF00, // w0 0, w2 the bits
    fault = 0xFF01, // w0 fault port's badge, tag bits 16..23 FaultKind, w2 ip, w3 address, w4 code,
                    // w5 sp, w6 thread id. Reply: FaultReply
    foreign_call = 0xFF02, // bits 32..63 its number, w2..w7 its six arguments. Reply: FaultReply
    exit = 0xFF03, // the thread called own_fault_port: w2..w7 as it sent them. Never replied
};

enum class FaultKind : u8 {
    page = 1,
    illegal_instruction,
    arithmetic,
    breakpoint,
    alignment,
    other
};

// The operation in the tag of a reply to a fault or a foreign call.
enum class FaultReply : u16 {
    resume = 0, // go on where it stood
    stop = 1, // stay stopped; THREAD_RUN goes on
    return_value = 2, // w2 into the foreign call's result register, then resume
    fill = 3, // w6 broker MM: its operation fill with w2..w5, then resume
};

// w0 of a CALL: the caller's own fault port. The kernel sets the tag to KernelTag::exit.
inline constexpr u64 own_fault_port = 0xFFFF'FFFF;

// A handle is generation (upper 31 bits) and row index (lower 32). A reply token has bit 63 set.
inline constexpr u64 reply_token_bit = 1ull << 63;

// Ticks: 100 Hz.
inline constexpr u64 tick_ns = 10'000'000;

// Priorities 0 (idle) to 7 (first).
inline constexpr unsigned priority_levels = 8;

} // namespace gemel
