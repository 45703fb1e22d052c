// The processor's instructions that C++ has no words for.
#pragma once

#include "core/base/types.hpp"

namespace gemel::arch {

inline u8 in8(u16 port)
{
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u16 in16(u16 port)
{
    u16 value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u32 in32(u16 port)
{
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline void out8(u16 port, u8 value)
{
    asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
inline void out16(u16 port, u16 value)
{
    asm volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}
inline void out32(u16 port, u32 value)
{
    asm volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

// What the processor takes for an address, of any word: with bit 47 in all those above it. Anything
// else in a segment's base would be an exception in the kernel (Intel SDM volume 1, 3.3.7.1).
constexpr u64 canonical(u64 address)
{
    return static_cast<u64>(static_cast<long>(address << 16) >> 16);
}
static_assert(canonical(0x1234'7FFF'FFFF'FFFF) == 0x7FFF'FFFF'FFFF
    && canonical(0x8000'0000'0000) == 0xFFFF'8000'0000'0000);

// Model specific registers.
enum class Msr : u32 {
    apic_base = 0x1B,
    x2apic = 0x800,
    efer = 0xC000'0080,
    star = 0xC000'0081,
    lstar = 0xC000'0082,
    fmask = 0xC000'0084,
    fs_base = 0xC000'0100,
    gs_base = 0xC000'0101,
};

inline u64 read_msr(u32 number)
{
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return u64 { high } << 32 | low;
}
inline void write_msr(u32 number, u64 value)
{
    asm volatile(
        "wrmsr" ::"c"(number), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
        : "memory");
}
inline u64 read_msr(Msr msr)
{
    return read_msr(static_cast<u32>(msr));
}
inline void write_msr(Msr msr, u64 value)
{
    write_msr(static_cast<u32>(msr), value);
}

inline u64 read_tsc()
{
    u64 low, high; // their upper halves are cleared
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}

inline u64 read_cr2()
{
    u64 value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}
inline u64 read_cr3()
{
    u64 value;
    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
inline void write_cr3(u64 value)
{
    asm volatile("mov %0, %%cr3" ::"r"(value) : "memory");
}

// Forgets every translation, the kernel's own too.
inline void flush_global()
{
    constexpr u64 global_pages = 1 << 7;
    u64 value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    asm volatile("mov %0, %%cr4\n mov %1, %%cr4" ::"r"(value & ~global_pages), "r"(value)
                 : "memory");
}

// value * factor / 2^32, without losing the upper half of the product.
inline u64 scale(u64 value, u64 factor)
{
    u64 low, high;
    asm("mul %3\n shrd $32, %1, %0" : "=a"(low), "=d"(high) : "0"(value), "r"(factor) : "cc");
    return low;
}

} // namespace gemel::arch
