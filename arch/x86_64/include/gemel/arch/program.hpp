// What a program's loader and start need to know of the machine.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::arch {

// e_machine of programs' ELF files.
inline constexpr u16 elf_machine = 62;

// The relocation of a program's file that is applied: the base and an addend.
struct Relative {
    u32 type;
    std::string_view name;
};
inline constexpr Relative elf_relative { 8, "R_X86_64_RELATIVE" };

// The entry of a program that is linked into this image, or 0. Natively every program is a file.
inline u64 linked_program(std::string_view)
{
    return 0;
}

// ELF TLS variant II: the storage ends at the thread pointer.
inline constexpr bool thread_local_above_pointer = false;

// Of a page fault's code (Intel SDM volume 3, 4.7): the access was a write.
inline bool fault_was_write(u64 code)
{
    return (code & 2) != 0;
}

} // namespace gemel::arch
