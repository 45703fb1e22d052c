// A program's file: a static position-independent ELF64 executable for this machine (System V ABI,
// "Object Files"), or the one line "#!gemel-linked NAME" that names a program linked into the
// hosted executable. The file may come from anywhere, so nothing in it is believed.
#pragma once

#include "core/abi/call.hpp"
#include "core/base/result.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gemel::init {

inline constexpr usize segments_max = 16;
inline constexpr u64 program_bytes_max
    = 64 * region_bytes_max; // of memory and of addresses, all segments together

// What one 2 MiB window of the address space holds: at most region_bytes_max, from its start.
struct ProgramWindow {
    u64 address = 0; // from the program's base; multiple of region_bytes_max
    u32 pages = 0;
    u16 access = 0; // VmFlag read, write, execute; never write and execute
    // `file` is copied to `offset` bytes from the window's start; the rest is zero.
    u32 offset = 0;
    std::span<std::byte const> file;
    // Of the file, too: what of the window depends on the base. Never of one that is executed.
    std::span<std::byte const> relocations;
};

struct ProgramFile {
    std::string_view linked; // not empty: a linked program's name, and nothing else
    u64 entry = 0; // from the base
    std::vector<ProgramWindow> windows; // ascending, no two alike
};

// What a program's file must be made for.
struct ProgramRules {
    u16 machine = 0; // e_machine; 0: no ELF file is acceptable
    u32 relative = 0; // the type of relocation that is applied: the base is added to a word
};

// syntax: not a program for this machine, or its parts contradict each other; too_big; unsupported:
// something else must be done to it, which `foreign_relocation` has the type of, if it is that.
Result<ProgramFile> read_program(std::span<std::byte const> file, ProgramRules const& rules,
    std::optional<u32>& foreign_relocation);

// What the window holds, in a program whose base is `base`. `memory` is the window from its start:
// zeros, all its pages.
void fill_window(ProgramWindow const& window, std::span<std::byte> memory, u64 base);

} // namespace gemel::init
