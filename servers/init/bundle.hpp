// The boot bundle: a newc cpio archive (cpio(5), "New ASCII Format") that is read where it lies.
// It is our own, but a broken one must end in an error, not in a crash of init.
#pragma once

#include "core/base/result.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace gemel::init {

class Bundle {
public:
    explicit Bundle(std::span<std::byte const> archive)
        : archive_(archive)
    {
    }

    // The bytes of a file by its absolute path, "/gemel/...". Symlinks beside the file are
    // followed, at most eight. not_found; is_directory; symlink_loop; corrupt.
    Result<std::span<std::byte const>> file(std::string_view path) const;

private:
    struct Entry {
        std::string_view name;
        u32 mode = 0;
        std::span<std::byte const> data;
        usize next = 0; // offset of the entry after it
    };
    Result<Entry> entry_at(usize offset) const;
    Result<Entry> find(std::string_view name) const;
    std::span<std::byte const> archive_;
};

} // namespace gemel::init
