// A device's registers: x86 I/O ports through the PIO broker, or a region that maps them. Which of
// the two, the device manager says at run time.
#pragma once

#include "servers/protocols/devices.hpp"
#include "servers/rt/broker.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

namespace gemel::console {

class Registers {
public:
    virtual ~Registers() = default;
    // Offsets in bytes. A 16550's registers are bytes, a PL011's words of 32 bits. A read that the
    // broker refuses gives all ones, as a bus without a device does.
    virtual u32 read(u32 offset) = 0;
    virtual void write(u32 offset, u32 value) = 0;

    static Result<Own<Registers>> open(
        protocol::Device::Window::Reply window, protocol::DeviceKind device);
};

} // namespace gemel::console
