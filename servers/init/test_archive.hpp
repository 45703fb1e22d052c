// Makes boot bundles for tests.
#pragma once

#include "core/base/types.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace gemel::init::test {

inline constexpr unsigned regular = 0100644;
inline constexpr unsigned symlink = 0120777;
inline constexpr unsigned directory = 0040755;

// One newc entry; end with add(archive, "TRAILER!!!", 0, "").
inline void add(std::string& archive, std::string_view name, unsigned mode, std::string_view data)
{
    char header[111];
    std::snprintf(header, sizeof header,
        "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1u, mode, 0u, 0u, 1u, 0u,
        static_cast<unsigned>(data.size()), 0u, 0u, 0u, 0u, static_cast<unsigned>(name.size() + 1),
        0u);
    archive += header;
    archive += name;
    archive.resize(align_up<usize>(archive.size() + 1, 4));
    archive += data;
    archive.resize(align_up<usize>(archive.size(), 4));
}

} // namespace gemel::init::test
