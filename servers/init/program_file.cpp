#include "servers/init/program_file.hpp"

#include "servers/init/relocations.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::init {

namespace {

constexpr std::string_view linked_mark = "#!gemel-linked ";
constexpr usize linked_bytes_max = 64;

using elf::Header;
using elf::Segment;

// The header, if the file is an executable for this machine with its segments' headers inside.
Result<Header> read_header(std::span<std::byte const> file, u16 machine)
{
    if (file.size() < sizeof(Header))
        return Error::syntax;
    auto const header = elf::read_at<Header>(file, 0);
    if (std::memcmp(header.identification, elf::identification, sizeof elf::identification) != 0
        || header.type != elf::type_position_independent || machine == 0
        || header.machine != machine || header.segment_bytes != sizeof(Segment))
        return Error::syntax;
    if (header.segment_count > segments_max)
        return Error::too_big;
    auto const table_bytes = u64 { header.segment_count } * sizeof(Segment);
    if (header.segments_offset > file.size() || table_bytes > file.size() - header.segments_offset)
        return Error::syntax;
    return header;
}

bool lies_in(std::span<std::byte const> file, Segment const& segment)
{
    return segment.offset <= file.size() && segment.file_bytes <= file.size() - segment.offset;
}

Result<void> check(Segment const& segment)
{
    if (segment.file_bytes > segment.memory_bytes)
        return Error::syntax;
    if (segment.memory_bytes > program_bytes_max)
        return Error::too_big;
    if (segment.address > program_bytes_max - segment.memory_bytes)
        return Error::syntax;
    if ((segment.flags & elf::segment_write) && (segment.flags & elf::segment_execute))
        return Error::syntax;
    return {};
}

u16 access_of(Segment const& segment)
{
    auto access = static_cast<u16>(VmFlag::read);
    if (segment.flags & elf::segment_write)
        access |= static_cast<u16>(VmFlag::write);
    if (segment.flags & elf::segment_execute)
        access |= static_cast<u16>(VmFlag::execute);
    return access;
}

// The part of a segment that lies in the window at `address`.
ProgramWindow window_of(Segment const& segment, std::span<std::byte const> file, u64 address)
{
    auto const segment_end = segment.address + segment.memory_bytes;
    auto const window_end = std::min(address + region_bytes_max, segment_end);
    auto const from = std::max(address, segment.address);
    auto const file_end = std::min(window_end, segment.address + segment.file_bytes);
    ProgramWindow window { .address = address,
        .pages = static_cast<u32>((window_end - address + page_bytes - 1) / page_bytes),
        .access = access_of(segment),
        .offset = static_cast<u32>(from - address),
        .file = {},
        .relocations = {} };
    if (file_end > from)
        window.file = file.subspan(segment.offset + (from - segment.address), file_end - from);
    return window;
}

// Two segments in one window contradict each other: a window has one access.
Result<void> add(ProgramFile& program, ProgramWindow window)
{
    for (auto const& other : program.windows) {
        if (other.address == window.address)
            return Error::syntax;
    }
    if (program.windows.size() * region_bytes_max >= program_bytes_max)
        return Error::too_big;
    program.windows.push_back(window);
    return {};
}

bool entry_is_code(ProgramFile const& program)
{
    return std::any_of(program.windows.begin(), program.windows.end(), [&](auto const& window) {
        return (window.access & static_cast<u16>(VmFlag::execute))
            && program.entry >= window.address + window.offset
            && program.entry < window.address + window.offset + window.file.size();
    });
}

// The windows of one segment.
Result<void> add_segment(
    ProgramFile& program, Segment const& segment, std::span<std::byte const> file)
{
    TRY(check(segment));
    auto const segment_end = segment.address + segment.memory_bytes;
    for (auto at = align_down(segment.address, u64 { region_bytes_max }); at < segment_end;
         at += region_bytes_max)
        TRY(add(program, window_of(segment, file, at)));
    return {};
}

Result<ProgramFile> read_elf(std::span<std::byte const> file, ProgramRules const& rules,
    std::optional<u32>& foreign_relocation)
{
    auto const header = TRY(read_header(file, rules.machine));
    ProgramFile program;
    program.entry = header.entry;
    std::vector<Segment> loaded;
    std::optional<Segment> dynamic;
    for (usize i = 0; i < header.segment_count; ++i) {
        auto const segment
            = elf::read_at<Segment>(file, header.segments_offset + i * sizeof(Segment));
        bool const load = segment.type == elf::segment_load && segment.memory_bytes != 0;
        if (!load && segment.type != elf::segment_dynamic)
            continue;
        if (!lies_in(file, segment) || (!load && dynamic))
            return Error::syntax;
        if (load) {
            TRY(add_segment(program, segment, file));
            loaded.push_back(segment);
        } else {
            dynamic = segment;
        }
    }
    if (!entry_is_code(program))
        return Error::syntax;
    std::sort(program.windows.begin(), program.windows.end(),
        [](auto const& a, auto const& b) { return a.address < b.address; });
    if (dynamic)
        TRY(assign_relocations(program, file, loaded, *dynamic, rules, foreign_relocation));
    return program;
}

} // namespace

Result<ProgramFile> read_program(std::span<std::byte const> file, ProgramRules const& rules,
    std::optional<u32>& foreign_relocation)
{
    std::string_view const text { reinterpret_cast<char const*>(file.data()),
        std::min(file.size(), linked_bytes_max) };
    if (!text.starts_with(linked_mark))
        return read_elf(file, rules, foreign_relocation);
    auto const line = text.substr(linked_mark.size());
    auto const newline = line.find('\n');
    if (newline == std::string_view::npos || newline == 0)
        return Error::syntax;
    ProgramFile program;
    program.linked = line.substr(0, newline);
    return program;
}

} // namespace gemel::init
