#include "tests/ext4/crash/cow_device.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gemel::ext4::test {

u8* CowDevice::own(usize number)
{
    if (!own_[number]) {
        auto& sector = written_.emplace_back();
        std::copy_n(view_.sector(number), sector.size(), sector.begin());
        view_.put(number, sector);
        own_[number] = &sector;
    }
    return own_[number]->data();
}

Result<void> CowDevice::write(u64 byte_offset, std::span<u8 const> source)
{
    if (byte_offset > view_.size() || source.size() > view_.size() - byte_offset)
        throw std::logic_error("an access outside the disk");
    while (!source.empty()) {
        auto const within = byte_offset % DiskView::sector_bytes;
        auto const count = std::min(DiskView::sector_bytes - within, source.size());
        std::memcpy(own(byte_offset / DiskView::sector_bytes) + within, source.data(), count);
        byte_offset += count;
        source = source.subspan(count);
    }
    return {};
}

} // namespace gemel::ext4::test
