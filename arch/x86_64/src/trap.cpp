// From the processor's traps to the kernel's three entries.
#include "core/kernel.hpp"

#include "arch/x86_64/src/state.hpp"

#include <array>

namespace gemel::arch {

constinit Machine machine;
constinit KernelStorage storage;

extern "C" {
TaskState gemel_task_states[cpus_max];
u64 gemel_gates[512]; // the interrupt descriptor table
alignas(page_bytes) u64 gemel_image_table[512]; // the leaf table that maps the image
extern u8 gemel_init_begin[];

[[noreturn]] void gemel_started(u32 init_pages);
[[noreturn]] void gemel_system_call();
[[noreturn]] void gemel_trap();
[[noreturn]] void gemel_cpu_started();
[[noreturn]] void gemel_panic(u64 const* stack);
}

struct Traps {
    static constexpr u64 breakpoint = 3;
    static constexpr u64 page_fault = 14;
    static constexpr u64 thread_pointer = 31;

    // Of the vectors that an exception has; others are `other`.
    static constexpr u32 vectors = 20;
    static constexpr auto kinds = [] {
        std::array<FaultKind, vectors> table;
        table.fill(FaultKind::other);
        table[0] = table[16] = table[19] = FaultKind::arithmetic;
        table[1] = table[3] = FaultKind::breakpoint;
        table[6] = FaultKind::illegal_instruction;
        table[17] = FaultKind::alignment;
        return table;
    }();

    static FaultReport report_of(Frame const& thread)
    {
        auto const vector = thread.vector_;
        if (vector == page_fault)
            return { FaultKind::page, read_cr2(), thread.error_ };
        return { vector < vectors ? kinds[vector] : FaultKind::other, 0, thread.error_ };
    }

    static void trap()
    {
        storage.kernel.enter();
        auto const& thread = storage.kernel.cpu().current->frame;
        if (thread.vector_ >= first_vector) {
            storage.kernel.on_interrupt(machine.interrupt_taken());
        } else if (thread.vector_ == thread_pointer) {
            write_msr(Msr::fs_base, canonical(thread.words_[0]));
        } else {
            storage.kernel.on_fault(report_of(thread));
        }
    }
};

// The entries end in the way out instead of returning to it: the frame has every register already.
void gemel_leave_kernel()
{
    while (!storage.kernel.cpu().current)
        [[unlikely]] storage.kernel.rest();
    // Read before the lock is given: after it, the kernel's own processor is whoever came in next.
    auto* const thread = storage.kernel.cpu().current;
    storage.kernel.leave();
    asm volatile("lea %0, %%rsp\n jmp gemel_leave" : : "m"(thread->frame) : "memory");
    __builtin_unreachable();
}

// The first code that is not boot code, whose memory is the kernel's by now: no longer executable.
void gemel_started(u32 init_pages)
{
    auto const begin = reinterpret_cast<u64>(gemel_init_begin) - image_base;
    auto* const entries = &gemel_image_table[begin / page_bytes % 512];
    for (u32 index = 0; index < init_pages; ++index)
        entries[index] |= page::write | page::no_execute;
    flush_global();
    gemel_leave_kernel();
}

// Another processor's first resident code: the lock is free once the first has left boot code.
void gemel_cpu_started()
{
    storage.kernel.enter();
    flush_global();
    storage.kernel.on_interrupt(interrupt_lines_max);
    gemel_leave_kernel();
}

void gemel_system_call()
{
    storage.kernel.enter();
    storage.kernel.on_system_call();
    gemel_leave_kernel();
}

void gemel_trap()
{
    Traps::trap();
    gemel_leave_kernel();
}

namespace {

void print_number(u64 value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        machine.console_write("0123456789abcdef"[value >> shift & 0xF]);
    machine.console_write(' ');
}

constexpr u8 status_of_panic = 125;

} // namespace

// `stack`: vector, error code, rip. Prints them, and CR2.
void gemel_panic(u64 const* stack)
{
    machine.print("\ngemel: panic ");
    for (u32 index = 0; index < 3; ++index)
        print_number(stack[index]);
    print_number(read_cr2());
    machine.power_off(status_of_panic);
    __builtin_unreachable();
}

} // namespace gemel::arch
