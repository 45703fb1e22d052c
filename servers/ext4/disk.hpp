// The device as the rest of the reader sees it: blocks inside the volume only, metadata cached and
// verified once, and damage told to the error sink.
#pragma once

#include "servers/ext4/block_cache.hpp"
#include "servers/ext4/block_device.hpp"
#include "servers/ext4/error_sink.hpp"
#include "servers/ext4/inode_cache.hpp"
#include "servers/ext4/metadata_places.hpp"
#include "servers/ext4/name_cache.hpp"
#include "servers/ext4/placement.hpp"
#include "servers/ext4/reservations.hpp"
#include "servers/ext4/sentence.hpp"
#include "servers/ext4/superblock.hpp"
#include "servers/ext4/transaction.hpp"
#include "servers/ext4/waiting_blocks.hpp"

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
        superblock,
        block_bitmap,
        inode_bitmap,
        attributes,
        orphan_block,
    };

    Kind kind;
    u8 depth = 0; // of an extent node
    u32 inode = 0; // whose block it is; 0: the volume's own

    std::string_view name() const;
    u64 word() const
    {
        return static_cast<u64>(kind) << 40 | static_cast<u64>(depth) << 32 | inode;
    }
};

// The first damage that was met, as the superblock's error state has it.
struct Damage {
    std::string_view where; // what the structure was read as
    u64 block = 0; // 0: no single one
    u32 inode = 0; // 0: the volume's own
};

class Disk {
public:
    static constexpr usize cache_bytes_max = 2 << 20;

    // Borrows both; they outlive it.
    Disk(BlockReader& device, ErrorSink& errors, Superblock super);

    Superblock const& super() const { return super_; }

    // The block through the cache; `verify(Bytes) -> Result<void>` sees it when it was not yet
    // verified for this purpose. `read_ahead` blocks after it are fetched by the same device read.
    // Error::corrupt for a block outside the volume, else what device or `verify` say.
    template <typename Verify>
    Result<BlockRef> metadata(u64 block, Purpose purpose, Verify const& verify, u32 read_ahead = 0)
    {
        if (auto* const changed = transaction_.find(block)) {
            if (changed->verified_as != purpose.word()) {
                TRY(placed(verify(Bytes(*changed->bytes)), block, purpose));
                changed->verified_as = purpose.word();
            }
            return BlockRef(changed->bytes);
        }
        auto* const slot = TRY(fetch(block, purpose, read_ahead));
        if (slot->verified_as != purpose.word()) {
            TRY(placed(verify(Bytes(*slot->bytes)), block, purpose));
            slot->verified_as = purpose.word();
        }
        return slot->bytes;
    }

    // File contents, past the cache: fills `target` from `offset` bytes after the start of `block`.
    // Up to `ahead` bytes behind them are likely asked for next.
    Result<void> contents(u64 block, u64 offset, std::span<u8> target, u32 inode, u64 ahead = 0);

    // For changes, inside an operation of the transaction: the block's bytes, to be written to
    // until the operation ends. Read and verified like `metadata`.
    template <typename Verify>
    Result<std::span<u8>> change(u64 block, Purpose purpose, Verify const& verify)
    {
        auto const now = TRY(metadata(block, purpose, verify));
        // In the inode table the one that changes is forgotten, see change_inode_bytes().
        if (purpose.kind != Purpose::Kind::inode_table)
            inodes_.forget_block(block);
        return std::span<u8>(*transaction_.change(block, now, purpose.word()).bytes);
    }
    // A free block that becomes metadata: zeros to be written to.
    std::span<u8> create(u64 block, Purpose purpose)
    {
        auto& slot = transaction_.create(block, super_.block_bytes, purpose.word());
        inodes_.forget_block(block);
        return std::span<u8>(*slot.bytes);
    }
    // Metadata no more; the block itself is freed elsewhere.
    void forget(u64 block);
    // What was written past the cache is read again.
    void drop_cached(u64 block)
    {
        cache_.erase(block);
        inodes_.forget_block(block);
    }
    Transaction& transaction() { return transaction_; }
    WaitingBlocks& waiting() { return waiting_; }
    NameCache& names() { return names_; }
    InodeCache& inodes() { return inodes_; }
    Placement& placement() { return placement_; }
    Reservations& reservations() { return reservations_; }
    FreeRuns& free_runs() { return free_runs_; }
    MetadataPlaces& metadata_places() { return metadata_places_; }
    // The committed blocks are in their places: from now on they are the cache's.
    void take_committed();

    // Straight to the device, durable with the next flush. Inside one block run of the volume.
    Result<void> write_contents(u64 block, u64 offset, Bytes source, u32 inode);
    // Whether contents were written that no flush has made durable yet.
    bool contents_wait() const { return contents_wait_; }
    void note_flush() { contents_wait_ = false; }
    void allow_writing(BlockDevice& device) { writer_ = &device; }
    bool writable() const { return writer_ != nullptr; }

    // Tells the sink what is wrong and where; gives Error::corrupt for the caller to return.
    template <typename... Parts>
    Error corrupt(Parts const&... parts)
    {
        errors_.report(sentence(parts...));
        if (!damage_)
            damage_ = Damage { "a damaged structure" };
        return Error::corrupt;
    }
    std::optional<Damage> const& damage() const { return damage_; }
    // What was told last lies in that place.
    void place_damage(Damage const& damage);

private:
    // Adds to what is wrong where it is.
    Result<void> placed(Result<void> verified, u64 block, Purpose purpose);
    Result<BlockCache::Slot*> fetch(u64 block, Purpose purpose, u32 read_ahead);
    // Error::corrupt when some of the bytes lie outside the volume.
    Result<void> check_inside(u64 block, u64 offset, usize bytes, u32 inode);
    Error unreadable(Error error, u64 block, u32 inode);

    BlockReader& device_;
    ErrorSink& errors_;
    Superblock super_;
    BlockCache cache_;
    Transaction transaction_;
    WaitingBlocks waiting_;
    NameCache names_;
    InodeCache inodes_;
    Placement placement_;
    Reservations reservations_;
    FreeRuns free_runs_;
    MetadataPlaces metadata_places_;
    BlockDevice* writer_ = nullptr;
    bool contents_wait_ = false;
    std::optional<Damage> damage_;
};

} // namespace gemel::ext4
