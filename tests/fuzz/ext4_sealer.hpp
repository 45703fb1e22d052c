// What of an image is metadata, structure by structure, and the checksums that cover it: made to
// fit after a change, they let damage through to the code behind them.
#pragma once

#include "servers/ext4/index_block.hpp"
#include "tests/ext4/host.hpp"

namespace gemel::ext4::test {

class Sealer {
public:
    // Of an image that is sound.
    explicit Sealer(std::vector<u8> const& image);

    // A byte of some structure; every kind of structure is as likely as any other.
    usize any_byte(std::mt19937_64& random) const;
    // A changed copy of that image: what covers the byte fits again.
    void seal(std::span<u8> image, usize offset) const;
    // Room of directories that no entry uses becomes zeros, as the kernel leaves it.
    void wipe_unused_entries(std::span<u8> image) const;
    // Whether every checksum of the image fits.
    bool fits(std::vector<u8> const& image) const;

    enum class Kind : u8 {
        superblock,
        group,
        block_bitmap,
        inode_bitmap,
        inode,
        extent_node,
        directory_block,
        index_root,
        index_node,
        attributes,
        orphan_block,
    };
    static constexpr usize kinds = 11;

private:
    struct Structure {
        Kind kind;
        usize offset;
        usize bytes;
        usize owner; // of blocks: in inodes_; else the group or the number of the inode
    };

    void add(Kind kind, u64 offset, usize bytes, usize owner);
    void add_groups(Disk& disk);
    void add_inode(Disk& disk, u32 number);
    void add_map(Disk& disk, Inode const& inode, u64 block, u16 depth);
    void add_contents(Disk& disk, Inode const& inode);
    void seal(std::span<u8> image, Structure const& structure) const;
    void seal_bitmap(std::span<u8> image, Structure const& structure) const;
    void seal_group(std::span<u8> image, usize group) const;

    Superblock super_;
    std::vector<Inode> inodes_;
    std::vector<std::vector<Structure>> structures_; // by kind
    std::vector<Structure const*> groups_;
};

} // namespace gemel::ext4::test
