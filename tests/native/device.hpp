// A device that asks whenever it is told to: the serial line that every machine of QEMU's has.
#pragma once

#include "tests/native/raw.hpp"

namespace gemel {

class Device {
public:
    explicit Device(Startup const& startup)
        : ports_(raw::capability(startup, "broker-pio"))
    {
        if (startup.device_tree != 0)
            map(raw::capability(startup, "broker-phys"));
        else if (startup.acpi_rsdp != 0)
            line_ = com1_line;
    }

    // 0: there is none (the hosted machine's devices are models, which have tests of their own).
    u64 line() const { return line_; }
    // Its transmitter is empty, and it may say so.
    void ask()
    {
        quiet();
        if (registers_)
            registers_[pl011_mask / 4] = pl011_transmits;
        else
            write_port(transmitter_empty);
    }
    void quiet()
    {
        if (registers_)
            registers_[pl011_mask / 4] = 0;
        else
            write_port(0);
    }

private:
    static constexpr u64 com1_line = 4;
    static constexpr u64 com1_enable = 0x3F9;
    static constexpr u64 transmitter_empty = 2;
    static constexpr u64 pl011_address = 0x0900'0000; // QEMU virt
    static constexpr u64 pl011_line = 33;
    static constexpr u64 pl011_mask = 0x38;
    static constexpr u32 pl011_transmits = 1 << 5;

    void map(u64 broker)
    {
        raw::Registers window {};
        window.words[2] = pl011_address / page_bytes;
        window.words[3] = 1;
        window.words[4] = static_cast<u64>(PhysFlag::write) | static_cast<u64>(PhysFlag::uncached);
        if (raw::operate(window, broker, Operation::region_physical) != status_ok)
            return;
        raw::Registers mapped {};
        mapped.words[1] = window.words[2];
        mapped.words[2] = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::write)
            | static_cast<u64>(VmFlag::region);
        if (raw::call(mapped, Call::vm_allocate) != status_ok)
            return;
        registers_ = reinterpret_cast<u32 volatile*>(mapped.words[2]);
        line_ = pl011_line;
    }
    void write_port(u64 value)
    {
        raw::Registers words {};
        words.words[2] = com1_enable;
        words.words[3] = 1;
        words.words[4] = value;
        raw::operate(words, ports_, Operation::pio_write);
    }

    u64 ports_;
    u64 line_ = 0;
    u32 volatile* registers_ = nullptr;
};

} // namespace gemel
