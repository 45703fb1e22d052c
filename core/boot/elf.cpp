// Loads init's ELF file (static, ELF64, little-endian; System V ABI, "Object Files"). Every other
// program is loaded by init itself. Each segment must lie in 2 MiB windows of its own, because a
// region is mapped at 2 MiB.
#include "core/kernel.hpp"

namespace gemel {

namespace {

struct ElfHeader {
    u8 identification[16];
    u16 type;
    u16 machine;
    u32 version;
    u64 entry;
    u64 program_offset;
    u64 section_offset;
    u32 flags;
    u16 header_bytes;
    u16 program_bytes;
    u16 program_count;
};

struct ElfSegment {
    u32 type;
    u32 flags;
    u64 offset;
    u64 address;
    u64 physical;
    u64 file_bytes;
    u64 memory_bytes;
    u64 alignment;
};

constexpr u32 segment_load = 1;
constexpr u32 segment_executable = 1;
constexpr u32 segment_writable = 2;
constexpr u16 segments_max = 16;

template <typename T>
T read_at(std::span<u8 const> file, u64 offset)
{
    T value;
    auto* to = reinterpret_cast<u8*>(&value);
    for (usize i = 0; i < sizeof value; ++i)
        to[i] = file[offset + i];
    return value;
}

bool header_fits(std::span<u8 const> file)
{
    return file.size() >= sizeof(ElfHeader) && file[0] == 0x7F && file[1] == 'E' && file[2] == 'L'
        && file[3] == 'F' && file[4] == 2 && file[5] == 1;
}

u16 access_of(ElfSegment const& segment)
{
    auto flags = static_cast<u16>(VmFlag::read);
    if (segment.flags & segment_executable)
        flags |= static_cast<u16>(VmFlag::execute);
    if (segment.flags & segment_writable)
        flags |= static_cast<u16>(VmFlag::write);
    return flags;
}

} // namespace

// One window of a segment: fresh memory, filled from the file, mapped.
bool Kernel::load_window(Task& task, std::span<u8 const> file, u64 segment_at, u64 window)
{
    auto const segment = read_at<ElfSegment>(file, segment_at);
    auto const begin = segment.address > window ? segment.address : window;
    auto const segment_end = segment.address + segment.memory_bytes;
    auto const window_end = window + region_bytes_max;
    auto const end = segment_end < window_end ? segment_end : window_end;
    auto const pages = static_cast<u32>((end - window + page_bytes - 1) / page_bytes);
    auto const* entry = in_space(task, window) ? walk(task, window, Tables::found) : nullptr;
    if (!in_space(task, window) || (entry && *entry != 0) || !boot_has(task, pages))
        return false;
    u64 words[8] = {};
    auto* leaf = region_new(task, pages, words);
    auto const file_end = segment.address + segment.file_bytes;
    for (auto at = begin; at < end && at < file_end; ++at) {
        auto const physical = machine_.entry_target(leaf[(at - window) / page_bytes]);
        static_cast<u8*>(machine_.at_physical(physical))[at % page_bytes]
            = file[segment.offset + (at - segment.address)];
    }
    // What the kernel chooses comes after the program: the bundle needs consecutive addresses.
    if (task.next_address < window + region_bytes_max)
        task.next_address = window + region_bytes_max;
    region_map(task, window, rows_[static_cast<u32>(words[2])], access_of(segment));
    return true;
}

bool Kernel::load_elf(Task& task, std::span<u8 const> file, u64& entry)
{
    if (!header_fits(file))
        return false;
    auto const header = read_at<ElfHeader>(file, 0);
    if (header.program_count > segments_max || header.program_bytes < sizeof(ElfSegment)
        || header.program_offset > file.size()
        || u64 { header.program_count } * header.program_bytes
            > file.size() - header.program_offset)
        return false;
    for (u16 i = 0; i < header.program_count; ++i) {
        auto const at = header.program_offset + u64 { i } * header.program_bytes;
        auto const segment = read_at<ElfSegment>(file, at);
        if (segment.type != segment_load || segment.memory_bytes == 0)
            continue;
        if (segment.file_bytes > segment.memory_bytes || segment.offset > file.size()
            || segment.file_bytes > file.size() - segment.offset
            || segment.memory_bytes > 64 * region_bytes_max
            || (segment.flags & (segment_writable | segment_executable))
                == (segment_writable | segment_executable)
            || segment.address > machine_.user_end(task.index))
            return false;
        auto const end = segment.address + segment.memory_bytes;
        for (auto window = align_down<u64>(segment.address, region_bytes_max); window < end;
             window += region_bytes_max)
            if (!load_window(task, file, at, window))
                return false;
    }
    entry = header.entry;
    return true;
}

} // namespace gemel
