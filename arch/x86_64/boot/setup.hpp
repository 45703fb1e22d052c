// Boot code that fills in the machine, in the order main.cpp calls it. All of it is in .init: its
// memory is given back once the first thread is chosen.
#pragma once

#include "arch/x86_64/boot/acpi.hpp"
#include "arch/x86_64/boot/memory_map.hpp"

#include <gemel/arch/machine.hpp>

extern "C" gemel::u8 gemel_kernel_stacks[]; // src/entry.S

namespace gemel::arch {

class Setup {
public:
    explicit Setup(Machine& machine)
        : machine_(machine)
    {
    }

    void serial();
    // Address spaces. False: no memory for the tables.
    bool paging(
        boot::MemoryMap& free, std::span<MemoryRange const> ram, boot::AcpiFacts const& facts);
    void traps(); // the one table of all processors
    void descriptors(u32 cpu); // segments, traps and system calls
    void features(); // what this processor has beyond the first 64-bit ones
    u64 chance() const; // random bits; after features()
    void interrupts(boot::AcpiFacts const& facts);
    void local_interrupts(u32 cpu);
    void clock(boot::AcpiFacts const& facts); // takes 10 ms
    void power(boot::AcpiFacts const& facts);
    // The other processors, which then wait for the kernel's lock.
    void start_cpus(boot::AcpiFacts const& facts, char const* command_line);
    u32 cpus() const { return machine_.cpus_; }

private:
    bool start_cpu(u32 cpu, u32 apic_id);
    void command(u32 apic_id, u32 command);
    void wait(u64 nanoseconds);
    u64 features_of_memory(u32 ebx, u32 ecx);
    void features_of_thread(u32 ebx, u32 ecx);
    void io_apic(u32 index, boot::AcpiFacts const& facts);

    Machine& machine_;
    bool x2apic_ = false;
};

// Where a processor's stack in the kernel begins, which grows downwards.
inline u64 kernel_stack(u32 cpu)
{
    constexpr u64 stack_bytes = 16384;
    return reinterpret_cast<u64>(gemel_kernel_stacks) + (cpu + 1) * stack_bytes;
}

// The window of the interrupt controller: 0 the local APIC, 1.. the I/O APICs.
inline u64 device_window(u32 index, u64 physical)
{
    return device_windows + index * page_bytes + physical % page_bytes;
}

} // namespace gemel::arch
