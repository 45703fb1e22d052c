#include "tests/ext4/crash/recording_device.hpp"

#include <algorithm>
#include <stdexcept>

namespace gemel::ext4::test {

Result<void> RecordingDevice::read(u64 byte_offset, std::span<u8> target)
{
    view_.read(byte_offset, target);
    return {};
}

// A disk writes whole sectors: a driver that is given less puts the rest in from what it reads.
Result<void> RecordingDevice::write(u64 byte_offset, std::span<u8 const> source)
{
    auto const first = align_down<u64>(byte_offset, DiskView::sector_bytes);
    auto const end = align_up<u64>(byte_offset + source.size(), DiskView::sector_bytes);
    std::vector<u8> bytes(end - first);
    if (bytes.size() != source.size())
        view_.read(first, bytes);
    if (end > view_.size())
        throw std::logic_error("an access outside the disk");
    std::copy(source.begin(), source.end(),
        bytes.begin() + static_cast<std::ptrdiff_t>(byte_offset - first));
    auto& logged = epochs_.back().emplace_back(LoggedWrite { first, std::move(bytes) });
    view_.put(first / DiskView::sector_bytes, logged.bytes);
    return {};
}

Result<void> RecordingDevice::flush()
{
    if (forgotten_ > 0)
        --forgotten_;
    else if (!epochs_.back().empty())
        epochs_.emplace_back();
    return {};
}

Result<void> RecordingDevice::discard(u64 byte_offset, u64 bytes)
{
    constexpr u8 rubbish = 0xD5;
    return write(byte_offset, std::vector<u8>(bytes, rubbish));
}

void RecordingDevice::promise(u32 number)
{
    promises_.push_back({ epochs_.size() - 1, number });
}

u32 RecordingDevice::promised(usize epoch) const
{
    u32 number = 0;
    for (auto const& each : promises_) {
        if (each.epoch <= epoch)
            number = each.number;
    }
    return number;
}

} // namespace gemel::ext4::test
