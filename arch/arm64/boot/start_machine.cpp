// Machine::start: the counter, the interrupt controller and the sources of entropy, once.
#include "arch/arm64/boot/platform.hpp"
#include "arch/arm64/src/registers.hpp"

namespace gemel::arch {

namespace {

constexpr u64 second_ns = 1'000'000'000;
constexpr u32 timer_bit = 1u << 27;

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
    random_instruction_ = (READ_REGISTER(id_aa64isar0_el1) >> 60) != 0;
    entropy_ = platform.seed;
}

void Machine::start_clock() noexcept
{
    auto const frequency = READ_REGISTER(cntfrq_el0);
    nanoseconds_per_tick_ = ratio_32_32(second_ns, frequency);
    ticks_per_nanosecond_ = ratio_32_32(frequency, second_ns);
    counter_start_ = READ_REGISTER(cntvct_el0);
    WRITE_REGISTER(cntv_cval_el0, ~0ull);
    WRITE_REGISTER(cntv_ctl_el0, 1);
    private_lines_[gic::enable / 4] = timer_bit;
}

void Machine::start_gic_v2(Platform const& platform) noexcept
{
    distributor_ = window(platform.gic.distributor);
    private_lines_ = distributor_;
    cpu_interface_ = window(platform.gic.second);
    distributor_[gic::control / 4] = 0;
    auto const lines = lines_of(distributor_);
    quieten(distributor_, 0, lines, 0);
    auto const own = distributor_[gic::target / 4] & 0xFF; // line 0's target: this processor
    for (u32 line = gic::private_lines; line < lines; line += 4)
        distributor_[gic::target / 4 + line / 4] = own * 0x0101'0101;
    distributor_[gic::control / 4] = 1;
    cpu_interface_[gic::priority_mask / 4] = 0xFF;
    cpu_interface_[gic::interface_control / 4] = 1;
}

void Machine::start_gic_v3(Platform const& platform) noexcept
{
    constexpr u32 affinity_routing = 1 << 4;
    constexpr u32 group_1 = 1 << 1;
    constexpr u32 waker = 0x14 / 4;
    constexpr u32 sleep = 1 << 1;
    constexpr u32 asleep = 1 << 2;
    constexpr u32 private_frame = (64 << 10) / 4;
    distributor_ = window(platform.gic.distributor);
    distributor_[gic::control / 4] = affinity_routing;
    auto const lines = lines_of(distributor_);
    quieten(distributor_, gic::private_lines, lines - gic::private_lines, ~0u);
    for (u32 line = gic::private_lines; line < lines; ++line) {
        distributor_[gic::route / 4 + line * 2] = static_cast<u32>(affinity());
        distributor_[gic::route / 4 + line * 2 + 1] = static_cast<u32>(affinity() >> 32);
    }
    distributor_[gic::control / 4] = affinity_routing | group_1;

    auto* const redistributor = redistributor_of(platform.gic);
    redistributor[waker] = redistributor[waker] & ~sleep;
    while (redistributor[waker] & asleep) { }
    private_lines_ = redistributor + private_frame;
    quieten(private_lines_, 0, gic::private_lines, ~0u);

    WRITE_REGISTER(ICC_SRE_EL1, 7);
    asm volatile("isb");
    WRITE_REGISTER(ICC_PMR_EL1, 0xFF);
    WRITE_REGISTER(ICC_BPR1_EL1, 0);
    WRITE_REGISTER(ICC_IGRPEN1_EL1, 1);
    asm volatile("isb");
}

} // namespace gemel::arch
