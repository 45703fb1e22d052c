// The boot bundle's format: a newc cpio archive (cpio(5), "New ASCII Format"), read where it lies.
#pragma once

#include "core/base/result.hpp"
#include "core/base/types.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace gemel::bundlefs {

struct CpioEntry {
    std::string_view name; // as it stands there, 1 to 4,095 bytes, no NUL
    u32 mode = 0; // kind and permissions, as in st_mode
    u32 uid = 0;
    u32 gid = 0;
    u32 modified_s = 0; // since 1970
    std::span<std::byte const> data;
};

// Goes through the entries once. Nothing outside the archive is touched, whatever it holds.
class CpioReader {
public:
    explicit CpioReader(std::span<std::byte const> archive)
        : archive_(archive)
    {
    }

    // Nothing after the trailer. An archive that ends without one, or breaks the format -> corrupt.
    Result<std::optional<CpioEntry>> next();
    // Where the next entry begins: for saying where an archive is broken.
    usize offset() const { return offset_; }

private:
    Result<std::string_view> text(usize bytes);
    void skip_padding();

    std::span<std::byte const> archive_;
    usize offset_ = 0;
};

} // namespace gemel::bundlefs
