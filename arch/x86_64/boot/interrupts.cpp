// The local APIC and the I/O APICs; the old controllers are silenced. Intel SDM volume 3, chapter
// 11; 82093AA data sheet.
#include "arch/x86_64/boot/setup.hpp"

namespace gemel::arch {

namespace {

constexpr u32 apic_id = 0x20;
constexpr u32 apic_task_priority = 0x80;
constexpr u32 apic_spurious = 0xF0;
constexpr u32 apic_timer = 0x320;
constexpr u32 apic_performance = 0x340;
constexpr u32 apic_line0 = 0x350;
constexpr u32 apic_error = 0x370;
constexpr u32 apic_timer_divider = 0x3E0;
constexpr u32 software_enabled = 1 << 8;
constexpr u32 masked = 1 << 16;
constexpr u32 divide_by_16 = 3;
constexpr u64 globally_enabled = 1 << 11;
constexpr u64 x2apic_enabled = 1 << 10;

constexpr u32 io_apic_version = 1;
constexpr u32 redirection_first = 0x10;
constexpr u32 active_low = 1 << 13;
constexpr u32 level = 1 << 15;

void silence_old_controllers()
{
    out8(0x21, 0xFF);
    out8(0xA1, 0xFF);
}

// ISA's lines as the tables say; the others are PCI's: level, active low.
u32 wiring(u32 line, boot::AcpiFacts const& facts)
{
    for (auto const& isa : facts.isa) {
        if (isa.line == line)
            return (isa.low ? active_low : 0) | (isa.level ? level : 0);
    }
    return active_low | level;
}

} // namespace

void Setup::io_apic(u32 index, boot::AcpiFacts const& facts)
{
    auto const& found = facts.io_apics[index];
    auto* const window = reinterpret_cast<u32 volatile*>(device_window(1 + index, found.address));
    machine_.io_apics_[index] = { window, found.first_line };
    window[0] = io_apic_version;
    auto const inputs = (window[4] >> 16 & 0xFF) + 1;
    for (u32 input = 0; input < inputs; ++input) {
        auto const line = found.first_line + input;
        if (line >= lines_max)
            return;
        window[0] = redirection_first + 2 * input;
        window[4] = masked | wiring(line, facts) | (first_vector + line);
        window[0] = redirection_first + 2 * input + 1;
        window[4] = machine_.apic_ids_[0] << 24;
        if (machine_.io_lines_ <= line)
            machine_.io_lines_ = line + 1;
    }
}

void Setup::interrupts(boot::AcpiFacts const& facts)
{
    silence_old_controllers();
    local_interrupts(0);
    for (u32 index = 0; index < facts.io_apic_count; ++index)
        io_apic(index, facts);
}

void Setup::local_interrupts(u32 cpu)
{
    auto const base = read_msr(Msr::apic_base);
    write_msr(Msr::apic_base, base | globally_enabled | (x2apic_ ? x2apic_enabled : 0));
    if (!x2apic_)
        machine_.apic_ = reinterpret_cast<u32 volatile*>(device_window(0, 0));
    auto const id = machine_.apic_read(apic_id);
    machine_.apic_ids_[cpu] = x2apic_ ? id : id >> 24;
    machine_.apic_write(apic_task_priority, 0);
    machine_.apic_write(apic_line0, masked);
    machine_.apic_write(apic_error, masked);
    machine_.apic_write(apic_performance, masked);
    machine_.apic_write(apic_timer_divider, divide_by_16);
    machine_.apic_write(apic_timer, first_vector + tick_line);
    machine_.apic_write(apic_spurious, software_enabled | spurious_vector);
}

} // namespace gemel::arch
