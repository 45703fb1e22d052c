// One block of a directory: its chain of entries, checked as a whole before anything is read.
#pragma once

#include "servers/ext4/block_map.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace gemel::ext4 {

// An entry as it lies in a chain. `inode` 0: a free place.
struct RawEntry {
    u32 inode;
    u32 bytes; // to the next entry
    FileType type; // unknown without the filetype feature
    std::string_view name; // points into the chain
};

inline constexpr usize entry_head_bytes = 8;

inline FileType entry_type(u8 code)
{
    constexpr std::array types { FileType::unknown, FileType::regular, FileType::directory,
        FileType::character_device, FileType::block_device, FileType::fifo, FileType::socket,
        FileType::symbolic_link };
    return code < types.size() ? types[code] : FileType::unknown;
}

// 16 bits hold the length of a 64 KiB block only by a detour.
inline u32 entry_length(Superblock const& super, u16 stored)
{
    if (super.block_bytes < 65536)
        return stored;
    if (stored == 0xFFFF || stored == 0)
        return super.block_bytes;
    return (stored & 0xFFFCu) | (stored & 3u) << 16;
}

// The entry at `offset` of a chain that check_entries has accepted, where an entry must start. A
// search takes a hundred of them, so it is short.
inline RawEntry entry_at(Superblock const& super, Bytes chain, usize offset)
{
    bool const typed = super.has(Incompatible::filetype);
    auto const name_bytes
        = std::min<usize>(load8(chain, offset + 6), chain.size() - offset - entry_head_bytes);
    auto const name = chain.subspan(offset + entry_head_bytes, name_bytes);
    return { load32(chain, offset), entry_length(super, load16(chain, offset + 4)),
        typed ? entry_type(load8(chain, offset + 7)) : FileType::unknown,
        { reinterpret_cast<char const*>(name.data()), name.size() } };
}

// Accepts `chain` when its entries follow each other exactly to its end, with possible names and
// inode numbers. `where` goes into the message.
Result<void> check_entries(Disk& disk, Inode const& directory, Bytes chain, std::string_view where);

// Whether names are found through a hash tree, whose root is then block 0.
bool is_indexed(Superblock const& super, Inode const& directory);

// The directory's block `file_block`, verified; inner blocks of the hash tree come as one free
// place. Null for a hole.
Result<BlockRef> load_directory_block(Disk& disk, Inode const& directory, u64 file_block);
// A block with names (none of the hash tree's own) for changes; to be sealed. A hole is damage.
Result<std::span<u8>> change_directory_block(Disk& disk, Inode const& directory, u64 file_block);
// A free block that becomes one, with one free place in it.
std::span<u8> create_directory_block(Disk& disk, Inode const& directory, u64 block);
void seal_directory_block(Superblock const& super, Inode const& directory, std::span<u8> bytes);
// The part of a block that holds the chain of entries.
usize chain_bytes(Superblock const& super);

} // namespace gemel::ext4
