// One table of magic numbers. Boot-sector marks come last: other formats leave them behind.
#include "servers/ext4/foreign.hpp"

#include "servers/ext4/bytes.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

namespace {

using namespace std::string_view_literals;

struct Magic {
    u64 offset;
    std::string_view bytes;
    std::string_view name;
};

constexpr Magic magics[] {
    Magic { 0, "XFSB"sv, "xfs"sv },
    Magic { 0x1'0040, "_BHRfS_M"sv, "btrfs"sv },
    Magic { 1024, "\x10\x20\xF5\xF2"sv, "f2fs"sv },
    Magic { 1024, "\xE2\xE1\xF5\xE0"sv, "erofs"sv },
    Magic { 0, "hsqs"sv, "squashfs"sv },
    Magic { 0x1'0034, "ReIsEr"sv, "reiserfs"sv },
    Magic { 0x8000, "JFS1"sv, "jfs"sv },
    Magic { 1024, "H+\0\4"sv, "hfs+"sv },
    Magic { 32, "NXSB"sv, "apfs"sv },
    Magic { 0x8001, "CD001"sv, "iso9660"sv },
    Magic { 0x8001, "BEA01"sv, "udf"sv },
    Magic { 3, "NTFS    "sv, "ntfs"sv },
    Magic { 3, "EXFAT   "sv, "exfat"sv },
    Magic { 0x36, "FAT12   "sv, "fat"sv },
    Magic { 0x36, "FAT16   "sv, "fat"sv },
    Magic { 0x52, "FAT32   "sv, "fat"sv },
    Magic { 4086, "SWAPSPACE2"sv, "swap"sv },
    Magic { 0, "LUKS\xBA\xBE"sv, "an encrypted volume (LUKS)"sv },
    Magic { 512, "LABELONE"sv, "an LVM volume"sv },
    Magic { 0, "QFI\xFB"sv, "qcow2 (convert it with qemu-img convert -O raw)"sv },
    Magic { 0, "\x1F\x8B"sv, "gzip (unpack it first)"sv },
    Magic { 0, "\x28\xB5\x2F\xFD"sv, "zstd (unpack it first)"sv },
    Magic { 0, "\xFD\x37zXZ\0"sv, "xz (unpack it first)"sv },
    Magic { 512, "EFI PART"sv, "a partitioned disk (GPT); give it one partition of it"sv },
    Magic {
        510, "\x55\xAA"sv, "a partitioned or bootable disk (MBR); give it one partition of it"sv },
};

constexpr usize magic_bytes_max = 16;

Result<bool> holds(BlockReader& device, Magic const& magic)
{
    if (device.size_bytes() < magic.offset + magic.bytes.size())
        return false;
    std::array<u8, magic_bytes_max> found {};
    auto const target = std::span(found).first(magic.bytes.size());
    TRY(device.read(magic.offset, target));
    return std::equal(target.begin(), target.end(), magic.bytes.begin(),
        [](u8 left, char right) { return left == static_cast<u8>(right); });
}

} // namespace

Result<std::string_view> recognise_foreign(BlockReader& device)
{
    for (auto const& magic : magics) {
        if (TRY(holds(device, magic)))
            return magic.name;
    }
    return std::string_view {};
}

} // namespace gemel::ext4
