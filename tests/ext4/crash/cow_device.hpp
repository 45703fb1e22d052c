// A disk over an image that it does not change: written sectors are its own.
#pragma once

#include "servers/ext4/block_device.hpp"
#include "tests/ext4/crash/disk_view.hpp"

#include <array>
#include <deque>

namespace gemel::ext4::test {

class CowDevice final : public BlockDevice {
public:
    // Borrows the image.
    explicit CowDevice(DiskView image)
        : view_(std::move(image))
        , own_(view_.size() / DiskView::sector_bytes)
    {
    }
    CowDevice(CowDevice const&) = delete;
    Result<void> read(u64 byte_offset, std::span<u8> target) override
    {
        view_.read(byte_offset, target);
        return {};
    }
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> flush() override { return {}; }
    u64 size_bytes() const override { return view_.size(); }
    DiskView const& view() const { return view_; }

private:
    using Sector = std::array<u8, DiskView::sector_bytes>;

    u8* own(usize number);

    DiskView view_;
    std::vector<Sector*> own_; // null: not written yet
    std::deque<Sector> written_;
};

} // namespace gemel::ext4::test
