// A device's registers: ports through the PIO broker, or a region that maps them. Which of the two,
// the device manager says at run time.
#pragma once

#include "servers/protocols/devices.hpp"
#include "servers/rt/broker.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

namespace gemel::block {

class RegisterWindow {
public:
    virtual ~RegisterWindow() = default;
    // `bytes` is 1, 2 or 4; `offset` a multiple of it, inside the window. A read that is refused
    // gives all ones, as a bus without a device does.
    virtual u32 read(u32 offset, u32 bytes) = 0;
    virtual void write(u32 offset, u32 bytes, u32 value) = 0;
    u32 bytes() const { return bytes_; }

    // What the device manager gave for a role. Errors: its own, and invalid.
    static Result<Own<RegisterWindow>> open(
        Client<protocol::Device> const& device, protocol::WindowRole role);

protected:
    explicit RegisterWindow(u32 bytes)
        : bytes_(bytes)
    {
    }

private:
    u32 bytes_;
};

} // namespace gemel::block
