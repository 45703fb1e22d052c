#include "tests/ext4/crash/disk_view.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gemel::ext4::test {

DiskView::DiskView(std::span<u8 const> image)
    : sectors_(image.size() / sector_bytes)
{
    if (image.size() % sector_bytes != 0)
        throw std::logic_error("a disk of half a sector");
    put(0, image);
}

void DiskView::put(usize first, std::span<u8 const> bytes)
{
    for (usize offset = 0; offset < bytes.size(); offset += sector_bytes)
        sectors_[first++] = bytes.data() + offset;
}

// Sectors that lie behind each other are copied by one call.
void DiskView::read(u64 byte_offset, std::span<u8> target) const
{
    if (byte_offset > size() || target.size() > size() - byte_offset)
        throw std::logic_error("an access outside the disk");
    while (!target.empty()) {
        auto number = byte_offset / sector_bytes;
        auto const* const from = sectors_[number] + byte_offset % sector_bytes;
        auto count = sector_bytes - byte_offset % sector_bytes;
        while (count < target.size() && sectors_[++number] == from + count)
            count += sector_bytes;
        count = std::min(count, target.size());
        std::memcpy(target.data(), from, count);
        byte_offset += count;
        target = target.subspan(count);
    }
}

std::vector<u8> DiskView::copy() const
{
    std::vector<u8> bytes(size());
    read(0, bytes);
    return bytes;
}

bool DiskView::reads_as(DiskView const& other) const
{
    return std::equal(sectors_.begin(), sectors_.end(), other.sectors_.begin(),
        other.sectors_.end(), [](u8 const* left, u8 const* right) {
            return left == right || std::memcmp(left, right, sector_bytes) == 0;
        });
}

} // namespace gemel::ext4::test
