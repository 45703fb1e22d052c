// What a program's loader and start need to know of the machine.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::arch {

// e_machine of programs' ELF files.
inline constexpr u16 elf_machine = 183;

// The entry of a program that is linked into this image, or 0. Natively every program is a file.
inline u64 linked_program(std::string_view)
{
    return 0;
}

// ELF TLS variant I: the storage begins above the thread pointer.
inline constexpr bool thread_local_above_pointer = true;

} // namespace gemel::arch
