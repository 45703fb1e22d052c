// What a thread's registers look like while the kernel runs. A trap pushes straight into the
// running thread's frame (the TSS's rsp0 is the frame's end), so nothing is copied; src/entry.S
// knows the layout by the offsets asserted below.
#pragma once

#include "core/base/types.hpp"

#include <gemel/arch/instruction.hpp>

namespace gemel::arch {

// Selectors; SYSCALL and SYSRET fix their order (Intel SDM volume 3, 5.8.8).
inline constexpr u16 kernel_code_selector = 0x08;
inline constexpr u16 kernel_data_selector = 0x10;
inline constexpr u16 user_data_selector = 0x1B;
inline constexpr u16 user_code_selector = 0x23;
inline constexpr u16 task_state_selector = 0x28; // of processor 0; the others' follow, each 16 on

inline constexpr u64 flag_interrupts = 0x200;

class Frame {
public:
    u64* words() noexcept { return words_; }
    u64& port() noexcept { return rbx_; }
    u64& status() noexcept { return rax_; }

    // Whoever may change these makes the frame leave by IRET, which checks them; SYSRET is for
    // frames that are as a SYSCALL left them.
    u64& instruction_pointer() noexcept
    {
        cs_ = user_code_selector;
        return rip_;
    }
    u64& stack_pointer() noexcept { return rsp_; }

    // 0..7 words, 8 port, 9 status, 10 ip, 11 sp, 12 rbp, 13 r14, 14 r15, 15 rcx, 16 r11, 17
    // rflags, 18 fs base, 19 gs base.
    u64* register_at(u32 index) noexcept
    {
        cs_ = user_code_selector;
        if (index < 10)
            return &words_[index];
        if (index < 12)
            return index == 10 ? &rip_ : &rsp_;
        if (index < 17)
            return &rbp_ + (index - 12);
        if (index < 20)
            return index == 17 ? &rflags_ : &fs_base_ + (index - 18);
        return nullptr;
    }

    // The instruction pointer is looked at on the way out (src/entry.S).
    void registers_set() noexcept
    {
        fs_base_ = canonical(fs_base_);
        gs_base_ = canonical(gs_base_);
    }

    u64 foreign_number() noexcept { return rax_; }
    u64 const* foreign_arguments() const noexcept { return words_; } // rdi rsi rdx r10 r8 r9
    void foreign_result(u64 value) noexcept { rax_ = value; }
    void restart_call() noexcept { rip_ -= 2; } // the length of SYSCALL

    void prepare(u64 entry, u64 stack, u64 argument) noexcept
    {
        words_[0] = argument;
        rip_ = entry;
        rsp_ = align_down<u64>(stack, 16) - 8; // as after a call: a function may rely on it
        cs_ = user_code_selector;
        ss_ = user_data_selector;
        rflags_ = flag_interrupts | 2;
    }

private:
    friend class Machine;
    friend struct FrameLayout;
    friend struct Traps;

    u64 words_[8] = {}; // rdi rsi rdx r10 r8 r9 r12 r13
    u64 rbx_ = 0;
    u64 rax_ = 0;
    u64 rbp_ = 0;
    u64 r14_ = 0;
    u64 r15_ = 0;
    u64 rcx_ = 0;
    u64 r11_ = 0;
    u64 vector_ = 0; // of the last trap
    u64 error_ = 0;
    u64 rip_ = 0; // from here to ss the processor pushes
    u64 cs_ = 0; // all ones: SYSCALL
    u64 rflags_ = 0;
    u64 rsp_ = 0;
    u64 ss_ = 0;
    u64 fs_base_ = 0; // these two are saved when another thread runs
    u64 gs_base_ = 0;
};

// What src/entry.S relies on.
struct FrameLayout {
    static constexpr usize pushed_end = 176; // rsp0; 16-aligned, or the processor would skip a word
    static_assert(offsetof(Frame, rbx_) == 64 && offsetof(Frame, vector_) == 120
        && offsetof(Frame, cs_) == 144);
    static_assert(offsetof(Frame, rip_) == 136 && offsetof(Frame, ss_) == 168);
    static_assert(offsetof(Frame, fs_base_) == pushed_end);
};

// x87, SSE and AVX: the standard form of XSAVE for these three (Intel SDM volume 1, 13.4), or the
// first 512 bytes as FXSAVE fills them.
struct alignas(64) FpuState {
    u8 area[832];
};

} // namespace gemel::arch
