// The small choices that requests about files carry.
#pragma once

#include "core/base/types.hpp"

namespace gemel {

// What Open asks for, or-ed.
enum class OpenFlag : u32 {
    read = 1 << 0,
    write = 1 << 1,
    create = 1 << 2, // a file that is not there is made
    exclusive = 1 << 3, // with create: a file that is there -> exists
    truncate = 1 << 4, // with write: cut to 0 bytes
    append = 1 << 5, // every write goes to the end, whatever offset it names
    no_follow = 1 << 6, // a symlink in last place -> symlink_loop
    session_memory = 1 << 7, // without a region: the file uses the directory session's memory
};
using OpenFlags = u32;
constexpr OpenFlags operator|(OpenFlag a, OpenFlag b)
{
    return static_cast<OpenFlags>(a) | static_cast<OpenFlags>(b);
}
constexpr OpenFlags operator|(OpenFlags a, OpenFlag b)
{
    return a | static_cast<OpenFlags>(b);
}
constexpr bool has(OpenFlags flags, OpenFlag flag)
{
    return (flags & static_cast<OpenFlags>(flag)) != 0;
}

// Whether a symlink in last place is followed or is itself what is asked for.
enum class LastLink : u8 { follow = 0, keep = 1 };

// What Unlink may take away. A directory must be empty.
enum class RemoveKind : u8 { file = 0, directory = 1 };

} // namespace gemel
