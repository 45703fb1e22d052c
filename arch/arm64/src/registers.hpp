// System registers and the register offsets of the devices that the kernel itself drives. (GIC
// architecture specification, IHI 0048B and IHI 0069; PrimeCell UART PL011, DDI 0183.)
#pragma once

#include "core/base/types.hpp"

// A register's name is part of the instruction, so these two cannot be functions.
#define READ_REGISTER(name)                                                                        \
    ({                                                                                             \
        ::gemel::u64 value_;                                                                       \
        asm volatile("mrs %0, " #name : "=r"(value_));                                             \
        value_;                                                                                    \
    })
#define WRITE_REGISTER(name, value)                                                                \
    asm volatile("msr " #name ", %0" : : "r"(static_cast<::gemel::u64>(value)) : "memory")

namespace gemel::arch {

// Byte offsets. Each array of bits has a word for every 32 lines.
namespace gic {
inline constexpr u32 private_lines = 32;
inline constexpr u32 line_mask = 0x3FF;
// Distributor; in version 3 the private lines' part stands in the redistributor.
inline constexpr u32 control = 0x000;
inline constexpr u32 group = 0x080;
inline constexpr u32 enable = 0x100;
inline constexpr u32 disable = 0x180;
inline constexpr u32 priority = 0x400; // a byte a line
inline constexpr u32 software = 0xF00; // version 2: raises a processor's line
inline constexpr u32 target = 0x800; // version 2: a byte a line
inline constexpr u32 route = 0x6000; // version 3: 64 bits a line
// Version 2's processor interface.
inline constexpr u32 interface_control = 0x00;
inline constexpr u32 priority_mask = 0x04;
inline constexpr u32 acknowledge = 0x0C;
inline constexpr u32 end = 0x10;
} // namespace gic

namespace pl011 {
inline constexpr u32 data = 0x00;
inline constexpr u32 flags = 0x18;
inline constexpr u32 transmit_full = 1 << 5;
} // namespace pl011

} // namespace gemel::arch
