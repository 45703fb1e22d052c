// What a device model looks like to the hosted machine: a file of registers at I/O ports.
#pragma once

#include "core/base/types.hpp"

namespace gemel::hosted {

class Device {
public:
    virtual ~Device() = default;
    // `offset` from the device's first port; `bytes` is 1, 2 or 4.
    virtual u32 read(u32 offset, u32 bytes) = 0;
    virtual void write(u32 offset, u32 bytes, u32 value) = 0;
};

} // namespace gemel::hosted
