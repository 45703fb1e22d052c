#include "frontends/travel/inside.hpp"

#include <gemel/arch/machine.hpp>

#include <cerrno>
#include <sys/syscall.h>

namespace gemel::travel {

extern "C" {

Inside gemel_replay_inside;
alignas(64) u8 gemel_replay_stack[stack_bytes];

// The two differ in their address alone.
asm(R"(
    .text
    .globl gemel_replay_passed
    .type gemel_replay_passed, @function
gemel_replay_passed:
    movq %rdi, gemel_replay_inside(%rip)
    movq %rsi, 8+gemel_replay_inside(%rip)
    ret
    .size gemel_replay_passed, .-gemel_replay_passed
    .globl gemel_replay_reached
    .type gemel_replay_reached, @function
gemel_replay_reached:
    movq %rdi, gemel_replay_inside(%rip)
    movq %rsi, 8+gemel_replay_inside(%rip)
    ret
    .size gemel_replay_reached, .-gemel_replay_reached
)");

[[gnu::noinline, gnu::used]] void gemel_replay_failed()
{
    asm volatile("" : : : "memory");
}

[[gnu::noinline, gnu::used]] void gemel_replay_over()
{
    asm volatile("nop" : : : "memory");
}

[[gnu::noinline, gnu::used, gnu::no_sanitize_address]] void gemel_replay_fork()
{
    // The C library would run handlers and take locks, which somebody may hold here.
    long process = SYS_fork;
    asm volatile("syscall" : "+a"(process) : : "rcx", "r11", "memory");
    auto const saved = errno;
    long failed = 0;
    if (process == 0 && !arch::Machine::own_memory())
        failed = 1;
    errno = saved;
    asm volatile("int3" : : "a"(process), "d"(failed) : "memory");
    __builtin_unreachable();
}
}

void at_event(u64 event, u64 time_ns)
{
    static void (*const volatile answers[2])(u64, u64)
        = { gemel_replay_passed, gemel_replay_reached };
    auto const there = static_cast<usize>(event >= gemel_replay_inside.stop_event)
        | static_cast<usize>(time_ns >= gemel_replay_inside.stop_ns);
    answers[there](event, time_ns);
}

} // namespace gemel::travel
