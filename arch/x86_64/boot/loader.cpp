// PVH: Xen's "x86/HVM direct boot ABI". Multiboot2: specification version 2.0, 3.6.
#include "arch/x86_64/boot/loader.hpp"

namespace gemel::arch::boot {

namespace {

constexpr u32 pvh_magic = 0x336E'C578;
constexpr u32 pvh_version_with_map = 1;
constexpr u32 memory_usable = 1; // the same number in both

// The PVH structures may lie at any address: packed.
struct [[gnu::packed]] PvhInfo {
    u32 magic;
    u32 version;
    u32 flags;
    u32 module_count;
    u64 modules;
    u64 command_line;
    u64 rsdp;
    u64 memory_map;
    u32 memory_map_count;
    u32 reserved;
};

struct [[gnu::packed]] PvhModule {
    u64 address;
    u64 bytes;
    u64 command_line;
    u64 reserved;
};

struct [[gnu::packed]] PvhMemory {
    u64 address;
    u64 bytes;
    u32 type;
    u32 reserved;
};

struct MultibootInfo {
    u32 bytes;
    u32 reserved;
};

enum class TagType : u32 {
    end = 0,
    command_line = 1,
    module = 3,
    memory_map = 6,
    acpi_old = 14,
    acpi_new = 15,
};

struct MultibootTag {
    u32 type;
    u32 bytes;
};

struct MultibootModule {
    MultibootTag tag;
    u32 begin;
    u32 end;
};

struct MultibootMemoryMap {
    MultibootTag tag;
    u32 entry_bytes;
    u32 entry_version;
};

struct MultibootMemory {
    u64 address;
    u64 bytes;
    u32 type;
    u32 reserved;
};

void copy_command_line(Physical const& memory, u64 from, Loaded& loaded)
{
    for (u32 index = 0; index + 1 < command_line_bytes_max; ++index) {
        auto const* const character = memory.at<char>(from + index);
        if (character == nullptr || *character == 0)
            return;
        loaded.command_line[index] = *character;
    }
}

void read_memory_map(Physical const& memory, u64 tag_address, Loaded& loaded)
{
    auto const* const map = memory.at<MultibootMemoryMap>(tag_address);
    if (map == nullptr || map->entry_bytes < sizeof(MultibootMemory))
        return;
    auto const end = tag_address + map->tag.bytes;
    for (auto next = tag_address + sizeof(*map); next + map->entry_bytes <= end;
         next += map->entry_bytes) {
        auto const* const entry = memory.at<MultibootMemory>(next);
        if (entry != nullptr && entry->type == memory_usable)
            loaded.memory.add(entry->address, entry->address + entry->bytes);
    }
}

void read_tag(Physical const& memory, u64 address, MultibootTag const& tag, Loaded& loaded)
{
    switch (static_cast<TagType>(tag.type)) {
    case TagType::command_line:
        copy_command_line(memory, address + sizeof(tag), loaded);
        return;
    case TagType::module:
        if (auto const* const module = memory.at<MultibootModule>(address)) {
            loaded.bundle = module->begin;
            loaded.bundle_bytes = module->end - module->begin;
        }
        return;
    case TagType::memory_map:
        read_memory_map(memory, address, loaded);
        return;
    case TagType::acpi_old: // the new one comes later in the list and wins
    case TagType::acpi_new:
        loaded.acpi_rsdp = address + sizeof(tag);
        return;
    case TagType::end:
        return;
    }
}

} // namespace

bool read_pvh(Physical const& memory, u64 info, Loaded& loaded)
{
    auto const* const start = memory.at<PvhInfo>(info);
    if (start == nullptr || start->magic != pvh_magic || start->version < pvh_version_with_map)
        return false;
    for (u32 index = 0; index < start->memory_map_count; ++index) {
        auto const* const entry
            = memory.at<PvhMemory>(start->memory_map + index * sizeof(PvhMemory));
        if (entry != nullptr && entry->type == memory_usable)
            loaded.memory.add(entry->address, entry->address + entry->bytes);
    }
    auto const* const module = memory.at<PvhModule>(start->modules);
    if (start->module_count != 0 && module != nullptr) {
        loaded.bundle = module->address;
        loaded.bundle_bytes = module->bytes;
    }
    loaded.acpi_rsdp = start->rsdp;
    if (start->command_line != 0)
        copy_command_line(memory, start->command_line, loaded);
    return true;
}

bool read_multiboot2(Physical const& memory, u64 info, Loaded& loaded)
{
    auto const* const head = memory.at<MultibootInfo>(info);
    if (head == nullptr)
        return false;
    auto const end = info + head->bytes;
    for (auto next = info + sizeof(*head); next < end;) {
        auto const* const tag = memory.at<MultibootTag>(next);
        if (tag == nullptr || tag->bytes < sizeof(*tag) || tag->bytes > end - next)
            return false;
        if (tag->type == static_cast<u32>(TagType::end))
            return true;
        read_tag(memory, next, *tag, loaded);
        next = align_up<u64>(next + tag->bytes, 8);
    }
    return false;
}

} // namespace gemel::arch::boot
