// The user side of the line: one system call, and the thread pointer. What a program includes.
#pragma once

#include "core/base/types.hpp"

#include <cpuid.h>

namespace gemel::arch {

// The registers of a call (core/abi/call.hpp). `number` is the status on return.
struct Registers {
    u64 words[8];
    u64 port;
    u64 number;
};

// Always in line: where the words are used at once, none of them goes through memory.
[[gnu::always_inline]] inline void system_call(Registers& registers)
{
    auto& words = registers.words;
    register u64 rdi asm("rdi") = words[0];
    register u64 rsi asm("rsi") = words[1];
    register u64 rdx asm("rdx") = words[2];
    register u64 r10 asm("r10") = words[3];
    register u64 r8 asm("r8") = words[4];
    register u64 r9 asm("r9") = words[5];
    register u64 r12 asm("r12") = words[6];
    register u64 r13 asm("r13") = words[7];
    register u64 rbx asm("rbx") = registers.port;
    register u64 rax asm("rax") = registers.number;
    asm volatile("syscall"
                 : "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12),
                 "+r"(r13), "+r"(rbx), "+r"(rax)
                 :
                 : "rcx", "r11", "memory", "cc");
    words[0] = rdi;
    words[1] = rsi;
    words[2] = rdx;
    words[3] = r10;
    words[4] = r8;
    words[5] = r9;
    words[6] = r12;
    words[7] = r13;
    registers.port = rbx;
    registers.number = rax;
}

// The trap that stands in for WRFSBASE on processors without it; rdi is the value.
inline constexpr u8 thread_pointer_vector = 0x1F;

// The block's first word must be its own address, as the x86_64 thread-local storage ABI asks.
inline void set_thread_pointer(void* block)
{
    u32 eax, ebx, ecx, edx;
    __cpuid_count(7, 0, eax, ebx, ecx, edx);
    if (ebx & 1)
        asm volatile("wrfsbase %0" ::"r"(block) : "memory");
    else
        asm volatile("int %0" ::"i"(thread_pointer_vector), "D"(block) : "memory");
}

// Only after set_thread_pointer.
inline void* thread_pointer()
{
    void* block;
    asm volatile("mov %%fs:0, %0" : "=r"(block));
    return block;
}

inline constexpr bool task_has_stack_guard = true;

// What functions put below their return address and check: the ABI reads it at 0x28 of the thread's
// block, which has room for it (thread_local_alignment). The calling thread's; after
// set_thread_pointer.
inline void set_stack_guard(u64 guard)
{
    asm volatile("mov %0, %%fs:0x28" ::"r"(guard) : "memory");
}

} // namespace gemel::arch
