// Field offsets: ext4 documentation, "The Super Block".
#include "servers/ext4/superblock.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/sentence.hpp"

#include <algorithm>
#include <bit>

namespace gemel::ext4 {

namespace {

constexpr u16 superblock_magic = 0xEF53;
constexpr u32 block_shift_max = 6; // 64 KiB
constexpr u32 inode_bytes_min = 128;
constexpr u32 first_inode_old = 11;
constexpr u32 descriptor_bytes_min = 32;
constexpr u32 descriptor_bytes_wide = 64;
constexpr u8 checksum_type_crc32c = 1;
constexpr u32 flag_unsigned_hash = 0x2;
constexpr u16 state_clean = 0x1;
constexpr u16 state_errors = 0x2;

constexpr u32 readable_features = static_cast<u32>(Incompatible::filetype)
    | static_cast<u32>(Incompatible::meta_bg) | static_cast<u32>(Incompatible::extent)
    | static_cast<u32>(Incompatible::wide) | static_cast<u32>(Incompatible::mmp)
    | static_cast<u32>(Incompatible::flex_bg) | static_cast<u32>(Incompatible::ea_inode)
    | static_cast<u32>(Incompatible::checksum_seed) | static_cast<u32>(Incompatible::large_dir)
    | static_cast<u32>(Incompatible::inline_data);

// Bits that make it an ext4 volume rather than an ext2 or ext3 one.
constexpr u32 ext4_incompatible = ~(static_cast<u32>(Incompatible::filetype)
    | static_cast<u32>(Incompatible::needs_recovery) | static_cast<u32>(Incompatible::meta_bg));
constexpr u32 ext4_read_only = ~(static_cast<u32>(ReadOnlyCompatible::sparse_super)
    | static_cast<u32>(ReadOnlyCompatible::large_file));

template <typename... Parts>
Error refuse(MountReport& report, Error error, Parts const&... parts)
{
    report.refusal = sentence(parts...);
    return error;
}

bool is_power_of(u32 number, u32 base)
{
    while (number > 1 && number % base == 0)
        number /= base;
    return number == 1;
}

std::string text_of(Bytes bytes)
{
    auto const end = std::find(bytes.begin(), bytes.end(), u8 { 0 });
    return { bytes.begin(), end };
}

// In clusters, which are blocks without bigalloc. More than there is says nothing.
u64 stated_overhead(Bytes bytes, Superblock const& super)
{
    auto const block_shift = load32(bytes, 0x18);
    auto const cluster_shift = load32(bytes, 0x1C);
    bool const clusters = super.has(ReadOnlyCompatible::bigalloc) && cluster_shift > block_shift
        && cluster_shift - block_shift < 32;
    auto const blocks = u64 { load32(bytes, 0x248) }
        << (clusters ? cluster_shift - block_shift : 0);
    return blocks < super.blocks ? blocks : 0;
}

void parse_counts(Bytes bytes, Superblock& super)
{
    bool const wide = super.has(Incompatible::wide);
    super.inodes = load32(bytes, 0x0);
    super.blocks = join(load32(bytes, 0x4), wide ? load32(bytes, 0x150) : 0);
    super.reserved_blocks = join(load32(bytes, 0x8), wide ? load32(bytes, 0x154) : 0);
    super.free_blocks = join(load32(bytes, 0xC), wide ? load32(bytes, 0x158) : 0);
    super.overhead_blocks = stated_overhead(bytes, super);
    super.free_inodes = load32(bytes, 0x10);
    super.first_data_block = load32(bytes, 0x14);
    super.blocks_per_group = load32(bytes, 0x20);
    super.inodes_per_group = load32(bytes, 0x28);
    super.written_seconds = load32(bytes, 0x30);
    super.journal_inode = load32(bytes, 0xE0);
    super.orphan_inode = load32(bytes, 0x280);
    super.has_orphans = load32(bytes, 0xE8) != 0 || super.has(ReadOnlyCompatible::orphan_present);
    super.mmp_block = join(load32(bytes, 0x168), load32(bytes, 0x16C));
    super.mmp_interval = load16(bytes, 0x166);
    super.reserved_table_blocks = load16(bytes, 0xCE);
    if (auto const shift = load8(bytes, 0x174); super.has(Incompatible::flex_bg) && shift < 32)
        super.groups_per_flex = u32 { 1 } << shift;
    super.first_meta_group = load32(bytes, 0x104);
    super.backup_groups = { load32(bytes, 0x24C), load32(bytes, 0x250) };
}

void parse_sizes(Bytes bytes, Superblock& super)
{
    bool const dynamic = load32(bytes, 0x4C) >= 1;
    super.inode_bytes = dynamic ? load16(bytes, 0x58) : inode_bytes_min;
    super.first_inode = dynamic ? load32(bytes, 0x54) : first_inode_old;
    super.descriptor_bytes
        = super.has(Incompatible::wide) ? load16(bytes, 0xFE) : descriptor_bytes_min;
}

void parse_identity(Bytes bytes, Superblock& super)
{
    std::copy_n(bytes.begin() + 0x68, super.uuid.size(), super.uuid.begin());
    super.label = text_of(bytes.subspan(0x78, 16));
    for (usize word = 0; word < super.hash_seed.size(); ++word)
        super.hash_seed[word] = load32(bytes, 0xEC + 4 * word);
    super.hash_version = load8(bytes, 0xFC);
    super.hash_sign = (load32(bytes, 0x160) & flag_unsigned_hash) != 0 ? CharSign::is_unsigned
                                                                       : CharSign::is_signed;
    super.checksum_seed = super.has(Incompatible::checksum_seed) ? load32(bytes, 0x270)
                                                                 : crc32c(crc32c_start, super.uuid);
}

Result<void> check_checksum(Bytes bytes, Superblock const& super, MountReport& report)
{
    if (!super.has(ReadOnlyCompatible::metadata_csum))
        return {};
    auto const type = load8(bytes, 0x175);
    if (type != checksum_type_crc32c)
        return refuse(report, Error::corrupt, "corrupt superblock: unknown checksum type ", type);
    auto const computed = crc32c(crc32c_start, bytes.first(0x3FC));
    auto const stored = load32(bytes, 0x3FC);
    if (computed != stored) {
        return refuse(report, Error::corrupt, "corrupt superblock: its checksum is ",
            Hex { stored }, " and should be ", Hex { computed },
            "; gemel fsck -y restores it from a copy");
    }
    return {};
}

// Whether a volume of its features may be read at all, as a person would want to be told.
Result<void> check_features(Superblock const& super, MountReport& report)
{
    if (super.has(Incompatible::journal_device)) {
        return refuse(report, Error::unsupported,
            "this is an external journal (journal_dev), not a file system");
    }
    auto const unreadable
        = super.incompatible & ~readable_features & ~static_cast<u32>(Incompatible::needs_recovery);
    if (unreadable != 0) {
        return refuse(report, Error::unsupported, super.kind(),
            " image with features that cannot be read: ",
            feature_names(FeatureWord::incompatible, unreadable));
    }
    return {};
}

Result<void> check_sizes(Superblock const& super, MountReport& report)
{
    auto const bad = [&](std::string_view what, u64 value) {
        return refuse(report, Error::corrupt, "corrupt superblock: ", what, " ", value);
    };
    auto const bits = super.block_bytes * 8;
    if (super.inode_bytes < inode_bytes_min || super.inode_bytes > super.block_bytes
        || !std::has_single_bit(super.inode_bytes))
        return bad("impossible inode size", super.inode_bytes);
    if (super.has(Incompatible::wide)
        && (super.descriptor_bytes < descriptor_bytes_wide
            || super.descriptor_bytes > super.block_bytes
            || !std::has_single_bit(super.descriptor_bytes)))
        return bad("impossible descriptor size", super.descriptor_bytes);
    // A cluster, not a block, has a bit in the bitmap with bigalloc.
    if (super.blocks_per_group == 0
        || (super.blocks_per_group > bits && !super.has(ReadOnlyCompatible::bigalloc)))
        return bad("impossible number of blocks in a group:", super.blocks_per_group);
    if (super.inodes_per_group == 0 || super.inodes_per_group > bits
        || super.inodes_per_group < super.block_bytes / super.inode_bytes)
        return bad("impossible number of inodes in a group:", super.inodes_per_group);
    if (super.first_data_block > 1 || (super.first_data_block == 1 && super.block_bytes != 1024))
        return bad("impossible first data block", super.first_data_block);
    if (super.blocks <= super.first_data_block)
        return bad("impossible number of blocks:", super.blocks);
    return {};
}

// Sets `groups`, the one number that the disk does not state.
Result<void> count_groups(Superblock& super, MountReport& report)
{
    auto const covered = super.blocks - super.first_data_block;
    auto const groups = (covered - 1) / super.blocks_per_group + 1;
    if (groups > 0xFFFF'FFFF || groups * super.inodes_per_group != super.inodes) {
        return refuse(report, Error::corrupt, "corrupt superblock: ", super.inodes,
            " inodes do not fit ", groups, " groups of ", super.inodes_per_group);
    }
    super.groups = static_cast<u32>(groups);
    super.groups_per_flex = std::min(std::max(1u, super.groups_per_flex), super.groups);
    return {};
}

Result<void> check_device(Superblock const& super, u64 device_bytes, MountReport& report)
{
    auto const device_blocks = device_bytes / super.block_bytes;
    if (super.blocks > device_blocks) {
        return refuse(report, Error::corrupt, "truncated: superblock says ", super.blocks,
            " blocks of ", super.block_bytes, " bytes, device has ", device_blocks);
    }
    return {};
}

void note_oddities(Bytes bytes, MountReport& report)
{
    auto const state = load16(bytes, 0x3A);
    if ((state & state_errors) != 0)
        report.notes.push_back("the volume is marked as having errors: run e2fsck on it");
    else if ((state & state_clean) == 0)
        report.notes.push_back("the volume was not unmounted cleanly");
}

} // namespace

std::string_view Superblock::kind() const
{
    if ((incompatible & ext4_incompatible) != 0 || (read_only_compatible & ext4_read_only) != 0)
        return "ext4";
    return has(Compatible::has_journal) ? "ext3" : "ext2";
}

bool Superblock::has_backup(u32 group) const
{
    if (group == 0)
        return true;
    if (has(Compatible::sparse_super2))
        return group == backup_groups[0] || group == backup_groups[1];
    if (!has(ReadOnlyCompatible::sparse_super))
        return true;
    return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

bool has_superblock_magic(Bytes bytes)
{
    return load16(bytes, 0x38) == superblock_magic;
}

Result<Superblock> parse_superblock(
    Bytes bytes, u64 device_bytes, MountReport& report, SuperblockSum sum)
{
    ASSERT(bytes.size() == superblock_bytes);
    Superblock super {};
    super.compatible = load32(bytes, 0x5C);
    super.incompatible = load32(bytes, 0x60);
    super.read_only_compatible = load32(bytes, 0x64);
    if (sum == SuperblockSum::enforced)
        TRY(check_checksum(bytes, super, report));
    TRY(check_features(super, report));
    auto const block_shift = load32(bytes, 0x18);
    if (block_shift > block_shift_max) {
        return refuse(report, Error::corrupt, "corrupt superblock: impossible block size 2^",
            u64 { 10 } + block_shift);
    }
    super.block_bytes = 1024u << block_shift;
    parse_counts(bytes, super);
    parse_sizes(bytes, super);
    parse_identity(bytes, super);
    TRY(check_sizes(super, report));
    TRY(count_groups(super, report));
    TRY(check_device(super, device_bytes, report));
    note_oddities(bytes, report);
    return super;
}

} // namespace gemel::ext4
