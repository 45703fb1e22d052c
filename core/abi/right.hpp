// The rights a capability may carry. Deriving can only take rights away.
#pragma once

#include "core/base/types.hpp"

namespace gemel {

enum class Right : u16 {
    send = 1 << 0, // one-way sends, calls and signals
    receive = 1 << 1, // receive from the port
    send_once = 1 << 2, // a send or call closes the handle
    destroy = 1 << 3, // end the object itself
    derive = 1 << 4, // derive from it, or pass it on
    call = 1 << 5, // calls only: nobody can fill a ring with it
    read = 1 << 6, // map readable; read a thread's registers
    write = 1 << 7, // map writable; change a thread
    execute = 1 << 8, // map executable
    grant = 1 << 9, // give a task threads, memory and capabilities; learn a region's physical
                    // addresses, keep it mapped when it is revoked
};

// A set of rights. A plain word, because it travels in messages.
using Rights = u16;

constexpr Rights operator|(Right a, Right b)
{
    return static_cast<Rights>(static_cast<Rights>(a) | static_cast<Rights>(b));
}
constexpr Rights operator|(Rights a, Right b)
{
    return static_cast<Rights>(a | static_cast<Rights>(b));
}
constexpr Rights rights_of(Right right)
{
    return static_cast<Rights>(right);
}
constexpr bool has(Rights rights, Right right)
{
    return (rights & static_cast<Rights>(right)) != 0;
}

inline constexpr Rights rights_mask = 0x3FF;
inline constexpr Rights rights_all = rights_mask & ~static_cast<Rights>(Right::send_once);

} // namespace gemel
