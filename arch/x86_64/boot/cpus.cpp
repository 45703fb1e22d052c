// The other processors. Intel SDM volume 3, 9.4.4 (INIT, then twice STARTUP) and 11.6.1 (the
// interrupt command).
#include "arch/x86_64/boot/setup.hpp"
#include "arch/x86_64/src/state.hpp"
#include "core/base/assert.hpp"

extern "C" {
extern gemel::u8 gemel_cpu_begin[], gemel_cpu_end[];
extern gemel::u64 gemel_cpu_stack, gemel_cpu_root;
void gemel_boot_cpu();
}

namespace gemel::arch {

namespace {

constexpr u64 start_page = 0x8000;
constexpr usize start_bytes_max = 128; // of the code copied to start_page

constexpr u32 apic_command = 0x300;
constexpr u32 apic_command_target = 0x310;
constexpr u32 pending = 1 << 12;
constexpr u32 init = 0x4500; // asserted, edge
constexpr u32 startup = 0x4600 | start_page / page_bytes;

constexpr u64 init_ns = 10'000'000;
constexpr u64 startup_ns = 200'000;
constexpr u64 answer_ns = 100'000'000;

// The processor that starts now; it answers by clearing `starting`.
constinit Setup* starter = nullptr;
constinit u32 starting = 0;
constexpr u32 given_up = ~u32 { 0 };

[[noreturn]] void park()
{
    for (;;)
        asm volatile("cli; hlt");
}

bool starts_with(char const* text, char const* start)
{
    while (*start != 0)
        if (*text++ != *start++)
            return false;
    return true;
}

// `cpus=N` of the command line: at most so many processors.
u32 cpus_wanted(char const* line)
{
    constexpr char key[] = "cpus=";
    for (; *line != 0; ++line) {
        if (!starts_with(line, key))
            continue;
        u32 value = 0;
        for (line += sizeof key - 1; *line >= '0' && *line <= '9' && value < cpus_max; ++line)
            value = value * 10 + static_cast<u32>(*line - '0');
        return value == 0 ? 1 : value < cpus_max ? value : cpus_max;
    }
    return cpus_max;
}

} // namespace

void Setup::wait(u64 nanoseconds)
{
    for (auto const end = machine_.now_ns() + nanoseconds; machine_.now_ns() < end;)
        asm volatile("pause");
}

void Setup::command(u32 apic_id, u32 command)
{
    if (x2apic_)
        return write_msr(
            static_cast<u32>(Msr::x2apic) + apic_command / 16, u64 { apic_id } << 32 | command);
    machine_.apic_write(apic_command_target, apic_id << 24);
    machine_.apic_write(apic_command, command);
    while (machine_.apic_read(apic_command) & pending)
        asm volatile("pause");
}

bool Setup::start_cpu(u32 cpu, u32 apic_id)
{
    gemel_cpu_stack = kernel_stack(cpu);
    __atomic_store_n(&starting, cpu, __ATOMIC_SEQ_CST);
    command(apic_id, init);
    wait(init_ns);
    for (u32 attempt = 0; attempt < 2; ++attempt) {
        command(apic_id, startup);
        wait(startup_ns);
    }
    auto const end = machine_.now_ns() + answer_ns;
    while (__atomic_load_n(&starting, __ATOMIC_SEQ_CST) != 0) {
        auto expected = cpu;
        if (machine_.now_ns() >= end
            && __atomic_compare_exchange_n(
                &starting, &expected, given_up, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            command(apic_id, init); // and so it stays
            return false;
        }
        asm volatile("pause");
    }
    return true;
}

// One after the other: they share the stack's and the number's words. One that does not answer in
// time, as under an emulator whose host is busy, is left out, and with it those behind it.
void Setup::start_cpus(boot::AcpiFacts const& facts, char const* command_line)
{
    auto const wanted = cpus_wanted(command_line);
    starter = this;
    gemel_cpu_root = machine_.physical_of(machine_.kernel_root_);
    // The boot loader may have put the bundle there: what the page held is put back.
    auto* const place = machine_.at_physical(start_page);
    auto const bytes = static_cast<usize>(gemel_cpu_end - gemel_cpu_begin);
    u8 kept[start_bytes_max];
    ASSERT(bytes <= sizeof kept);
    __builtin_memcpy(kept, place, bytes);
    __builtin_memcpy(place, gemel_cpu_begin, bytes);
    for (u32 index = 0; index < facts.cpu_count && machine_.cpus_ < wanted; ++index) {
        if (facts.cpus[index] == machine_.apic_ids_[0])
            continue;
        if (!start_cpu(machine_.cpus_, facts.cpus[index]))
            break;
        ++machine_.cpus_;
    }
    __builtin_memcpy(place, kept, bytes);
}

} // namespace gemel::arch

// On the new processor, in boot code; what follows is resident (start.S).
void gemel_boot_cpu()
{
    using namespace gemel;
    using namespace gemel::arch;
    auto cpu = __atomic_load_n(&starting, __ATOMIC_SEQ_CST);
    if (cpu == given_up)
        park();
    starter->descriptors(cpu);
    starter->features();
    starter->local_interrupts(cpu);
    // Too late, and the kernel does not count with this one: it must not come.
    if (!__atomic_compare_exchange_n(&starting, &cpu, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        park();
}
