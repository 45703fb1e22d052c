// What a program's loader and start need to know of the machine.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::arch {

// e_machine of programs' ELF files.
inline constexpr u16 elf_machine = 183;

// The relocation of a program's file that is applied: the base and an addend.
struct Relative {
    u32 type;
    std::string_view name;
};
inline constexpr Relative elf_relative { 1027, "R_AARCH64_RELATIVE" };

// The entry of a program that is linked into this image, or 0. Natively every program is a file.
inline u64 linked_program(std::string_view)
{
    return 0;
}

// ELF TLS variant I: the storage begins above the thread pointer.
inline constexpr bool thread_local_above_pointer = true;

// Of a page fault's code, the syndrome (Arm ARM, ESR_EL1): a data abort whose access was a write.
inline bool fault_was_write(u64 code)
{
    constexpr u64 data_abort = 0x24;
    return code >> 26 == data_abort && (code >> 6 & 1) != 0;
}

} // namespace gemel::arch
