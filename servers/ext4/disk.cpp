#include "servers/ext4/disk.hpp"

#include <algorithm>

namespace gemel::ext4 {

Disk::Disk(BlockReader& device, ErrorSink& errors, Superblock super)
    : device_(device)
    , errors_(errors)
    , super_(std::move(super))
    , cache_(super_.block_bytes, cache_bytes_max)
    , waiting_(super_.block_bytes)
{
}

std::string_view Purpose::name() const
{
    switch (kind) {
    case Kind::group_descriptors:
        return "group descriptors";
    case Kind::inode_table:
        return "inode table";
    case Kind::extent_node:
        return "extent node";
    case Kind::block_pointers:
        return "block pointers";
    case Kind::directory_block:
        return "directory block";
    case Kind::directory_root:
    case Kind::directory_node:
        return "directory index";
    case Kind::superblock:
        return "superblock";
    case Kind::block_bitmap:
        return "block bitmap";
    case Kind::inode_bitmap:
        return "inode bitmap";
    case Kind::attributes:
        return "attribute block";
    case Kind::orphan_block:
        return "orphan file";
    }
    return {};
}

void Disk::place_damage(Damage const& damage)
{
    if (!damage_ || damage_->block == 0)
        damage_ = damage;
}

Result<void> Disk::placed(Result<void> verified, u64 block, Purpose purpose)
{
    if (!verified && verified.error() == Error::corrupt)
        place_damage({ purpose.name(), block, purpose.inode });
    return verified;
}

// Nothing outside the volume gets past it.
Result<void> Disk::check_inside(u64 block, u64 offset, usize bytes, u32 inode)
{
    auto const bytes_after = (super_.blocks - std::min(block, super_.blocks)) * super_.block_bytes;
    if (!super_.holds_block(block) || offset > bytes_after || bytes > bytes_after - offset) {
        return corrupt("inode ", inode, ": block ", block, " lies outside the volume of ",
            super_.blocks, " blocks");
    }
    return {};
}

Error Disk::unreadable(Error error, u64 block, u32 inode)
{
    errors_.report(sentence("inode ", inode, ": cannot read block ", block, ": ", name_of(error)));
    return error;
}

Result<BlockCache::Slot*> Disk::fetch(u64 block, Purpose purpose, u32 read_ahead)
{
    if (auto* const slot = cache_.find(block))
        return slot;
    u64 const blocks_after = super_.blocks - std::min(block, super_.blocks - 1) - 1;
    auto count = 1 + std::min<u64>(read_ahead, blocks_after);
    std::vector<u8> run(count * super_.block_bytes);
    // A block that nobody asked for may be unreadable without harm.
    if (!super_.holds_block(block) || !device_.read(block * super_.block_bytes, run)) {
        count = 1;
        run.resize(super_.block_bytes);
        TRY(check_inside(block, 0, run.size(), purpose.inode));
        if (auto const done = device_.read(block * super_.block_bytes, run); !done)
            return unreadable(done.error(), block, purpose.inode);
    }
    // Backwards, so that the block asked for is the last inserted and cannot have been evicted.
    for (u64 index = count; index-- > 1;) {
        if (cache_.find(block + index))
            continue;
        auto const start = run.begin() + static_cast<std::ptrdiff_t>(index * super_.block_bytes);
        cache_.insert(block + index,
            std::make_shared<std::vector<u8> const>(start, start + super_.block_bytes));
    }
    run.resize(super_.block_bytes);
    run.shrink_to_fit();
    return &cache_.insert(block, std::make_shared<std::vector<u8> const>(std::move(run)));
}

void Disk::forget(u64 block)
{
    transaction_.forget(block);
    drop_cached(block);
}

void Disk::take_committed()
{
    for (auto const& [block, slot] : transaction_.committed()) {
        cache_.erase(block);
        cache_.insert(block, slot.bytes).verified_as = slot.verified_as;
    }
    transaction_.clear_committed();
}

Result<void> Disk::write_contents(u64 block, u64 offset, Bytes source, u32 inode)
{
    TRY(check_inside(block, offset, source.size(), inode));
    ASSERT(writer_);
    contents_wait_ = true;
    auto const done = writer_->write_contents(block * super_.block_bytes + offset, source);
    if (!done) {
        errors_.report(
            sentence("inode ", inode, ": cannot write block ", block, ": ", name_of(done.error())));
        return done.error();
    }
    return {};
}

Result<void> Disk::contents(u64 block, u64 offset, std::span<u8> target, u32 inode, u64 ahead)
{
    TRY(check_inside(block, offset, target.size(), inode));
    auto const done = device_.read_contents(block * super_.block_bytes + offset, target, ahead);
    return done ? done : unreadable(done.error(), block, inode);
}

} // namespace gemel::ext4
