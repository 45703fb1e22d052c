// The arm64 machine at EL1, one processor. Boot code (boot/main.cpp) fills it in from the device
// tree before the kernel sees it.
#pragma once

#include "core/arch/types.hpp"
#include "core/object/task.hpp"

#include <gemel/arch/frame.hpp>
#include <gemel/arch/page_entry.hpp>

namespace gemel::arch {

// All of RAM, and the kernel's device windows, stand here.
inline constexpr u64 direct_map = 0xFFFF'0000'0000'0000;

struct Platform; // boot/platform.hpp
enum class Conduit : u8;

// There is one. What is long and frequently called is static and finds it by its address, which is
// one argument less.
class Machine {
public:
    void* at_physical(u64 physical) noexcept
    {
        return reinterpret_cast<void*>(direct_map | physical);
    }
    u64 physical_of(void const* pointer) noexcept
    {
        return reinterpret_cast<u64>(pointer) & ~direct_map;
    }
    void zero_page(void* page) noexcept;

    u64 user_begin(u32) noexcept { return region_bytes_max; } // null stays unmapped
    u64 user_end(u32) noexcept { return 1ull << 47; }

    u64 table_entry(u64 physical) noexcept { return entry::to_table(physical); }
    u64 link_entry(u64 physical, u16 flags) noexcept { return entry::to_leaf(physical, flags); }
    u64 page_entry(u64 physical, PageKind kind) noexcept { return entry::to_page(physical, kind); }
    u64 narrowed_entry(u64 page, u16 flags) noexcept { return entry::narrowed(page, flags); }
    u64 entry_target(u64 any) noexcept { return any & entry::address_mask; }

    static void change_entry(u64& entry, u64 value) noexcept;
    void root_created(void* root) noexcept;
    void leaf_linked(u64 root, u64 address, void* leaf, u16 flags) noexcept;
    void leaf_unlinked(u64 root, u64 address, void* leaf) noexcept;
    void leaf_changed(void* leaf, u32 first, u32 pages) noexcept;
    void leaf_emptied(void* leaf) noexcept;

    static u64 now_ns() noexcept;
    static void wake_at(u64 deadline_ns) noexcept;
    void wait_for_interrupt() noexcept;
    // The line that interrupted, masked and acknowledged; interrupt_lines_max: none.
    static u32 interrupt_taken() noexcept;
    static void interrupt_unmask(u32 line) noexcept;
    MsiTarget msi_target(u32) noexcept { return {}; } // no controller that takes messages
    static void console_write(char character) noexcept;
    static u64 entropy() noexcept;
    static void power_off(u8 status) noexcept;
    u32 pio_read(u32, u32) noexcept { return ~0u; } // arm64 has no ports
    void pio_write(u32, u32, u32) noexcept { }
    void save_thread(Frame&, FpuState& state) noexcept { save_fpu(state); }
    template <typename Saved>
    [[gnu::always_inline]] void switch_thread(Saved* last, Saved& next) noexcept
    {
        if (last)
            save_fpu(last->fpu);
        load_fpu(next.fpu);
        processor().frame = &next.frame;
    }
    void prepare_fpu(FpuState&) noexcept { } // its page is zeroed
    void activate(u64 root) noexcept;

    // A call that is given up needs nothing of the stack it is on.
    template <typename Work>
    [[gnu::always_inline]] void attempt(Work&& work) noexcept
    {
        work();
    }
    [[noreturn]] void give_up() noexcept
    {
        asm volatile("b call_given_up"); // src/entry.S
        __builtin_unreachable();
    }

    // Processors.
    u32 cpu_number() noexcept { return processor().number; }
    static void interrupt_cpu(u32 number) noexcept;
    void lock_waits() noexcept { asm volatile("yield"); } // flushes reach it by themselves
    void will_idle() noexcept
    {
        asm volatile("msr ttbr0_el1, %0; isb" : : "r"(empty_root_) : "memory");
    }

    // Boot only (boot/start_machine.cpp): takes the hardware that the device tree describes.
    void start(Platform const& platform) noexcept;
    // What each processor does for itself, as number `number`.
    void start_processor(Platform const& platform, u32 number) noexcept;
    // The others, which then wait for the kernel's lock. False: one may still come, and boot code
    // must stay for it.
    bool start_others(Platform const& platform, u64 entry) noexcept;
    // By each of them. Does not come back if the kernel no longer counts with it.
    void join(Platform const& platform, u32 number) noexcept;
    u32 cpus() const noexcept { return cpus_; }

    static void print(char const* text) noexcept;
    static void print_hexadecimal(u64 value) noexcept;

private:
    void save_fpu(FpuState& state) noexcept; // src/entry.S
    void load_fpu(FpuState& state) noexcept;

    static constexpr u32 asid_count = 256; // every arm64 processor has eight bits of it

    void synchronize_instructions(u64 const* leaf, u32 first, u32 pages) noexcept;
    void start_clock() noexcept;
    void start_gic_v2(Platform const& platform) noexcept;
    void start_gic_v3(Platform const& platform) noexcept;
    void start_private_v3(Platform const& platform) noexcept;
    bool start_other(u64 affinity, u64 entry, u32 number) noexcept;
    u64 call_firmware(u64 function, u64 first = 0, u64 second = 0, u64 third = 0) noexcept;

    // What TPIDR_EL1 points at: above it is the processor's stack's end (src/entry.S).
    struct alignas(16) Processor {
        Frame* frame; // entry.S leaves into it: stays first
        u32 number;
        u32 affinity; // as MPIDR_EL1 packs it, without Aff3
        u32 volatile* private_lines; // enable bits of lines 0..31: v2 distributor, v3 redistributor
        u64 stack_end; // for alignment
    };
    static Processor& processor() noexcept
    {
        Processor* own;
        asm("mrs %0, tpidr_el1" : "=r"(own));
        return *own;
    }

    u64 empty_root_ = 0;
    u32 cpus_ = 1;
    u32 affinities_[cpus_max] = {};
    u64 counter_start_ = 0;
    u64 nanoseconds_per_tick_ = 0; // both 32.32 fixed point
    u64 ticks_per_nanosecond_ = 0;
    u32 volatile* uart_ = nullptr; // PL011
    u32 volatile* distributor_ = nullptr; // GIC
    u32 volatile* cpu_interface_ = nullptr; // v2; v3 has system registers
    u64 entropy_ = 0;
    bool random_instruction_ = false;
    Conduit conduit_ {};
    // Whose translations an ASID's TLB entries are, on each processor.
    u64 asid_roots_[cpus_max][asid_count] = {};
};

extern Machine the_machine asm("the_machine"); // there is one

// What the kernel keeps of its machine. A load is shorter here than the address of what is far
// away.
struct MachineHolder {
    explicit MachineHolder(Machine& machine) noexcept
        : machine_(machine)
    {
    }
    Machine& machine_;
};

} // namespace gemel::arch
