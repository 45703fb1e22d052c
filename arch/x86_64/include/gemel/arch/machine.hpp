// The machine as the kernel sees it: memory, the interrupt controllers, the clock and the way out.
// Boot code fills it in (boot/setup.hpp); afterwards nothing in it changes but by these operations.
//
// Virtual addresses of the kernel's half, the same in every address space:
//   0xFFFF8000'00000000  the direct map of RAM: 2 MiB pages, read and write, never executable
//   0xFFFFFFFF'80000000  the kernel's image, by section: execute, read only, read and write
//   0xFFFFFFFF'C0000000  interrupt controllers, uncached
// Interrupt lines: 0 the tick (the APIC's own timer), 1.. the I/O APICs' inputs (ACPI's GSI
// numbers), above them message-signalled ones. Line n arrives at vector 32 + n.
#pragma once

#include "core/arch/types.hpp"
#include "core/object/task.hpp"

#include <gemel/arch/frame.hpp>
#include <gemel/arch/instruction.hpp>

namespace gemel::arch {

inline constexpr u64 direct_map = 0xFFFF'8000'0000'0000;
inline constexpr u64 direct_map_bytes_max = 1ull << 39;
inline constexpr u64 image_base = 0xFFFF'FFFF'8000'0000;
inline constexpr u64 device_windows = 0xFFFF'FFFF'C000'0000;
inline constexpr u32 root_entries_user = 256;
inline constexpr u32 root_entry_direct = 256;
inline constexpr u32 root_entry_image = 511;

// Page-table entry bits (Intel SDM volume 3, 4.5).
namespace page {
inline constexpr u64 present = 1 << 0;
inline constexpr u64 write = 1 << 1;
inline constexpr u64 user = 1 << 2;
inline constexpr u64 uncached = 1 << 3 | 1 << 4;
inline constexpr u64 large = 1 << 7;
inline constexpr u64 global = 1 << 8;
inline constexpr u64 no_execute = 1ull << 63;
inline constexpr u64 target = 0x000F'FFFF'FFFF'F000;
} // namespace page

inline constexpr u32 first_vector = 32; // of the lines; below it are exceptions
inline constexpr u32 call_vector = 254; // another processor's: come into the kernel
inline constexpr u32 spurious_vector = 255;
inline constexpr u32 lines_max = call_vector - first_vector;
inline constexpr u32 io_apics_max = 8;

struct [[gnu::packed]] TaskState {
    u32 reserved0 = 0;
    u64 rsp0 = 0; // the end of the running thread's frame
    u64 kernel_stack = 0; // the processor would take it for ring 1, where it never is
    u64 rsp2 = 0;
    u64 reserved1 = 0;
    u64 ist[7] = {}; // the first: stack of the traps that panic
    u64 reserved2 = 0;
    u16 reserved3 = 0;
    u16 io_map = 104; // none
    u64 user_stack = 0; // SYSCALL's, for a moment; no part of what the processor knows
    u64 flushed = 0; // the last flush of translations that this processor has done
    u64 root = 0; // the address space that is active here; 0: the kernel's own
};
static_assert(sizeof(TaskState) == 128);
inline constexpr u32 task_state_bytes = 104;

extern "C" TaskState gemel_task_states[cpus_max];
// From here a task register's selector, times what a TaskState has for each 16 of it, leads to its
// own (kernel.ld).
extern "C" u8 gemel_task_states_origin[];
extern "C" [[noreturn]] void gemel_leave_kernel(); // src/trap.cpp

struct IoApic {
    u32 volatile* window = nullptr; // word 0 selects the register that word 4 reads and writes
    u32 first_line = 0;
};

// There is one. What is not inline is static and finds it by its address, which is one argument
// less.
class Machine {
public:
    // Memory.
    void* at_physical(u64 address) noexcept
    {
        return reinterpret_cast<void*>(direct_map + address);
    }
    static u64 physical_of(void const* pointer) noexcept
    {
        return reinterpret_cast<u64>(pointer) - direct_map;
    }
    void zero_page(void* page) noexcept
    {
        u64 words = page_bytes / sizeof(u64);
        asm volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(0) : "memory");
    }

    // A SYSCALL in the last page below the hole would return to an address that SYSRET faults on in
    // the kernel: that page, and the leaf it is in, is nobody's.
    u64 user_begin(u32) noexcept { return region_bytes_max; }
    u64 user_end(u32) noexcept { return (1ull << 47) - region_bytes_max; }

    u64 table_entry(u64 physical) noexcept
    {
        return physical | page::present | page::write | page::user;
    }
    u64 link_entry(u64 physical, u16 flags) noexcept
    {
        return narrowed_entry(physical | page::present | page::write | page::user, flags);
    }
    u64 page_entry(u64 physical, PageKind kind) noexcept
    {
        u64 entry = physical | page::present | page::user;
        if (kind == PageKind::memory || kind == PageKind::device)
            entry |= page::write;
        if (kind == PageKind::device || kind == PageKind::device_read_only)
            entry |= page::uncached;
        return entry;
    }
    u64 narrowed_entry(u64 entry, u16 flags) noexcept
    {
        if (!(flags & static_cast<u16>(VmFlag::read)))
            entry &= ~page::user;
        if (!(flags & static_cast<u16>(VmFlag::write)))
            entry &= ~page::write;
        if (!(flags & static_cast<u16>(VmFlag::execute)))
            entry |= page::no_execute;
        return entry;
    }
    u64 entry_target(u64 entry) noexcept { return entry & page::target; }
    void change_entry(u64& entry, u64 value) noexcept
    {
        __atomic_store_n(&entry, value, __ATOMIC_RELAXED);
    }
    void root_created(void* root) noexcept
    {
        auto* const to = static_cast<u64*>(root);
        to[root_entry_direct] = kernel_root_[root_entry_direct];
        to[root_entry_image] = kernel_root_[root_entry_image];
    }

    // Absent entries are not cached, and another address space's are gone since the last activate.
    void leaf_linked(u64, u64, void*, u16) noexcept { }
    void leaf_unlinked(u64 root, u64, void*) noexcept { flush(root); }
    // Not present before the kernel empties it: a walk in between must not fill the translations
    // again.
    static void leaf_emptied(void* leaf) noexcept;
    [[gnu::always_inline]] void leaf_changed(void*, u32, u32) noexcept
    {
        if (cpus_ == 1) [[likely]]
            write_cr3(read_cr3());
        else
            flush(0);
    }
    void activate(u64 root) noexcept
    {
        own_state().root = root;
        write_cr3(root);
    }

    // A call that is given up needs nothing of the stack it is on.
    template <typename Work>
    [[gnu::always_inline]] void attempt(Work&& work) noexcept
    {
        work();
    }
    [[noreturn]] void give_up() noexcept { gemel_leave_kernel(); }

    // Processors. Each has a task state of its own, which its task register names.
    u32 cpu_number() noexcept
    {
        u32 selector;
        asm("str %0" : "=r"(selector));
        return (selector - task_state_selector) / 16;
    }
    [[gnu::always_inline]] static TaskState& own_state() noexcept
    {
        u64 selector;
        asm("str %k0" : "=r"(selector));
        constexpr u64 scale = sizeof(TaskState) / 16;
        return *reinterpret_cast<TaskState*>(gemel_task_states_origin + selector * scale);
    }
    static void interrupt_cpu(u32 number) noexcept;
    static void lock_waits() noexcept;
    void will_idle() noexcept;

    // Time.
    static u64 now_ns() noexcept;
    static void wake_at(u64 deadline_ns) noexcept;

    // Interrupts.
    void wait_for_interrupt() noexcept;
    static u32 interrupt_taken() noexcept; // the line in service, masked and acknowledged
    static void interrupt_unmask(u32 line) noexcept;
    static MsiTarget msi_target(u32 first) noexcept;

    static void console_write(char character) noexcept;
    static u64 entropy() noexcept;
    static void power_off(u8 status) noexcept;
    u32 pio_read(u32 port, u32 bytes) noexcept;
    void pio_write(u32 port, u32 bytes, u32 value) noexcept;

    // FS and GS are the thread's too, and may change without a trap.
    void save_thread(Frame& frame, FpuState& fpu) noexcept
    {
        if (fpu_components_ != 0) [[likely]]
            save_quickly(frame, fpu, fpu_components_);
        else
            save_slowly(frame, fpu);
    }
    template <typename Saved>
    [[gnu::always_inline]] void switch_thread(Saved* last, Saved& next) noexcept
    {
        if (auto const components = fpu_components_; components != 0) [[likely]] {
            if (last)
                save_quickly(last->frame, last->fpu, components);
            load_quickly(next.frame, next.fpu, components);
        } else {
            if (last)
                save_slowly(last->frame, last->fpu);
            load_slowly(next.frame, next.fpu);
        }
        own_state().rsp0 = reinterpret_cast<u64>(&next.frame) + FrameLayout::pushed_end;
    }
    // All registers empty, all exceptions masked, round to nearest.
    void prepare_fpu(FpuState& state) noexcept
    {
        *reinterpret_cast<u16*>(state.area) = 0x37F;
        *reinterpret_cast<u32*>(state.area + 24) = 0x1F80;
    }

    static void print(char const* text) noexcept; // for panics and boot code

private:
    friend class Setup;

    [[gnu::always_inline]] static void save_quickly(
        Frame& frame, FpuState& fpu, u32 components) noexcept
    {
        asm volatile("xsave64 %0" : "+m"(fpu) : "a"(components), "d"(0));
        asm volatile("rdfsbase %0" : "=r"(frame.fs_base_));
        asm volatile("rdgsbase %0" : "=r"(frame.gs_base_));
    }
    [[gnu::always_inline]] static void load_quickly(
        Frame& frame, FpuState& fpu, u32 components) noexcept
    {
        asm volatile("xrstor64 %0" ::"m"(fpu), "a"(components), "d"(0));
        asm volatile("wrfsbase %0" ::"r"(frame.fs_base_));
        asm volatile("wrgsbase %0" ::"r"(frame.gs_base_));
    }
    // Out of the way, for the sake of the registers that they need.
    static void save_slowly(Frame& frame, FpuState& fpu) noexcept;
    static void load_slowly(Frame& frame, FpuState& fpu) noexcept;
    static u32 apic_read(u32 offset) noexcept;
    static void apic_write(u32 offset, u32 value) noexcept;
    static u32 volatile* redirection(u32 line) noexcept; // of a line that an I/O APIC has; or null
    // No processor has an old translation of the address space (0: of any) when this returns.
    static void flush(u64 root) noexcept;

    u64* kernel_root_ = nullptr;
    u64 tsc_at_boot_ = 0;
    u64 ns_per_tsc_ = 0; // times 2^32
    u64 timer_per_ns_ = 0; // times 2^32
    u32 volatile* apic_ = nullptr; // null: x2APIC, reached by model specific registers
    u32 fpu_components_ = 0; // 0: it has not both XSAVE and FSGSBASE
    bool rdrand_ = false;
    u16 power_control_ = 0; // ACPI's PM1a control port, 0: none
    u16 power_off_value_ = 0;
    u32 cpus_ = 1;
    u32 apic_ids_[cpus_max] = {};
    u64 flushes_ = 0;
    u32 io_lines_ = 1; // the first line that is not an I/O APIC's
    u32 io_apic_count_ = 0;
    IoApic io_apics_[io_apics_max];
};

extern Machine machine; // there is one

inline u64 Machine::now_ns() noexcept
{
    return scale(read_tsc() - machine.tsc_at_boot_, machine.ns_per_tsc_);
}

// What the kernel keeps of its machine: nothing, its address is known.
struct MachineHolder {
    explicit MachineHolder(Machine&) noexcept { }
    static constexpr Machine& machine_ = machine;
};

} // namespace gemel::arch
