// What of a position-independent program depends on its base: words that the base is added to
// (System V ABI, "Relocation"). Nothing else is applied, and nothing that is executed is changed.
#pragma once

#include "servers/init/elf_format.hpp"
#include "servers/init/program_file.hpp"

namespace gemel::init {

// Gives each window of `program` its part of the table that the dynamic section names. `loaded` are
// the segments that the windows were made of. Errors and `foreign_relocation` as read_program's.
Result<void> assign_relocations(ProgramFile& program, std::span<std::byte const> file,
    std::span<elf::Segment const> loaded, elf::Segment const& dynamic, ProgramRules const& rules,
    std::optional<u32>& foreign_relocation);

} // namespace gemel::init
