// What the processor has: protection, FPU state, thread pointers, random numbers.
#include "arch/x86_64/boot/setup.hpp"

#include <cpuid.h>

namespace gemel::arch {

namespace {

// CR4 (Intel SDM volume 3, 2.5).
constexpr u64 cr4_fxsave = 1 << 9;
constexpr u64 cr4_simd_exceptions = 1 << 10;
constexpr u64 cr4_umip = 1 << 11;
constexpr u64 cr4_fsgsbase = 1 << 16;
constexpr u64 cr4_xsave = 1 << 18;
constexpr u64 cr4_smep = 1 << 20;
constexpr u64 cr4_smap = 1 << 21;

constexpr u32 x87_sse_avx = 7;

struct Identification {
    u32 eax = 0;
    u32 ebx = 0;
    u32 ecx = 0;
    u32 edx = 0;
};

Identification identify(u32 leaf)
{
    Identification found;
    __get_cpuid_count(leaf, 0, &found.eax, &found.ebx, &found.ecx, &found.edx);
    return found;
}

void add_cr4(u64 bits)
{
    u64 value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    asm volatile("mov %0, %%cr4" ::"r"(value | bits));
}

} // namespace

u64 Setup::features_of_memory(u32 ebx, u32 ecx)
{
    u64 bits = 0;
    if (ebx & 1 << 7)
        bits |= cr4_smep;
    if (ebx & 1 << 20)
        bits |= cr4_smap;
    if (ecx & 1 << 2)
        bits |= cr4_umip;
    return bits;
}

// The kernel uses XSAVE and FSGSBASE together or neither: one question at each switch.
void Setup::features_of_thread(u32 ebx, u32 ecx)
{
    add_cr4(cr4_fxsave | cr4_simd_exceptions);
    constexpr u32 has_fsgsbase = 1 << 0;
    constexpr u32 has_xsave = 1 << 26;
    if (ebx & has_fsgsbase)
        add_cr4(cr4_fsgsbase); // programs look for it in CPUID
    if (!(ebx & has_fsgsbase) || !(ecx & has_xsave))
        return;
    add_cr4(cr4_xsave);
    machine_.fpu_components_ = identify(0xD).eax & x87_sse_avx;
    asm volatile("xsetbv" ::"c"(0), "a"(machine_.fpu_components_), "d"(0));
}

void Setup::features()
{
    auto const basic = identify(1);
    auto const extended = identify(7);
    constexpr u32 has_x2apic = 1 << 21;
    constexpr u32 has_rdrand = 1 << 30;
    x2apic_ = (basic.ecx & has_x2apic) != 0;
    machine_.rdrand_ = (basic.ecx & has_rdrand) != 0;
    add_cr4(features_of_memory(extended.ebx, extended.ecx));
    features_of_thread(extended.ebx, basic.ecx);
}

// As Machine::entropy(), which is resident and compiled into its one caller.
u64 Setup::chance() const
{
    u64 value = __builtin_ia32_rdtsc() * 0x9E37'79B9'7F4A'7C15;
    if (machine_.rdrand_) {
        u64 drawn;
        asm volatile("rdrand %0" : "=r"(drawn)::"cc");
        value ^= drawn;
    }
    return value;
}

} // namespace gemel::arch
