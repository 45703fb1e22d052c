// Loads init's ELF file (static position-independent, ELF64, little-endian; System V ABI, "Object
// Files") at a base by chance. Every other program is loaded by init itself. Each segment must lie
// in 2 MiB windows of its own, because a region is mapped at 2 MiB.
#include "core/kernel.hpp"

#include <gemel/arch/program.hpp>

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

struct ElfDynamic {
    u64 tag;
    u64 value;
};

struct ElfRelocation {
    u64 offset;
    u64 information;
    u64 addend;
};

constexpr u16 type_position_independent = 3;
constexpr u32 segment_load = 1;
constexpr u32 segment_dynamic = 2;
constexpr u32 segment_executable = 1;
constexpr u32 segment_writable = 2;
constexpr u16 segments_max = 16;
constexpr u64 program_bytes_max = 64 * region_bytes_max;
constexpr u64 tag_end = 0;
constexpr u64 tag_relocations = 7;
constexpr u64 tag_relocations_bytes = 8;
constexpr u64 word_bytes = sizeof(u64);

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

bool lies_in(std::span<u8 const> file, u64 offset, u64 bytes)
{
    return offset <= file.size() && bytes <= file.size() - offset;
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

// The file, and what of it is known once it was checked.
struct ElfImage {
    std::span<u8 const> file;
    ElfHeader header;
    u64 base = 0;
    std::span<u8 const> relocations;

    ElfSegment segment(u16 index) const
    {
        return read_at<ElfSegment>(
            file, header.program_offset + u64 { index } * header.program_bytes);
    }
    bool check_header();
    bool check_segments() const;
    bool find_relocations();
};

bool ElfImage::check_header()
{
    if (!header_fits(file))
        return false;
    header = read_at<ElfHeader>(file, 0);
    return header.type == type_position_independent && header.program_count <= segments_max
        && header.program_bytes >= sizeof(ElfSegment)
        && lies_in(
            file, header.program_offset, u64 { header.program_count } * header.program_bytes);
}

// Whether they lie in the file, and where the program may.
bool ElfImage::check_segments() const
{
    constexpr auto both = segment_writable | segment_executable;
    for (u16 i = 0; i < header.program_count; ++i) {
        auto const segment = this->segment(i);
        if (segment.type != segment_load && segment.type != segment_dynamic)
            continue;
        if (segment.file_bytes > segment.memory_bytes
            || !lies_in(file, segment.offset, segment.file_bytes)
            || segment.memory_bytes > program_bytes_max
            || segment.address > program_bytes_max - segment.memory_bytes
            || (segment.flags & both) == both)
            return false;
    }
    return true;
}

// The table that the dynamic section names, of which every entry adds the base.
bool ElfImage::find_relocations()
{
    u64 address = 0;
    u64 bytes = 0;
    for (u16 i = 0; i < header.program_count; ++i) {
        auto const segment = this->segment(i);
        auto const count
            = segment.type == segment_dynamic ? segment.file_bytes / sizeof(ElfDynamic) : 0;
        for (u64 n = 0; n < count; ++n) {
            auto const entry = read_at<ElfDynamic>(file, segment.offset + n * sizeof(ElfDynamic));
            if (entry.tag == tag_end)
                break;
            address = entry.tag == tag_relocations ? entry.value : address;
            bytes = entry.tag == tag_relocations_bytes ? entry.value : bytes;
        }
    }
    for (u16 i = 0; i < header.program_count && bytes != 0; ++i) {
        auto const segment = this->segment(i);
        if (segment.type == segment_load && address >= segment.address
            && bytes <= segment.file_bytes
            && address - segment.address <= segment.file_bytes - bytes)
            relocations = file.subspan(segment.offset + (address - segment.address), bytes);
    }
    for (u64 at = 0; at + sizeof(ElfRelocation) <= relocations.size();
         at += sizeof(ElfRelocation)) {
        auto const entry = read_at<ElfRelocation>(relocations, at);
        if (entry.information != arch::elf_relative.type || entry.offset % word_bytes != 0)
            return false;
    }
    return relocations.size() == bytes && bytes % sizeof(ElfRelocation) == 0;
}

// One window of a segment: fresh memory, filled from the file, mapped.
bool Kernel::load_window(Task& task, ElfImage const& image, u16 number, u64 window)
{
    auto const segment = image.segment(number);
    auto const begin = segment.address > window ? segment.address : window;
    auto const segment_end = segment.address + segment.memory_bytes;
    auto const window_end = window + region_bytes_max;
    auto const end = segment_end < window_end ? segment_end : window_end;
    auto const pages = static_cast<u32>((end - window + page_bytes - 1) / page_bytes);
    auto const place = image.base + window;
    auto const* entry = in_space(task, place) ? walk(task, place, Tables::found) : nullptr;
    if (!in_space(task, place) || (entry && *entry != 0) || !boot_has(task, pages))
        return false;
    u64 words[8] = {};
    auto* leaf = region_new(task, pages, words);
    auto const byte_at = [&](u64 at) {
        auto const physical = machine_.entry_target(leaf[(at - window) / page_bytes]);
        return static_cast<u8*>(machine_.at_physical(physical)) + at % page_bytes;
    };
    auto const file_end = segment.address + segment.file_bytes;
    for (auto at = begin; at < end && at < file_end; ++at)
        *byte_at(at) = image.file[segment.offset + (at - segment.address)];
    auto const entries = image.relocations;
    for (u64 at = 0; at < entries.size(); at += sizeof(ElfRelocation)) {
        auto const relocation = read_at<ElfRelocation>(entries, at);
        if (relocation.offset < begin || relocation.offset + word_bytes > end)
            continue;
        if (segment.flags & segment_executable)
            return false;
        *reinterpret_cast<u64*>(byte_at(relocation.offset)) = image.base + relocation.addend;
    }
    region_map(task, place, rows_[static_cast<u32>(words[2])], access_of(segment));
    return true;
}

// The base is somewhere in the first quarter of the task's addresses. What the kernel chooses comes
// after the program.
bool Kernel::load_elf(Task& task, std::span<u8 const> file, u64 chance, u64& entry)
{
    ElfImage image { .file = file, .header = {}, .relocations = {} };
    if (!image.check_header() || !image.check_segments() || !image.find_relocations())
        return false;
    auto const begin = machine_.user_begin(task.index);
    auto const places = (machine_.user_end(task.index) - begin) / 4 / region_bytes_max;
    image.base = begin + chance % places * region_bytes_max;
    for (u16 i = 0; i < image.header.program_count; ++i) {
        auto const segment = image.segment(i);
        if (segment.type != segment_load || segment.memory_bytes == 0)
            continue;
        auto const end = segment.address + segment.memory_bytes;
        for (auto window = align_down<u64>(segment.address, region_bytes_max); window < end;
             window += region_bytes_max)
            if (!load_window(task, image, i, window))
                return false;
    }
    task.next_address = image.base + program_bytes_max;
    entry = image.base + image.header.entry;
    return true;
}

} // namespace gemel
