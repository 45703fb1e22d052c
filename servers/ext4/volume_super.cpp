#include "servers/ext4/volume_super.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/foreign.hpp"
#include "servers/ext4/sentence.hpp"

namespace gemel::ext4 {

namespace {

constexpr usize checksum_offset = 0x3FC;
constexpr usize filler_offset = 0x88 + 64 - 4;
constexpr usize filler_bytes = 4;
constexpr usize read_only_compatible_offset = 0x64;

Error refuse_foreign(BlockReader& device, MountReport& report)
{
    auto const name = recognise_foreign(device);
    if (name && !name->empty()) {
        report.refusal = sentence("not an ext2, ext3 or ext4 image: it looks like ", *name);
        return Error::unsupported;
    }
    report.refusal = "not an ext2, ext3 or ext4 image: no superblock at byte 1024";
    return name ? Error::corrupt : name.error();
}

Result<SuperblockBytes> read_superblock(BlockReader& device, MountReport& report)
{
    SuperblockBytes bytes {};
    if (device.size_bytes() < superblock_offset + superblock_bytes) {
        report.refusal = sentence("not an ext2, ext3 or ext4 image: ", device.size_bytes(),
            " bytes are too few to hold a superblock");
        return Error::corrupt;
    }
    auto const done = device.read(superblock_offset, bytes);
    if (!done) {
        report.refusal = sentence("cannot read the superblock: ", name_of(done.error()));
        return done.error();
    }
    return bytes;
}

bool has_checksum(Bytes bytes)
{
    auto const features = load32(bytes, read_only_compatible_offset);
    return (features & static_cast<u32>(ReadOnlyCompatible::metadata_csum)) != 0;
}

} // namespace

Result<Superblock> load_superblock(BlockReader& device, MountReport& report, SuperblockSum sum)
{
    auto const bytes = TRY(read_superblock(device, report));
    if (!has_superblock_magic(bytes))
        return refuse_foreign(device, report);
    return parse_superblock(bytes, device.size_bytes(), report, sum);
}

// A power cut may leave one sector of the superblock new and the other old. What changes lies in
// the first one, but the checksum in the second. So the sum is left as it is, and four bytes
// of the first sector that mean nothing are chosen to make it fit: the end of s_last_mounted, which
// is text behind its final zero.
void seal_superblock(std::span<u8> bytes)
{
    if (!has_checksum(bytes))
        return;
    auto const summed = bytes.first(checksum_offset);
    auto const behind = filler_offset + filler_bytes;
    auto const before = crc32c(crc32c_start, summed.first(filler_offset));
    auto const wanted = crc32c_before(load32(bytes, checksum_offset), summed.subspan(behind));
    // Adding four bytes is: mix them in, then go on with four zeros.
    store32(bytes, filler_offset, before ^ crc32c_before(wanted, std::array<u8, filler_bytes> {}));
}

void seal_superblock_behind(std::span<u8> bytes)
{
    if (has_checksum(bytes))
        store32(bytes, checksum_offset, crc32c(crc32c_start, bytes.first(checksum_offset)));
}

} // namespace gemel::ext4
