// Where copies lie is not known without a superblock, so the first one of each block size is tried:
// mke2fs makes groups of as many blocks as a bitmap's block has bits, and each way of sparing
// copies keeps the one in group 1 (ext4 documentation, "Super Block").
#include "servers/ext4/check/backup_superblock.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/volume_super.hpp"

namespace gemel::ext4 {

namespace {

constexpr u32 block_bytes_min = 1024;
constexpr u32 block_bytes_max = 65'536;
constexpr usize group_number_offset = 0x5A;
constexpr usize incompatible_offset = 0x60;
constexpr usize checksum_offset = 0x3FC;

bool is_damaged(BlockReader& device)
{
    MountReport ignored;
    auto const sound = load_superblock(device, ignored);
    if (sound || sound.error() != Error::corrupt)
        return false;
    auto const torn = load_superblock(device, ignored, SuperblockSum::ignored);
    return !torn || !torn->has(Incompatible::needs_recovery);
}

// Makes a copy the first one. The journal is looked at, whatever the copy knows of it.
void make_primary(SuperblockBytes& bytes, Superblock const& super)
{
    store16(bytes, group_number_offset, 0);
    if (super.has(Compatible::has_journal)) {
        store32(bytes, incompatible_offset,
            super.incompatible | static_cast<u32>(Incompatible::needs_recovery));
    }
    if (super.has(ReadOnlyCompatible::metadata_csum)) {
        auto const sum = crc32c(crc32c_start, Bytes(bytes).first(checksum_offset));
        store32(bytes, checksum_offset, sum);
    }
}

} // namespace

Result<std::optional<u64>> restore_superblock(BlockDevice& device, MountReport& report)
{
    if (!is_damaged(device))
        return std::optional<u64> {};
    for (u64 block_bytes = block_bytes_min; block_bytes <= block_bytes_max; block_bytes *= 2) {
        auto const block = block_bytes * 8 + (block_bytes == block_bytes_min ? 1 : 0);
        SuperblockBytes bytes {};
        if (block * block_bytes + bytes.size() > device.size_bytes())
            break;
        TRY(device.read(block * block_bytes, bytes));
        MountReport ignored;
        if (!has_superblock_magic(bytes) || load16(bytes, group_number_offset) != 1)
            continue;
        auto const super = parse_superblock(bytes, device.size_bytes(), ignored);
        if (!super || super->block_bytes != block_bytes)
            continue;
        make_primary(bytes, *super);
        TRY(device.write(superblock_offset, bytes));
        TRY(device.flush());
        return std::optional(block);
    }
    report.refusal = "the superblock is damaged, and no copy of it is sound";
    return Error::corrupt;
}

} // namespace gemel::ext4
