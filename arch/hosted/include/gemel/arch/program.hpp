// What a program's loader needs to know of the machine: the programs that are linked into this
// executable.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::arch {

// e_machine of programs' ELF files: none are loaded, they are linked in.
inline constexpr u16 elf_machine = 0;

// The relocation of a program's file that is applied.
struct Relative {
    u32 type;
    std::string_view name;
};
inline constexpr Relative elf_relative { 0, "none" };

// The entry of a program that is linked into this image, or 0. The table is generated
// (finish.cmake).
u64 linked_program(std::string_view name);

// Of a page fault's code, which is the processor's (Intel SDM volume 3, 4.7): it was a write.
inline bool fault_was_write(u64 code)
{
    return (code & 2) != 0;
}

} // namespace gemel::arch
