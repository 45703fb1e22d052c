// How fast the time stamp counter and the APIC's timer run, against a clock of known rate: ACPI's
// power management timer, or the PC's interval timer where there is none.
#include "arch/x86_64/boot/setup.hpp"

namespace gemel::arch {

namespace {

constexpr u32 apic_timer_initial = 0x380;
constexpr u32 apic_timer_current = 0x390;
constexpr u64 fallback_ns_per_tsc = 1ull << 32; // neither clock runs: 1 GHz

struct Reference {
    u16 port = 0; // 0: the interval timer
    u32 hertz = 0;
    u32 mask = 0;

    // Counts upwards, modulo mask + 1.
    u32 read() const
    {
        if (port != 0)
            return in32(port) & mask;
        out8(0x43, 0x80); // latch channel 2
        u32 const low = in8(0x42);
        return ~(low | u32 { in8(0x42) } << 8) & mask;
    }
};

Reference reference_of(boot::AcpiFacts const& facts)
{
    if (facts.timer != 0)
        return { facts.timer, 3'579'545, 0xFF'FFFF };
    out8(0x61, (in8(0x61) & ~2) | 1); // gate open, speaker off
    out8(0x43, 0xB4); // channel 2, both bytes, rate generator
    out8(0x42, 0xFF);
    out8(0x42, 0xFF);
    return { 0, 1'193'182, 0xFFFF };
}

struct Sample {
    u64 tsc = 0;
    u32 reference = 0;
    u32 timer = 0;
};

} // namespace

void Setup::clock(boot::AcpiFacts const& facts)
{
    auto const reference = reference_of(facts);
    machine_.apic_write(apic_timer_initial, ~0u);
    // The tightest of a few tries: a virtual machine may lose the processor in between.
    auto const sample = [&] {
        Sample best;
        u64 least = ~0ull;
        for (u32 attempt = 0; attempt < 8; ++attempt) {
            auto const before = read_tsc();
            Sample const taken { before, reference.read(), machine_.apic_read(apic_timer_current) };
            auto const width = read_tsc() - before;
            if (width < least) {
                least = width;
                best = taken;
            }
        }
        return best;
    };
    constexpr u32 polls_max = 10'000'000;
    auto const wanted = reference.hertz / 100;
    auto const begin = sample();
    machine_.tsc_at_boot_ = begin.tsc;
    for (u32 poll = 0; poll < polls_max; ++poll) {
        if (((reference.read() - begin.reference) & reference.mask) >= wanted)
            break;
    }
    auto const end = sample();
    machine_.apic_write(apic_timer_initial, 0);
    auto const counted = (end.reference - begin.reference) & reference.mask;
    auto const passed_ns = u64 { counted } * 1'000'000'000 / reference.hertz;
    if (passed_ns == 0 || end.tsc == begin.tsc) {
        machine_.ns_per_tsc_ = fallback_ns_per_tsc;
        machine_.timer_per_ns_ = fallback_ns_per_tsc / 16;
        return;
    }
    machine_.ns_per_tsc_ = (passed_ns << 32) / (end.tsc - begin.tsc);
    machine_.timer_per_ns_ = (u64 { begin.timer - end.timer } << 32) / passed_ns;
}

void Setup::power(boot::AcpiFacts const& facts)
{
    constexpr u16 acpi_mode = 1;
    machine_.power_control_ = facts.power_control;
    machine_.power_off_value_ = facts.power_off_value;
    if (facts.power_control != 0 && facts.switch_on_port != 0
        && !(in16(facts.power_control) & acpi_mode))
        out8(facts.switch_on_port, facts.switch_on_value);
}

// COM1, 115200 baud, 8 bits, no parity, polled.
void Setup::serial()
{
    constexpr u16 com1 = 0x3F8;
    out8(com1 + 1, 0); // no interrupts
    out8(com1 + 3, 0x80); // divisor
    out8(com1 + 0, 1);
    out8(com1 + 1, 0);
    out8(com1 + 3, 0x03); // 8 bits, no parity
    out8(com1 + 2, 0xC7); // FIFOs on and empty
    out8(com1 + 4, 0x0B); // ready; interrupts may pass
}

} // namespace gemel::arch
