// A disk over an image that it does not change: written pages are its own. Emptying it costs what
// was written, not what the image holds.
#pragma once

#include "servers/ext4/block_device.hpp"

#include <vector>

namespace gemel::ext4::test {

class CowDevice final : public BlockDevice {
public:
    // Borrows the image.
    explicit CowDevice(std::span<u8 const> image)
        : image_(image)
        , places_(image.size() / page_bytes + 1, none)
    {
    }
    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> flush() override
    {
        ++flushes;
        return {};
    }
    u64 size_bytes() const override { return image_.size(); }
    // Forgets what was written.
    void reset();
    // Whether both read the same everywhere. They are over the same image.
    bool reads_as(CowDevice const& other) const;

    u64 flushes = 0;

private:
    static constexpr usize page_bytes = 1024;
    static constexpr u32 none = ~0u;

    std::span<u8 const> page(u64 number) const;

    std::span<u8 const> image_;
    std::vector<u32> places_; // of each page in `pages_`
    std::vector<u8> pages_;
    std::vector<u64> written_; // numbers of the pages in `pages_`
};

} // namespace gemel::ext4::test
