// The device as the rest of the reader sees it: blocks inside the volume only, metadata cached and
// verified once, and damage told to the error sink.
#pragma once

#include "servers/ext4/block_cache.hpp"
#include "servers/ext4/block_reader.hpp"
#include "servers/ext4/error_sink.hpp"
#include "servers/ext4/sentence.hpp"
#include "servers/ext4/superblock.hpp"

namespace gemel::ext4 {

// What a metadata block is read as. A cached block is verified again when it is read as something
// else, so a block that two damaged structures share is never trusted for the wrong reason.
struct Purpose {
    enum class Kind : u8 {
        group_descriptors = 1,
        inode_table,
        extent_node,
        block_pointers,
        directory_block,
        directory_root,
        directory_node,
    };

    Kind kind;
    u8 depth = 0; // of an extent node
    u32 inode = 0; // whose block it is; 0: the volume's own

    u64 word() const
    {
        return static_cast<u64>(kind) << 40 | static_cast<u64>(depth) << 32 | inode;
    }
};

class Disk {
public:
    static constexpr usize cache_bytes_max = 4 << 20;

    // Borrows both; they outlive it.
    Disk(BlockReader& device, ErrorSink& errors, Superblock super);

    Superblock const& super() const { return super_; }

    // The block through the cache; `verify(Bytes) -> Result<void>` sees it when it was not yet
    // verified for this purpose. `read_ahead` blocks after it are fetched by the same device read.
    // Error::corrupt for a block outside the volume, else what device or `verify` say.
    template <typename Verify>
    Result<BlockRef> metadata(u64 block, Purpose purpose, Verify const& verify, u32 read_ahead = 0)
    {
        auto* const slot = TRY(fetch(block, purpose, read_ahead));
        if (slot->verified_as != purpose.word()) {
            TRY(verify(Bytes(*slot->bytes)));
            slot->verified_as = purpose.word();
        }
        return slot->bytes;
    }

    // File contents, past the cache: fills `target` from `offset` bytes after the start of `block`.
    Result<void> contents(u64 block, u64 offset, std::span<u8> target, u32 inode);

    // Tells the sink what is wrong and where; gives Error::corrupt for the caller to return.
    template <typename... Parts>
    Error corrupt(Parts const&... parts)
    {
        errors_.report(sentence(parts...));
        return Error::corrupt;
    }

private:
    Result<BlockCache::Slot*> fetch(u64 block, Purpose purpose, u32 read_ahead);
    Result<void> read(u64 block, u64 offset, std::span<u8> target, u32 inode);

    BlockReader& device_;
    ErrorSink& errors_;
    Superblock super_;
    BlockCache cache_;
};

} // namespace gemel::ext4
