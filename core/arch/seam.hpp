// Everything the portable kernel asks of a machine. Each back end provides, under
// arch/<face>/include/gemel/arch/: frame.hpp (Frame, FpuState), machine.hpp (Machine), user.hpp
// (the user side: the system call stub), checksum.hpp (CRC-32C, where the processor has it).
// check.cpp static_asserts these concepts.
#pragma once

#include "core/arch/types.hpp"

#include <concepts>

namespace gemel::arch {

// A thread's saved user registers. `words` are the eight message words, in the ABI's order.
template <typename F>
concept FrameLike = requires(F& frame, u64 value, u32 index)
{
    {
        frame.words()
    }
    noexcept->std::same_as<u64*>;
    {
        frame.port()
    }
    noexcept->std::same_as<u64&>;
    {
        frame.status()
    }
    noexcept->std::same_as<u64&>; // the number word on entry
    {
        frame.instruction_pointer()
    }
    noexcept->std::same_as<u64&>;
    {
        frame.stack_pointer()
    }
    noexcept->std::same_as<u64&>;
    // 0..7 words, 8 port, 9 status, 10 ip, 11 sp, 12.. the machine's other registers; then null.
    {
        frame.register_at(index)
    }
    noexcept->std::same_as<u64*>;
    // Somebody has written into them: what the processor would refuse to load is made good.
    {
        frame.registers_set()
    }
    noexcept->std::same_as<void>;
    {
        frame.foreign_number()
    }
    noexcept->std::same_as<u64>; // of a foreign system call
    {
        frame.foreign_arguments()
    }
    noexcept->std::same_as<u64 const*>; // six
    {
        frame.foreign_result(value)
    }
    noexcept->std::same_as<void>;
    // The thread makes the system call it came with once more.
    {
        frame.restart_call()
    }
    noexcept->std::same_as<void>;
    // Of a zeroed frame, a new thread's: entry(argument) on `stack`, interrupts on, all else zero.
    {
        frame.prepare(value, value, value)
    }
    noexcept->std::same_as<void>;
};

template <typename M>
concept MemoryLike = requires(M& machine, void* pointer, void const* constant, u64 value,
    u64& entry, u32 index, PageKind kind, u16 flags)
{
    {
        machine.at_physical(value)
    }
    noexcept->std::same_as<void*>;
    {
        machine.physical_of(constant)
    }
    noexcept->std::same_as<u64>;
    {
        machine.zero_page(pointer)
    }
    noexcept->std::same_as<void>;
    // The address space of task `index`: what vm_allocate may hand out, [begin, end).
    {
        machine.user_begin(index)
    }
    noexcept->std::same_as<u64>;
    {
        machine.user_end(index)
    }
    noexcept->std::same_as<u64>;
    // Tables: root (bits 39..47), 30..38, 21..29; an entry of the last points at a leaf: a region.
    {
        machine.table_entry(value)
    }
    noexcept->std::same_as<u64>; // to the next table
    {
        machine.link_entry(value, flags)
    }
    noexcept->std::same_as<u64>; // to a leaf, as VmFlags allow
    {
        machine.page_entry(value, kind)
    }
    noexcept->std::same_as<u64>;
    // A page entry with at most these VmFlags.
    {
        machine.narrowed_entry(value, flags)
    }
    noexcept->std::same_as<u64>;
    {
        machine.entry_target(value)
    }
    noexcept->std::same_as<u64>; // physical address in any entry
    {
        machine.root_created(pointer)
    }
    noexcept->std::same_as<void>; // zeroed: add the kernel's half
    // Stores another page's entry, in one piece: whoever walks the table sees the old one or the
    // new one, or none for a moment.
    {
        machine.change_entry(entry, value)
    }
    noexcept->std::same_as<void>;
    // Told after the tables changed; do what the translation hardware needs.
    // (root, address, leaf, VmFlags), (root, address, leaf), (leaf, first page, pages)
    {
        machine.leaf_linked(value, value, pointer, flags)
    }
    noexcept->std::same_as<void>;
    {
        machine.leaf_unlinked(value, value, pointer)
    }
    noexcept->std::same_as<void>;
    {
        machine.leaf_changed(pointer, index, index)
    }
    noexcept->std::same_as<void>;
    // The leaf is about to be emptied: after this no task can reach its pages.
    {
        machine.leaf_emptied(pointer)
    }
    noexcept->std::same_as<void>;
};

// A thread, as far as a machine knows it.
template <typename Frame, typename Fpu>
struct SavedThread {
    Frame frame;
    Fpu fpu;
};

template <typename M, typename Frame, typename Fpu>
concept MachineLike
    = MemoryLike<M> && requires(M& machine, Frame& frame, Fpu& fpu, SavedThread<Frame, Fpu>* last,
        SavedThread<Frame, Fpu>& next, u64 value, u32 line, u8 status, char character)
{
    {
        machine.now_ns()
    }
    noexcept->std::same_as<u64>; // since boot
    {
        machine.wake_at(value)
    }
    noexcept->std::same_as<void>; // tick_line at or after; ~0 never
    // Idle, and without the kernel's lock.
    {
        machine.wait_for_interrupt()
    }
    noexcept->std::same_as<void>;
    // The line that ended the wait, masked and acknowledged at the controller, as for a line that
    // interrupts a thread. Spurious, or another processor's call: interrupt_lines_max.
    {
        machine.interrupt_taken()
    }
    noexcept->std::same_as<u32>;
    // Processors are numbered from 0.
    {
        machine.cpu_number()
    }
    noexcept->std::same_as<u32>;
    {
        machine.interrupt_cpu(line)
    }
    noexcept->std::same_as<void>; // that processor enters the kernel soon
    // Runs the work. Within it, give_up() ends it, at any depth; natively the kernel is left from
    // there, hosted `attempt` returns.
    {
        machine.attempt([] {})
    }
    noexcept->std::same_as<void>;
    {
        machine.give_up()
    }
    noexcept->std::same_as<void>;
    // Called over and over while the processor waits for the lock.
    {
        machine.lock_waits()
    }
    noexcept->std::same_as<void>;
    // The thread that ran has left the processor with all it has; its address space is not used.
    {
        machine.will_idle()
    }
    noexcept->std::same_as<void>;
    {
        machine.interrupt_unmask(line)
    }
    noexcept->std::same_as<void>;
    {
        machine.msi_target(line)
    }
    noexcept->std::same_as<MsiTarget>; // line: first acceptable
    {
        machine.console_write(character)
    }
    noexcept->std::same_as<void>;
    {
        machine.entropy()
    }
    noexcept->std::same_as<u64>;
    {
        machine.power_off(status)
    }
    noexcept->std::same_as<void>; // natively does not return
    {
        machine.pio_read(line, line)
    }
    noexcept->std::same_as<u32>; // port, bytes
    {
        machine.pio_write(line, line, line)
    }
    noexcept->std::same_as<void>; // port, bytes, value
    {
        machine.save_thread(frame, fpu)
    }
    noexcept->std::same_as<void>; // what it has in the processor
    {
        machine.switch_thread(last, next)
    }
    noexcept->std::same_as<void>; // saves the last, if there is one; the CPU leaves into the next
    {
        machine.prepare_fpu(fpu)
    }
    noexcept->std::same_as<void>; // zeroed before: the state of a new thread
    {
        machine.activate(value)
    }
    noexcept->std::same_as<void>; // address space, by its root
};

} // namespace gemel::arch
