// What of the machine is too long to be inline. Chapter numbers are those of the Intel SDM,
// volume 3.
#include <gemel/arch/machine.hpp>

namespace gemel::arch {

extern "C" void gemel_wait_for_interrupt(); // src/entry.S

namespace {

// Local APIC registers (11.4.1), as offsets of the memory window.
constexpr u32 apic_end_of_interrupt = 0xB0;
constexpr u32 apic_in_service = 0x100;
constexpr u32 apic_command = 0x300;
constexpr u32 apic_command_target = 0x310;
constexpr u32 apic_command_pending = 1 << 12;
constexpr u32 apic_timer_count = 0x380;

// I/O APIC redirection entry, lower word (82093AA data sheet, 3.2.4).
constexpr u32 redirection_first = 0x10;
constexpr u32 redirection_level = 1 << 15;
constexpr u32 redirection_masked = 1 << 16;

constexpr u16 com1 = 0x3F8;
constexpr u16 com1_line_status = com1 + 5;
constexpr u8 transmitter_empty = 0x20;
constexpr u32 transmitter_polls_max = 100'000;

constexpr u16 debug_exit_port = 0xF4; // QEMU's isa-debug-exit, when it is there

constexpr u64 msi_address = 0xFEE0'0000; // 11.11.1

} // namespace

[[gnu::noinline]] void Machine::save_slowly(Frame& frame, FpuState& fpu) noexcept
{
    asm volatile("fxsave64 %0" : "+m"(fpu));
    frame.fs_base_ = read_msr(Msr::fs_base);
    frame.gs_base_ = read_msr(Msr::gs_base);
}

[[gnu::noinline]] void Machine::load_slowly(Frame& frame, FpuState& fpu) noexcept
{
    asm volatile("fxrstor64 %0" ::"m"(fpu));
    write_msr(Msr::fs_base, frame.fs_base_);
    write_msr(Msr::gs_base, frame.gs_base_);
}

void Machine::leaf_emptied(void* leaf) noexcept
{
    for (auto* entry = static_cast<u64*>(leaf); entry != static_cast<u64*>(leaf) + 512; ++entry)
        *entry &= ~page::present;
    flush(0);
}

// Who is in user mode comes in and waits for the lock, as who is in the kernel does already: there
// each one flushes (lock_waits). Nobody can have entered since: we have the lock. An idle processor
// has no translations but the kernel's.
void Machine::flush(u64 root) noexcept
{
    write_cr3(read_cr3());
    if (machine.cpus_ == 1)
        return;
    auto const wanted = machine.flushes_ + 1;
    __atomic_store_n(&machine.flushes_, wanted, __ATOMIC_SEQ_CST);
    auto& own = own_state();
    own.flushed = wanted;
    u32 asked = 0;
    for (u32 number = 0; number < machine.cpus_; ++number) {
        auto const& other = gemel_task_states[number];
        if (&other == &own || (root == 0 ? other.root == 0 : other.root != root))
            continue;
        asked |= 1u << number;
        interrupt_cpu(number);
    }
    for (; asked != 0; asked &= asked - 1) {
        auto const& other = gemel_task_states[__builtin_ctz(asked)];
        while (__atomic_load_n(&other.flushed, __ATOMIC_ACQUIRE) != wanted)
            asm volatile("pause");
    }
}

void Machine::lock_waits() noexcept
{
    auto& own = own_state();
    auto const wanted = __atomic_load_n(&machine.flushes_, __ATOMIC_SEQ_CST);
    if (own.flushed != wanted) {
        write_cr3(read_cr3());
        __atomic_store_n(&own.flushed, wanted, __ATOMIC_RELEASE);
    }
    asm volatile("pause");
}

// Interrupt command (11.6.1): fixed delivery of the one vector there is. The local APIC of old
// takes a moment to send.
void Machine::interrupt_cpu(u32 number) noexcept
{
    auto const apic_id = machine.apic_ids_[number];
    if (machine.apic_ == nullptr) {
        write_msr(
            static_cast<u32>(Msr::x2apic) + apic_command / 16, u64 { apic_id } << 32 | call_vector);
        return;
    }
    machine.apic_[apic_command_target / sizeof(u32)] = apic_id << 24;
    machine.apic_[apic_command / sizeof(u32)] = call_vector;
    while (machine.apic_[apic_command / sizeof(u32)] & apic_command_pending)
        asm volatile("pause");
}

u32 Machine::apic_read(u32 offset) noexcept
{
    if (machine.apic_ == nullptr)
        return static_cast<u32>(read_msr(static_cast<u32>(Msr::x2apic) + offset / 16));
    return machine.apic_[offset / sizeof(u32)];
}

void Machine::apic_write(u32 offset, u32 value) noexcept
{
    if (machine.apic_ == nullptr)
        write_msr(static_cast<u32>(Msr::x2apic) + offset / 16, value);
    else
        machine.apic_[offset / sizeof(u32)] = value;
}

// One shot. A deadline beyond the counter's range comes early; the kernel then asks again.
void Machine::wake_at(u64 deadline_ns) noexcept
{
    u64 count = 0; // stops the timer
    if (deadline_ns != ~0ull) {
        auto const now = now_ns();
        count = scale(deadline_ns > now ? deadline_ns - now : 0, machine.timer_per_ns_) + 1;
        if (count > ~0u)
            count = ~0u;
    }
    apic_write(apic_timer_count, static_cast<u32>(count));
}

void Machine::wait_for_interrupt() noexcept
{
    gemel_wait_for_interrupt();
}

// Interrupts are off in the kernel, so at most one is in service.
u32 Machine::interrupt_taken() noexcept
{
    for (u32 vector = first_vector; vector < spurious_vector; vector += 32) {
        auto const bits = apic_read(apic_in_service + vector / 2);
        if (bits == 0)
            continue;
        auto const line = vector - first_vector + static_cast<u32>(__builtin_ctz(bits));
        // An edge that comes while its input is masked is lost: edge lines stay open.
        if (auto* const entry = redirection(line); entry != nullptr && *entry & redirection_level)
            *entry = *entry | redirection_masked;
        apic_write(apic_end_of_interrupt, 0);
        return line < lines_max ? line : interrupt_lines_max; // a processor's call is no line
    }
    return interrupt_lines_max;
}

void Machine::interrupt_unmask(u32 line) noexcept
{
    if (auto* const entry = redirection(line))
        *entry = *entry & ~redirection_masked;
}

u32 volatile* Machine::redirection(u32 line) noexcept
{
    if (line == tick_line || line >= machine.io_lines_)
        return nullptr;
    auto const* io_apic = machine.io_apics_;
    for (u32 index = 1; index < machine.io_apic_count_; ++index) {
        if (machine.io_apics_[index].first_line <= line)
            io_apic = &machine.io_apics_[index];
    }
    io_apic->window[0] = redirection_first + 2 * (line - io_apic->first_line);
    return &io_apic->window[4];
}

MsiTarget Machine::msi_target(u32 first) noexcept
{
    auto const line = first < machine.io_lines_ ? machine.io_lines_ : first;
    if (line >= lines_max)
        return {};
    return { msi_address | machine.apic_ids_[0] << 12, first_vector + line, line };
}

void Machine::console_write(char character) noexcept
{
    if (character == '\n')
        console_write('\r');
    for (u32 poll = 0; poll < transmitter_polls_max; ++poll) {
        if (in8(com1_line_status) & transmitter_empty)
            break;
    }
    out8(com1, static_cast<u8>(character));
}

// RDRAND may fail for a moment; the time stamp is what is left where it is not.
u64 Machine::entropy() noexcept
{
    u64 value = read_tsc() * 0x9E37'79B9'7F4A'7C15;
    if (machine.rdrand_) {
        u64 drawn;
        asm volatile("rdrand %0" : "=r"(drawn)::"cc");
        value ^= drawn;
    }
    return value;
}

void Machine::print(char const* text) noexcept
{
    while (*text != 0)
        console_write(*text++);
}

void Machine::power_off(u8 status) noexcept
{
    print("\ngemel: power off, status ");
    for (u32 unit = 100; unit != 0; unit /= 10)
        if (status >= unit || unit == 1)
            console_write(static_cast<char>('0' + status / unit % 10));
    console_write('\n');
    out32(debug_exit_port, status);
    if (machine.power_control_ != 0)
        out16(machine.power_control_, machine.power_off_value_);
    for (;;)
        asm volatile("cli; hlt");
}

u32 Machine::pio_read(u32 port, u32 bytes) noexcept
{
    auto const number = static_cast<u16>(port);
    return bytes == 1 ? in8(number) : bytes == 2 ? in16(number) : in32(number);
}

void Machine::pio_write(u32 port, u32 bytes, u32 value) noexcept
{
    auto const number = static_cast<u16>(port);
    if (bytes == 1)
        out8(number, static_cast<u8>(value));
    else if (bytes == 2)
        out16(number, static_cast<u16>(value));
    else
        out32(number, value);
}

void Machine::will_idle() noexcept
{
    activate(physical_of(machine.kernel_root_));
    own_state().root = 0;
}

} // namespace gemel::arch
