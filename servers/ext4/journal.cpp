// Field offsets: ext4 documentation, "Journal (jbd2)", "Super Block".
#include "servers/ext4/journal.hpp"

#include "servers/ext4/checksum.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

namespace {

namespace on_disk = journal::super;

// A log shorter than this could not hold one transaction.
constexpr u32 blocks_min = 8;
// What the format's 32-bit numbers and the file's map could say at most; larger ones are damage.
constexpr u64 blocks_max = 1ull << 31;
constexpr u32 fast_commit_blocks_default = 256;

constexpr u32 known_features = journal::incompatible_revoke | journal::incompatible_wide
    | journal::incompatible_async_commit | journal::incompatible_checksum_v2
    | journal::incompatible_checksum_v3 | journal::incompatible_fast_commit;

template <typename... Parts>
Error refuse(MountReport& report, Error error, Parts const&... parts)
{
    report.refusal = sentence("cannot use the journal: ", parts...);
    return error;
}

Result<void> check_features(u32 compatible, u32 incompatible, u32 others, MountReport& report)
{
    auto const unknown = incompatible & ~known_features;
    if (unknown != 0 || others != 0) {
        return refuse(report, Error::unsupported, "it has unknown features ",
            Hex { unknown != 0 ? unknown : others });
    }
    auto const kinds = (incompatible & journal::incompatible_checksum_v2) / 8
        + (incompatible & journal::incompatible_checksum_v3) / 16
        + (compatible & journal::compatible_checksum_v1);
    if (kinds > 1)
        return refuse(report, Error::corrupt, "it claims more than one kind of checksum");
    return {};
}

JournalChecksum checksum_kind(u32 compatible, u32 incompatible)
{
    if ((incompatible & journal::incompatible_checksum_v3) != 0)
        return JournalChecksum::v3;
    if ((incompatible & journal::incompatible_checksum_v2) != 0)
        return JournalChecksum::v2;
    return (compatible & journal::compatible_checksum_v1) != 0 ? JournalChecksum::v1
                                                               : JournalChecksum::none;
}

Result<void> parse_features(Bytes bytes, JournalSuper& super, MountReport& report)
{
    auto const compatible = journal::load_be32(bytes, on_disk::compatible);
    auto const incompatible = journal::load_be32(bytes, on_disk::incompatible);
    TRY(check_features(compatible, incompatible,
        journal::load_be32(bytes, on_disk::read_only_compatible), report));
    super.checksum = checksum_kind(compatible, incompatible);
    super.wide = (incompatible & journal::incompatible_wide) != 0;
    super.async_commit = (incompatible & journal::incompatible_async_commit) != 0;
    super.checksum_seed = crc32c(crc32c_start, bytes.subspan(on_disk::uuid, 16));
    if ((incompatible & journal::incompatible_fast_commit) != 0) {
        auto const stated = journal::load_be32(bytes, on_disk::fast_commit_blocks);
        auto const blocks = stated != 0 ? stated : fast_commit_blocks_default;
        if (blocks >= super.blocks - super.first)
            return refuse(report, Error::corrupt, "its fast_commit area leaves no log");
        super.end = super.blocks - blocks;
        super.fast_commit_first = super.end;
    }
    if (!super.has_tails())
        return {};
    auto const type = load8(bytes, on_disk::checksum_type);
    if (type != journal::checksum_type_crc32c)
        return refuse(report, Error::corrupt, "unknown checksum type ", type);
    auto const stored = journal::load_be32(bytes, on_disk::checksum);
    auto const computed = journal_super_checksum(bytes);
    if (stored != computed) {
        return refuse(report, Error::corrupt, "its superblock has checksum ", Hex { stored },
            " and should have ", Hex { computed });
    }
    return {};
}

Result<JournalSuper> parse_super(Bytes bytes, u32 block_bytes, u32 blocks, MountReport& report)
{
    JournalSuper super {};
    auto const type
        = static_cast<journal::BlockType>(journal::load_be32(bytes, journal::head::type));
    if (journal::load_be32(bytes, 0) != journal::magic
        || (type != journal::BlockType::superblock_v1 && type != journal::BlockType::superblock_v2))
        return refuse(report, Error::corrupt, "it has no superblock");
    super.version = type == journal::BlockType::superblock_v1 ? 1 : 2;
    super.blocks = journal::load_be32(bytes, on_disk::blocks);
    super.first = journal::load_be32(bytes, on_disk::first);
    super.end = super.blocks;
    super.sequence = journal::load_be32(bytes, on_disk::sequence);
    super.start = journal::load_be32(bytes, on_disk::start);
    super.error = journal::load_be32(bytes, on_disk::error);
    auto const stated = journal::load_be32(bytes, on_disk::block_bytes);
    if (stated != block_bytes)
        return refuse(report, Error::corrupt, "it has blocks of ", stated, " bytes");
    if (super.blocks > blocks || super.blocks < blocks_min || super.first == 0
        || super.first >= super.blocks) {
        return refuse(report, Error::corrupt, "its log from block ", super.first, " to ",
            super.blocks, " does not fit its file of ", blocks, " blocks");
    }
    if (super.version == 2)
        TRY(parse_features(bytes, super, report));
    if (super.start != 0 && (super.start < super.first || super.start >= super.end)) {
        return refuse(report, Error::corrupt, "it starts at block ", super.start,
            ", outside its log from ", super.first, " to ", super.end);
    }
    return super;
}

} // namespace

usize JournalSuper::tag_bytes() const
{
    if (checksum == JournalChecksum::v3)
        return 16;
    usize const bytes = checksum == JournalChecksum::v2 ? 10 : 8;
    return wide ? bytes + 4 : bytes;
}

u32 journal_super_checksum(Bytes bytes)
{
    std::array<u8, 4> const gap {};
    auto const sum = crc32c(crc32c(crc32c_start, bytes.first(on_disk::checksum)), gap);
    auto const end = on_disk::checksum + gap.size();
    return crc32c(sum, bytes.subspan(end, on_disk::bytes - end));
}

Result<Journal> Journal::open(Disk& disk, MountReport& report)
{
    auto const& volume = disk.super();
    if (!volume.has(Compatible::has_journal))
        return Error::not_found;
    if (volume.journal_inode == 0) {
        return refuse(report, Error::unsupported,
            "it is external (on another device), which is not supported; run e2fsck with both "
            "devices present");
    }
    Journal journal(disk, volume.journal_inode);
    auto const inode = read_inode(disk, volume.journal_inode);
    if (!inode) {
        return refuse(report, inode.error(), "its inode ", volume.journal_inode, " cannot be read");
    }
    if (inode->type() != FileType::regular || inode->has(InodeFlag::inline_data)
        || inode->size_bytes / volume.block_bytes < blocks_min
        || inode->size_bytes / volume.block_bytes > blocks_max) {
        return refuse(
            report, Error::corrupt, "its inode ", volume.journal_inode, " is not a journal's");
    }
    TRY(journal.map(*inode, report));
    TRY(journal.read_super(static_cast<u32>(inode->size_bytes / volume.block_bytes), report));
    return journal;
}

Result<void> Journal::map(Inode const& inode, MountReport& report)
{
    auto const blocks = inode.size_bytes / disk_->super().block_bytes;
    for (u64 next = 0; next < blocks;) {
        auto const run = find_run(*disk_, inode, next);
        if (!run)
            return refuse(report, run.error(), "the block map of inode ", inode.number, " is bad");
        if (run->kind == Run::Kind::zeros) {
            return refuse(
                report, Error::corrupt, "its inode ", inode.number, " has a hole at block ", next);
        }
        auto const count = std::min(run->blocks, blocks - next);
        pieces_.push_back({ static_cast<u32>(next), static_cast<u32>(count), run->disk_block });
        next += count;
    }
    pieces_on_disk_ = pieces_;
    std::sort(pieces_on_disk_.begin(), pieces_on_disk_.end(),
        [](Piece const& left, Piece const& right) { return left.disk_block < right.disk_block; });
    return {};
}

Result<void> Journal::read_super(u32 blocks, MountReport& report)
{
    std::array<u8, on_disk::bytes> bytes {};
    auto const done = disk_->contents(place(0), 0, bytes, inode_);
    if (!done)
        return refuse(report, done.error(), "its superblock in block ", place(0), " is unreadable");
    super_ = TRY(parse_super(bytes, disk_->super().block_bytes, blocks, report));
    return {};
}

u64 Journal::place(u32 block) const
{
    auto const after = std::upper_bound(pieces_.begin(), pieces_.end(), block,
        [](u32 wanted, Piece const& piece) { return wanted < piece.first; });
    ASSERT(after != pieces_.begin());
    auto const& piece = *std::prev(after);
    ASSERT(block - piece.first < piece.blocks);
    return piece.disk_block + (block - piece.first);
}

Result<void> Journal::read(u32 block, std::span<u8> target) const
{
    return disk_->contents(place(block), 0, target, inode_);
}

bool Journal::owns(u64 block) const
{
    auto const after = std::upper_bound(pieces_on_disk_.begin(), pieces_on_disk_.end(), block,
        [](u64 wanted, Piece const& piece) { return wanted < piece.disk_block; });
    if (after == pieces_on_disk_.begin())
        return false;
    auto const& piece = *std::prev(after);
    return block - piece.disk_block < piece.blocks;
}

} // namespace gemel::ext4
