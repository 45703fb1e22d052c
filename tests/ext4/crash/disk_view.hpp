// A disk's sectors, each where its bytes lie: a write is taken in, and taken back, without moving
// bytes.
#pragma once

#include "core/base/types.hpp"

#include <span>
#include <vector>

namespace gemel::ext4::test {

class DiskView {
public:
    static constexpr usize sector_bytes = 512;

    // Borrows the image: whole sectors.
    DiskView(std::span<u8 const> image);
    DiskView(std::vector<u8> const& image)
        : DiskView(std::span(image))
    {
    }
    DiskView(std::vector<u8>&&) = delete;

    usize size() const { return sectors_.size() * sector_bytes; }
    u8 const* sector(usize number) const { return sectors_[number]; }
    // Borrows the bytes, as the sectors from `first` on.
    void put(usize first, std::span<u8 const> bytes);
    // What lies outside is a mistake of who asks: std::logic_error.
    void read(u64 byte_offset, std::span<u8> target) const;
    std::vector<u8> copy() const;
    // Whether both read the same everywhere.
    bool reads_as(DiskView const& other) const;

private:
    std::vector<u8 const*> sectors_;
};

} // namespace gemel::ext4::test
