#include "tests/ext4/crash/recording_device.hpp"

#include <algorithm>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

constexpr u64 sector_bytes = 512;

void check_range(u64 size, u64 byte_offset, usize count)
{
    if (byte_offset > size || count > size - byte_offset)
        throw std::logic_error("an access outside the disk");
}

} // namespace

Result<void> RecordingDevice::read(u64 byte_offset, std::span<u8> target)
{
    check_range(image_.size(), byte_offset, target.size());
    std::copy_n(image_.data() + byte_offset, target.size(), target.data());
    return {};
}

Result<void> RecordingDevice::write(u64 byte_offset, std::span<u8 const> source)
{
    check_range(image_.size(), byte_offset, source.size());
    std::copy(source.begin(), source.end(), image_.data() + byte_offset);
    // A disk writes whole sectors: a driver that is given less puts the rest in from what it reads.
    auto const first = byte_offset / sector_bytes * sector_bytes;
    auto const end = align_up<u64>(byte_offset + source.size(), sector_bytes);
    auto const at = image_.begin() + static_cast<std::ptrdiff_t>(first);
    epochs_.back().push_back({ first, { at, at + static_cast<std::ptrdiff_t>(end - first) } });
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
