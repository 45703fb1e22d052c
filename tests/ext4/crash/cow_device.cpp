#include "tests/ext4/crash/cow_device.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

void check_range(u64 size, u64 byte_offset, usize count)
{
    if (byte_offset > size || count > size - byte_offset)
        throw std::logic_error("an access outside the disk");
}

} // namespace

std::span<u8 const> CowDevice::page(u64 number) const
{
    if (places_[number] != none)
        return std::span(pages_).subspan(places_[number] * page_bytes, page_bytes);
    return image_.subspan(number * page_bytes, page_bytes);
}

Result<void> CowDevice::read(u64 byte_offset, std::span<u8> target)
{
    check_range(image_.size(), byte_offset, target.size());
    while (!target.empty()) {
        auto const within = byte_offset % page_bytes;
        auto const count = std::min<usize>(page_bytes - within, target.size());
        std::memcpy(target.data(), page(byte_offset / page_bytes).data() + within, count);
        byte_offset += count;
        target = target.subspan(count);
    }
    return {};
}

Result<void> CowDevice::write(u64 byte_offset, std::span<u8 const> source)
{
    check_range(image_.size(), byte_offset, source.size());
    while (!source.empty()) {
        auto const number = byte_offset / page_bytes;
        auto const within = byte_offset % page_bytes;
        auto const count = std::min<usize>(page_bytes - within, source.size());
        if (places_[number] == none) {
            places_[number] = static_cast<u32>(written_.size());
            written_.push_back(number);
            auto const old = image_.subspan(number * page_bytes, page_bytes);
            pages_.insert(pages_.end(), old.begin(), old.end());
        }
        std::memcpy(pages_.data() + places_[number] * page_bytes + within, source.data(), count);
        byte_offset += count;
        source = source.subspan(count);
    }
    return {};
}

void CowDevice::reset()
{
    for (auto const number : written_)
        places_[number] = none;
    written_.clear();
    pages_.clear();
    flushes = 0;
}

bool CowDevice::reads_as(CowDevice const& other) const
{
    auto const same = [&](u64 number) {
        auto const left = page(number);
        auto const right = other.page(number);
        return std::equal(left.begin(), left.end(), right.begin());
    };
    return std::all_of(written_.begin(), written_.end(), same)
        && std::all_of(other.written_.begin(), other.written_.end(), same);
}

} // namespace gemel::ext4::test
