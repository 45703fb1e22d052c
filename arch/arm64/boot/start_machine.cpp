// Machine::start: the counter, the interrupt controller and the sources of entropy, once.
#include "arch/arm64/boot/claim.hpp"
#include "arch/arm64/boot/platform.hpp"
#include "arch/arm64/src/registers.hpp"

namespace gemel::arch {

namespace {

constexpr u64 second_ns = 1'000'000'000;
constexpr u32 timer_bit = 1u << 27;
constexpr u32 call_bit = 1u << 1; // another processor's call (src/machine.cpp)

constinit StartClaim claim; // of the processor that starts now: one after the other

u32 volatile* window(u64 physical)
{
    return reinterpret_cast<u32 volatile*>(direct_map | physical);
}

u64 ratio_32_32(u64 dividend, u64 divisor)
{
    return (dividend / divisor << 32) + ((dividend % divisor) << 32) / divisor;
}

u32 lines_of(u32 volatile const* distributor)
{
    return ((distributor[1] & 31) + 1) * 32; // GICD_TYPER.ITLinesNumber
}

// Lines 0..31 of one block: off, group 1, middle priority.
void quieten(u32 volatile* block, u32 first, u32 lines, u32 groups)
{
    for (auto line = first; line < first + lines; line += 32) {
        block[gic::disable / 4 + line / 32] = ~0u;
        block[gic::group / 4 + line / 32] = groups;
    }
    for (auto line = first; line < first + lines; line += 4)
        block[gic::priority / 4 + line / 4] = 0xA0A0'A0A0;
}

u64 affinity()
{
    auto const id = READ_REGISTER(mpidr_el1);
    return (id & 0xFF'FFFF) | (id >> 32 & 0xFF) << 32;
}

// This processor's redistributor: frames of 128 KiB (256 KiB with virtual interrupts).
u32 volatile* redistributor_of(Gic const& gic)
{
    constexpr u32 type_low = 2; // GICR_TYPER
    constexpr u32 type_high = 3;
    constexpr u32 last = 1 << 4;
    constexpr u32 virtual_lines = 1 << 1;
    auto const own = affinity();
    auto const packed = static_cast<u32>((own & 0xFF'FFFF) | own >> 32 << 24);
    for (u64 at = gic.second; at < gic.second + gic.second_bytes;) {
        auto* const frame = window(at);
        if (frame[type_high] == packed || (frame[type_low] & last))
            return frame;
        at += frame[type_low] & virtual_lines ? 256 << 10 : 128 << 10;
    }
    return window(gic.second);
}

} // namespace

void Machine::start(Platform const& platform) noexcept
{
    uart_ = window(platform.uart);
    conduit_ = platform.conduit;
    if (platform.gic.version == 3)
        start_gic_v3(platform);
    else
        start_gic_v2(platform);
    start_clock();
    empty_root_ = READ_REGISTER(ttbr0_el1);
    start_processor(platform, 0);
    random_instruction_ = (READ_REGISTER(id_aa64isar0_el1) >> 60) != 0;
    entropy_ = platform.seed;
}

void Machine::start_clock() noexcept
{
    auto const frequency = READ_REGISTER(cntfrq_el0);
    nanoseconds_per_tick_ = ratio_32_32(second_ns, frequency);
    ticks_per_nanosecond_ = ratio_32_32(frequency, second_ns);
    counter_start_ = READ_REGISTER(cntvct_el0);
}

void Machine::start_processor(Platform const& platform, u32 number) noexcept
{
    auto& own = processor();
    own.number = number;
    affinities_[number] = static_cast<u32>(affinity() & 0xFF'FFFF);
    if (platform.gic.version == 3) {
        start_private_v3(platform);
    } else {
        own.private_lines = distributor_;
        quieten(distributor_, 0, gic::private_lines, 0);
        cpu_interface_[gic::priority_mask / 4] = 0xFF;
        cpu_interface_[gic::interface_control / 4] = 1;
    }
    WRITE_REGISTER(cntv_cval_el0, ~0ull);
    WRITE_REGISTER(cntv_ctl_el0, 1);
    own.private_lines[gic::enable / 4] = timer_bit | call_bit;
}

// PSCI (Arm DEN 0022, 5.2.1).
u64 Machine::call_firmware(u64 function, u64 first, u64 second, u64 third) noexcept
{
    register u64 x0 asm("x0") = function;
    register u64 x1 asm("x1") = first;
    register u64 x2 asm("x2") = second;
    register u64 x3 asm("x3") = third;
    if (conduit_ == Conduit::hvc)
        asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    else
        asm volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    return x0;
}

// CPU_ON (5.1.4): it comes at `entry` with its number.
bool Machine::start_other(u64 other, u64 entry, u32 number) noexcept
{
    constexpr u64 turn_on = 0xC400'0003;
    claim.begin(number);
    if (call_firmware(turn_on, other, entry, number) != 0)
        return false;
    auto const end = now_ns() + second_ns;
    while (!claim.is_answered())
        if (now_ns() >= end && claim.give_up(number))
            return false;
    return true;
}

// One that does not answer in time, as under an emulator whose host is busy, is left out, and with
// it those behind it.
bool Machine::start_others(Platform const& platform, u64 entry) noexcept
{
    auto const wanted = processors_wanted(platform.command_line);
    auto const own = affinity();
    if (conduit_ == Conduit::none)
        return true;
    for (u32 i = 0; i < platform.processor_count && cpus_ < wanted; ++i) {
        if (platform.processors[i] == own)
            continue;
        if (!start_other(platform.processors[i], entry, cpus_))
            return !claim.is_given_up();
        ++cpus_;
    }
    return true;
}

// CPU_OFF (5.1.3) comes back only where it is refused.
void Machine::join(Platform const& platform, u32 number) noexcept
{
    constexpr u64 turn_off = 0x8400'0002;
    if (!claim.is_given_up()) {
        start_processor(platform, number);
        if (claim.answer(number))
            return;
    }
    call_firmware(turn_off);
    for (;;)
        asm volatile("wfi");
}

void Machine::start_gic_v2(Platform const& platform) noexcept
{
    distributor_ = window(platform.gic.distributor);
    cpu_interface_ = window(platform.gic.second);
    distributor_[gic::control / 4] = 0;
    auto const lines = lines_of(distributor_);
    quieten(distributor_, 0, lines, 0);
    auto const own = distributor_[gic::target / 4] & 0xFF; // line 0's target: this processor
    for (u32 line = gic::private_lines; line < lines; line += 4)
        distributor_[gic::target / 4 + line / 4] = own * 0x0101'0101;
    distributor_[gic::control / 4] = 1;
}

void Machine::start_gic_v3(Platform const& platform) noexcept
{
    constexpr u32 affinity_routing = 1 << 4;
    constexpr u32 group_1 = 1 << 1;
    distributor_ = window(platform.gic.distributor);
    distributor_[gic::control / 4] = affinity_routing;
    auto const lines = lines_of(distributor_);
    quieten(distributor_, gic::private_lines, lines - gic::private_lines, ~0u);
    for (u32 line = gic::private_lines; line < lines; ++line) {
        distributor_[gic::route / 4 + line * 2] = static_cast<u32>(affinity());
        distributor_[gic::route / 4 + line * 2 + 1] = static_cast<u32>(affinity() >> 32);
    }
    distributor_[gic::control / 4] = affinity_routing | group_1;
}

void Machine::start_private_v3(Platform const& platform) noexcept
{
    constexpr u32 waker = 0x14 / 4;
    constexpr u32 sleep = 1 << 1;
    constexpr u32 asleep = 1 << 2;
    constexpr u32 private_frame = (64 << 10) / 4;
    auto* const redistributor = redistributor_of(platform.gic);
    redistributor[waker] = redistributor[waker] & ~sleep;
    while (redistributor[waker] & asleep) { }
    auto* const lines = redistributor + private_frame;
    processor().private_lines = lines;
    quieten(lines, 0, gic::private_lines, ~0u);

    WRITE_REGISTER(ICC_SRE_EL1, 7);
    asm volatile("isb");
    WRITE_REGISTER(ICC_PMR_EL1, 0xFF);
    WRITE_REGISTER(ICC_BPR1_EL1, 0);
    WRITE_REGISTER(ICC_IGRPEN1_EL1, 1);
    asm volatile("isb");
}

} // namespace gemel::arch
