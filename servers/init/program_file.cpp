#include "servers/init/program_file.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::init {

namespace {

struct Header {
    u8 identification[16];
    u16 type;
    u16 machine;
    u32 version;
    u64 entry;
    u64 segments_offset;
    u64 sections_offset;
    u32 flags;
    u16 header_bytes;
    u16 segment_bytes;
    u16 segment_count;
    u16 section_bytes;
    u16 section_count;
    u16 names_section;
};
static_assert(sizeof(Header) == 64);

struct Segment {
    u32 type;
    u32 flags;
    u64 offset;
    u64 address;
    u64 physical;
    u64 file_bytes;
    u64 memory_bytes;
    u64 alignment;
};
static_assert(sizeof(Segment) == 56);

constexpr u8 identification[]
    = { 0x7F, 'E', 'L', 'F', 2, 1, 1 }; // 64 bits, little-endian, version 1
constexpr u16 type_executable = 2;
constexpr u32 segment_load = 1;
constexpr u32 segment_execute = 1;
constexpr u32 segment_write = 2;
constexpr std::string_view linked_mark = "#!gemel-linked ";
constexpr usize linked_bytes_max = 64;

template <typename T>
T read_at(std::span<std::byte const> file, usize offset)
{
    T value;
    std::memcpy(&value, file.data() + offset, sizeof value);
    return value;
}

// The header, if the file is an executable for this machine with its segments' headers inside.
Result<Header> read_header(std::span<std::byte const> file, u16 machine)
{
    if (file.size() < sizeof(Header))
        return Error::syntax;
    auto const header = read_at<Header>(file, 0);
    if (std::memcmp(header.identification, identification, sizeof identification) != 0
        || header.type != type_executable || machine == 0 || header.machine != machine
        || header.segment_bytes != sizeof(Segment))
        return Error::syntax;
    if (header.segment_count > segments_max)
        return Error::too_big;
    auto const table_bytes = u64 { header.segment_count } * sizeof(Segment);
    if (header.segments_offset > file.size() || table_bytes > file.size() - header.segments_offset)
        return Error::syntax;
    return header;
}

Result<void> check(Segment const& segment, usize file_bytes, ProgramRules const& rules)
{
    if (segment.file_bytes > segment.memory_bytes || segment.offset > file_bytes
        || segment.file_bytes > file_bytes - segment.offset)
        return Error::syntax;
    if (segment.memory_bytes > program_bytes_max)
        return Error::too_big;
    if (segment.address < rules.begin || segment.address >= rules.end
        || segment.memory_bytes > rules.end - segment.address)
        return Error::syntax;
    if ((segment.flags & segment_write) && (segment.flags & segment_execute))
        return Error::syntax;
    return {};
}

u16 access_of(Segment const& segment)
{
    auto access = static_cast<u16>(VmFlag::read);
    if (segment.flags & segment_write)
        access |= static_cast<u16>(VmFlag::write);
    if (segment.flags & segment_execute)
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
        .file = {} };
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

Result<ProgramFile> read_elf(std::span<std::byte const> file, ProgramRules const& rules)
{
    auto const header = TRY(read_header(file, rules.machine));
    ProgramFile program;
    program.entry = header.entry;
    for (usize i = 0; i < header.segment_count; ++i) {
        auto const segment = read_at<Segment>(file, header.segments_offset + i * sizeof(Segment));
        if (segment.type != segment_load || segment.memory_bytes == 0)
            continue;
        TRY(check(segment, file.size(), rules));
        auto const segment_end = segment.address + segment.memory_bytes;
        for (auto at = align_down(segment.address, u64 { region_bytes_max }); at < segment_end;
             at += region_bytes_max)
            TRY(add(program, window_of(segment, file, at)));
    }
    if (!entry_is_code(program))
        return Error::syntax;
    std::sort(program.windows.begin(), program.windows.end(),
        [](auto const& a, auto const& b) { return a.address < b.address; });
    return program;
}

} // namespace

Result<ProgramFile> read_program(std::span<std::byte const> file, ProgramRules const& rules)
{
    std::string_view const text { reinterpret_cast<char const*>(file.data()),
        std::min(file.size(), linked_bytes_max) };
    if (!text.starts_with(linked_mark))
        return read_elf(file, rules);
    auto const line = text.substr(linked_mark.size());
    auto const newline = line.find('\n');
    if (newline == std::string_view::npos || newline == 0)
        return Error::syntax;
    ProgramFile program;
    program.linked = line.substr(0, newline);
    return program;
}

} // namespace gemel::init
