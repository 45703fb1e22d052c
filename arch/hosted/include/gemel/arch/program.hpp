// What a program's loader needs to know of the machine: the programs that are linked into this
// executable.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::arch {

// e_machine of programs' ELF files: none are loaded, they are linked in.
inline constexpr u16 elf_machine = 0;

// The entry of a program that is linked into this image, or 0. The table is generated
// (finish.cmake).
u64 linked_program(std::string_view name);

} // namespace gemel::arch
