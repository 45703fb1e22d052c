#include "servers/init/relocations.hpp"

#include <algorithm>

namespace gemel::init {

namespace {

using elf::DynamicEntry;
using elf::Relocation;

struct Table {
    u64 address = 0;
    u64 bytes = 0;
};

// What else a linker may leave to be done; a static program needs none of it.
constexpr u64 foreign_tags[] = { elf::tag_needed, elf::tag_linkage_bytes, elf::tag_rel,
    elf::tag_text_relocations, elf::tag_linkage, elf::tag_relr };

Result<Table> table_of(std::span<std::byte const> section)
{
    Table table;
    for (usize at = 0; sizeof(DynamicEntry) <= section.size() - at; at += sizeof(DynamicEntry)) {
        auto const [tag, value] = elf::read_at<DynamicEntry>(section, at);
        if (tag == elf::tag_end)
            return table;
        if (tag == elf::tag_relocations)
            table.address = value;
        if (tag == elf::tag_relocations_bytes)
            table.bytes = value;
        if (tag == elf::tag_relocation_bytes && value != sizeof(Relocation))
            return Error::syntax;
        if (std::ranges::find(foreign_tags, tag) != std::end(foreign_tags))
            return Error::unsupported;
    }
    return Error::syntax;
}

Result<std::span<std::byte const>> bytes_of(
    Table const& table, std::span<std::byte const> file, std::span<elf::Segment const> loaded)
{
    for (auto const& segment : loaded) {
        if (table.address >= segment.address && table.bytes <= segment.file_bytes
            && table.address - segment.address <= segment.file_bytes - table.bytes)
            return file.subspan(segment.offset + (table.address - segment.address), table.bytes);
    }
    return Error::syntax;
}

// Whether the word lies in the window, which may be changed.
bool holds(ProgramWindow const& window, u64 offset)
{
    return (window.access & static_cast<u16>(VmFlag::execute)) == 0
        && offset >= window.address + window.offset
        && offset + sizeof(u64) <= window.address + window.pages * page_bytes;
}

} // namespace

// Entries ascend and do not overlap, as linkers sort them: those of a window are one part of the
// table.
Result<void> assign_relocations(ProgramFile& program, std::span<std::byte const> file,
    std::span<elf::Segment const> loaded, elf::Segment const& dynamic, ProgramRules const& rules,
    std::optional<u32>& foreign_relocation)
{
    auto const table = TRY(table_of(file.subspan(dynamic.offset, dynamic.file_bytes)));
    if (table.bytes == 0)
        return {};
    if (table.bytes % sizeof(Relocation) != 0)
        return Error::syntax;
    auto const entries = TRY(bytes_of(table, file, loaded));
    auto window = program.windows.begin();
    u64 least = 0;
    for (usize at = 0; at != entries.size(); at += sizeof(Relocation)) {
        auto const entry = elf::read_at<Relocation>(entries, at);
        if (entry.type != rules.relative) {
            foreign_relocation = entry.type;
            return Error::unsupported;
        }
        if (entry.symbol != 0 || entry.offset < least || entry.offset >= program_bytes_max)
            return Error::syntax;
        least = entry.offset + sizeof(u64);
        while (
            window != program.windows.end() && entry.offset >= window->address + region_bytes_max)
            ++window;
        if (window == program.windows.end() || !holds(*window, entry.offset))
            return Error::syntax;
        auto& part = window->relocations;
        part = entries.subspan(part.empty() ? at : at - part.size(), part.size() + sizeof entry);
    }
    return {};
}

void fill_window(ProgramWindow const& window, std::span<std::byte> memory, u64 base)
{
    std::memcpy(memory.data() + window.offset, window.file.data(), window.file.size());
    for (usize at = 0; at != window.relocations.size(); at += sizeof(Relocation)) {
        auto const entry = elf::read_at<Relocation>(window.relocations, at);
        auto const value = base + entry.addend;
        std::memcpy(memory.data() + (entry.offset - window.address), &value, sizeof value);
    }
}

} // namespace gemel::init
