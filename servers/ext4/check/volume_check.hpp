// What the passes of the check know of the volume and tell each other.
#pragma once

#include "servers/ext4/check/check.hpp"
#include "servers/ext4/inode.hpp"
#include "servers/ext4/sentence.hpp"
#include "servers/ext4/superblock.hpp"

#include <map>
#include <string>
#include <vector>

namespace gemel::ext4::check {

class Bitset {
public:
    explicit Bitset(u64 bits)
        : words_(bits / 64 + 1)
    {
    }
    bool test(u64 bit) const { return (words_[bit / 64] >> bit % 64 & 1) != 0; }
    // Returns whether it was set already.
    bool set(u64 bit)
    {
        auto& word = words_[bit / 64];
        auto const mask = 1ull << bit % 64;
        bool const before = (word & mask) != 0;
        word |= mask;
        return before;
    }
    // Eight bits from `bit` on.
    u8 byte(u64 bit) const
    {
        auto const shift = bit % 64;
        auto value = words_[bit / 64] >> shift;
        if (shift > 56 && bit / 64 + 1 < words_.size())
            value |= words_[bit / 64 + 1] << (64 - shift);
        return static_cast<u8>(value);
    }

private:
    std::vector<u64> words_;
};

struct Group {
    u64 block_bitmap;
    u64 inode_bitmap;
    u64 inode_table;
    u32 free_blocks;
    u32 free_inodes;
    u32 directories;
    u32 unused_inodes; // at the table's end, never initialised
    u16 flags;
    u32 block_bitmap_checksum;
    u32 inode_bitmap_checksum;
    u64 place = 0; // of the descriptor, in bytes of the device
    bool usable = true; // its places lie inside the volume
};

inline constexpr u16 group_inodes_uninitialised = 0x1;
inline constexpr u16 group_blocks_uninitialised = 0x2;

// What is kept of an inode in use.
struct Facts {
    u32 number;
    u32 links; // as it says itself
    u32 names = 0; // as directories say
    u32 parent = 0; // of a directory: who names it
    u32 dot_dot = 0; // of a directory: whom it names
    u64 dot_dot_place = 0; // and where on the device it does
    u8 type_code; // as directory entries have it
    bool reached = false;
    bool directory;
    bool orphan = false;
};

// One inode while its pass looks at it.
struct RawInode {
    u32 number;
    Bytes bytes; // all of it
    u16 mode;
    u32 flags;
    u64 size;
    u32 seed; // of the checksums of what belongs to it

    bool has(InodeFlag flag) const { return (flags & static_cast<u32>(flag)) != 0; }
    u16 kind() const { return mode & 0xF000; }
    Bytes map() const { return bytes.subspan(0x28, inode_map_bytes); }
};

inline constexpr u16 kind_directory = 0x4000;
inline constexpr u16 kind_regular = 0x8000;
inline constexpr u16 kind_link = 0xA000;

// A stretch of a file's blocks.
struct Piece {
    u64 first; // of the file
    u64 blocks;
    u64 disk_block;
    bool written;
};

struct Directory {
    u32 number;
    u32 seed;
    u64 size;
    bool indexed;
    std::vector<Piece> pieces;
    std::vector<u8> inline_bytes; // map and system.data, if that is where its entries are
    bool is_inline = false;

    // Of one of its blocks, the block on the disk.
    u64 place_of(u64 block) const
    {
        for (auto const& piece : pieces) {
            if (block - piece.first < piece.blocks)
                return piece.disk_block + (block - piece.first);
        }
        return 0;
    }
};

struct AttributeBlock {
    u32 users_stated;
    u32 users = 0;
    u64 value_blocks = 0; // that each user counts as its own
};

// An entry of an attribute whose value is an inode, and such an inode.
struct ValueUse {
    u32 inode; // of the value
    u32 bytes;
    u32 hash;
    std::string name;
    u32 owner;
    u32 owner_generation;
};
struct ValueInode {
    u64 bytes;
    u64 references_stated;
    u32 hash_stated;
    u32 hash;
    u32 modified;
    u32 generation;
    u64 references = 0;
    bool old_kind = false;
};

struct VolumeCheck {
    VolumeCheck(BlockReader& device, std::vector<Finding>& findings, Superblock volume)
        : device(device)
        , findings(findings)
        , super(std::move(volume))
        , claimed(super.blocks)
        , metadata(super.blocks)
        , inodes_used(super.inodes + 1)
        , is_orphan(super.inodes + 1)
    {
    }

    template <typename... Parts>
    void problem(Parts const&... parts)
    {
        keep({ sentence(parts...) });
    }
    // A problem that can be put right.
    template <typename... Parts>
    void repairable(Remedy remedy, std::vector<Patch> patches, Parts const&... parts)
    {
        keep({ sentence(parts...), remedy, std::move(patches) });
    }
    void keep(Finding finding)
    {
        ++summary.problems;
        if (findings.size() < Examination::findings_max)
            findings.push_back(std::move(finding));
    }
    // Where a block of the volume begins, and an inode of a usable group.
    u64 place_of_block(u64 block) const { return block * super.block_bytes; }
    u64 place_of_inode(u32 number) const
    {
        auto const group = (number - 1) / super.inodes_per_group;
        auto const index = (number - 1) % super.inodes_per_group;
        return place_of_block(groups[group].inode_table)
            + static_cast<u64>(index) * super.inode_bytes;
    }
    bool sums() const { return super.has(ReadOnlyCompatible::metadata_csum); }
    // Fills `target` with whole blocks.
    Result<void> read(u64 block, std::span<u8> target)
    {
        return device.read(block * super.block_bytes, target);
    }
    // Marks a block as in use by the inode (0: the volume itself); a problem when it cannot be.
    bool claim(u64 block, u32 inode)
    {
        if (!super.holds_block(block)) {
            problem("inode ", inode, ": block ", block, " lies outside the volume");
            return false;
        }
        ++summary.blocks_used;
        if (inode == 0)
            metadata.set(block);
        if (!claimed.set(block))
            return true;
        --summary.blocks_used;
        problem("inode ", inode, ": block ", block, " is in use twice");
        return false;
    }
    void add_orphan(u32 inode)
    {
        ++summary.orphans;
        is_orphan.set(inode);
    }
    // Null when the inode is not in use.
    Facts* find(u32 number);

    BlockReader& device;
    std::vector<Finding>& findings;
    Superblock super;
    std::vector<u8> super_bytes;
    Totals totals = Totals::when_clean;
    CheckSummary summary;
    std::vector<Group> groups;
    Bitset claimed; // blocks
    Bitset metadata; // of them, those that are the volume's own
    Bitset inodes_used;
    std::vector<Facts> facts; // in order of number
    std::vector<Directory> directories;
    std::map<u64, AttributeBlock> attribute_blocks;
    std::vector<ValueUse> value_uses;
    std::map<u32, ValueInode> value_inodes;
    Bitset is_orphan; // inodes
};

// The passes. An error is the device's; what is wrong is a problem.
Result<void> check_groups(VolumeCheck& check);
Result<void> find_orphans(VolumeCheck& check);
Result<void> check_inodes(VolumeCheck& check);
Result<void> check_directories(VolumeCheck& check);
void check_connections(VolumeCheck& check);
Result<void> check_bitmaps(VolumeCheck& check);

// One inode's bytes by number, without a look at what they say.
Result<std::vector<u8>> read_inode_bytes(VolumeCheck& check, u32 number);

// The file's blocks, claimed, in `pieces`; `counted` gets the map's own blocks too. Problems end
// the walk of the branch they are in.
struct FileBlocks {
    std::vector<Piece> pieces;
    u64 counted = 0;
};
Result<FileBlocks> walk_extents(VolumeCheck& check, RawInode const& inode);
Result<FileBlocks> walk_pointers(VolumeCheck& check, RawInode const& inode);

// Attributes in the inode and in its block. Returns how many blocks they add to the inode's count.
Result<u64> check_attributes(VolumeCheck& check, RawInode const& inode);

// An inode that holds the value of an attribute, with its blocks.
Result<void> note_value(
    VolumeCheck& check, RawInode const& inode, std::vector<Piece> const& pieces);
// What the uses from that one on add to the count of blocks of who has them.
Result<u64> value_blocks_since(VolumeCheck& check, usize first_use);
// When all inodes were seen.
void check_values(VolumeCheck& check);

// What the names in one block of a directory hash to.
struct BlockHashes {
    bool any = false;
    u32 lowest = 0;
    u32 highest = 0;
};
// `bytes`: all blocks of the directory; `hashes`: of each of them, as far as it holds names.
void check_hash_tree(VolumeCheck& check, Directory const& directory, Bytes bytes,
    std::vector<BlockHashes> const& hashes);

} // namespace gemel::ext4::check
