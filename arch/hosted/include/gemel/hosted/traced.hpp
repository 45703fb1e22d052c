// For a process that traces one in which a system runs, and that is the same program at the same
// place: where to look in it.
#pragma once

#include "core/base/types.hpp"

#include <gemel/arch/machine.hpp>

namespace gemel::arch {

inline constexpr usize fault_stack_bytes = 64 * 1024;

// Where amid a fault thread number `thread` stands; it need not be mapped.
constexpr u64 fault_stack_of(u32 thread)
{
    return Machine::fault_stacks_address + thread * fault_stack_bytes;
}

} // namespace gemel::arch

namespace gemel::hosted {

// Where a word lies that is 0 while no system runs. The one that does has its kernel at
// arch::Machine::kernel_address.
void const* running_word();

// What lies where the context of a suspended thread points, as Boost.Context has it: the registers
// with which it goes on, behind these bytes, at `rip`.
struct SavedContext {
    u32 mxcsr = 0;
    u16 fctrl = 0;
    u64 r12 = 0, r13 = 0, r14 = 0, r15 = 0, rbx = 0, rbp = 0, rip = 0;
};
static_assert(sizeof(SavedContext) == 64);

// Whether such a context was made for a thread that has not run yet.
bool is_first(SavedContext const& context);

// The instruction at which stacks change: before it %rsp is the context of the thread that was on
// the processor, behind it of the one that goes on. 0: this Boost.Context does it otherwise.
u64 switch_begin();
inline constexpr u64 switch_bytes = 3;

} // namespace gemel::hosted
