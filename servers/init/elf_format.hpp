// The parts of ELF64 that a program's file is read by (System V ABI, "Object Files" and "Program
// Loading and Dynamic Linking"), little-endian.
#pragma once

#include "core/base/types.hpp"

#include <cstddef>
#include <cstring>
#include <span>

namespace gemel::init::elf {

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

struct DynamicEntry {
    u64 tag;
    u64 value;
};
static_assert(sizeof(DynamicEntry) == 16);

struct Relocation {
    u64 offset;
    u32 type;
    u32 symbol;
    u64 addend;
};
static_assert(sizeof(Relocation) == 24);

inline constexpr u8 identification[]
    = { 0x7F, 'E', 'L', 'F', 2, 1, 1 }; // 64 bits, little-endian, version 1
inline constexpr u16 type_position_independent = 3; // ET_DYN

inline constexpr u32 segment_load = 1;
inline constexpr u32 segment_dynamic = 2;
inline constexpr u32 segment_execute = 1;
inline constexpr u32 segment_write = 2;

// Tags of the dynamic section.
inline constexpr u64 tag_end = 0;
inline constexpr u64 tag_needed = 1;
inline constexpr u64 tag_linkage_bytes = 2;
inline constexpr u64 tag_relocations = 7;
inline constexpr u64 tag_relocations_bytes = 8;
inline constexpr u64 tag_relocation_bytes = 9;
inline constexpr u64 tag_rel = 17;
inline constexpr u64 tag_text_relocations = 22;
inline constexpr u64 tag_linkage = 23;
inline constexpr u64 tag_relr = 36;

// `offset` was checked.
template <typename T>
T read_at(std::span<std::byte const> file, usize offset)
{
    T value;
    std::memcpy(&value, file.data() + offset, sizeof value);
    return value;
}

} // namespace gemel::init::elf
