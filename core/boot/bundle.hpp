// The boot bundle (a newc cpio archive), as far as the kernel needs it: find init's file.
#pragma once

#include "core/base/types.hpp"

#include <span>

namespace gemel {

// The file's bytes; empty when there is none or the archive is damaged before it.
std::span<u8 const> bundle_find(std::span<u8 const> archive, char const* path);

} // namespace gemel
