// A thread's registers as src/entry.S saves them, and its floating-point state. The offsets are
// written out there too: the static_asserts hold the two together.
#pragma once

#include "core/base/types.hpp"

#include <cstddef>

namespace gemel::arch {

class alignas(16) Frame {
public:
    u64* words() noexcept { return registers_; }
    u64& port() noexcept { return registers_[8]; }
    u64& status() noexcept { return registers_[9]; }
    u64& instruction_pointer() noexcept { return registers_[10]; }
    u64& stack_pointer() noexcept { return registers_[11]; }

    // 12..32 are x10..x30, 33 the condition flags (SPSR; other bits are ignored), 34 TPIDR_EL0.
    u64* register_at(u32 index) noexcept { return index < count ? &registers_[index] : nullptr; }

    void registers_set() noexcept { } // none is refused

    // Linux' convention: number in x8, arguments in x0..x5, result in x0.
    u64 foreign_number() noexcept { return registers_[8]; }
    u64 const* foreign_arguments() const noexcept { return registers_; }
    void foreign_result(u64 value) noexcept { registers_[0] = value; }
    void restart_call() noexcept { instruction_pointer() -= 4; } // the length of SVC

    void prepare(u64 entry, u64 stack, u64 argument) noexcept
    {
        registers_[0] = argument;
        instruction_pointer() = entry;
        stack_pointer() = stack;
    }

    static constexpr u32 count = 35;

private:
    // In register_at's order, so that the table is the frame.
    u64 registers_[count];
};
static_assert(sizeof(Frame) == 288);

// q0..q31, FPCR and FPSR.
struct FpuState {
    alignas(16) u64 vectors[64];
    u64 control;
    u64 status;
};
static_assert(offsetof(FpuState, control) == 512 && offsetof(FpuState, status) == 520);

} // namespace gemel::arch
