// The clocks that machines have, each read once.
#pragma once

#include "servers/protocols/devices.hpp"
#include "servers/rt/handle.hpp"

namespace gemel::clock {

// Seconds since 1970. Error::corrupt: the chip says no time that could be.
Result<u64> read_cmos(protocol::Device::Window::Reply window);
Result<u64> read_pl031(protocol::Device::Window::Reply window);

} // namespace gemel::clock
