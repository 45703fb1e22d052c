// A page in fewer bytes: what repeats in it is told by where it stood before (after Lempel and Ziv,
// 1977). Each page for itself, so that a damaged one harms no other.
#pragma once

#include "core/arch/types.hpp"

#include <span>

namespace gemel::sim {

// The most that pack_page writes before it gives up.
inline constexpr usize packed_bytes_max = page_bytes;

// Into `to`, which has room for packed_bytes_max. 0: it would be no smaller.
usize pack_page(u8 const* page, u8* to);
// False: these bytes are no page.
bool unpack_page(std::span<u8 const> from, u8* page);

} // namespace gemel::sim
