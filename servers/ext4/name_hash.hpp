// The hash that orders the names of an indexed directory (ext4 documentation, "Hash Tree
// Directories").
#pragma once

#include "servers/ext4/superblock.hpp"

#include <optional>
#include <string_view>

namespace gemel::ext4 {

// As a directory's root names them; its unsigned variants are a matter of CharSign.
enum class HashKind : u8 { legacy = 0, half_md4 = 1, tea = 2 };

struct HashMethod {
    HashKind kind;
    CharSign sign;
    std::array<u32, 4> seed; // zeros: the built-in one
};

// The method that a directory root's version byte asks for; nothing when it is not known.
std::optional<HashMethod> hash_method(Superblock const& super, u8 version);

// The hash of a name; its lowest bit is always zero.
u32 hash_name(HashMethod const& method, std::string_view name);

} // namespace gemel::ext4
