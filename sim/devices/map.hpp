// Where the hosted machine's devices answer. Drivers do not include this: they look (README.md).
#pragma once

#include "core/base/types.hpp"

namespace gemel::sim {

inline constexpr u32 uart_port = 0x3F8;
inline constexpr u32 uart_ports = 8;
inline constexpr u32 uart_line = 4;

inline constexpr u32 clock_port = 0x70;
inline constexpr u32 clock_ports = 2;

inline constexpr u32 virtio_port = 0x1000; // of the first
inline constexpr u32 virtio_ports = 0x200; // each
inline constexpr u32 virtio_line = 8; // of the first
inline constexpr u32 virtio_devices_max = 8;

} // namespace gemel::sim
