#include "servers/devices/found_device.hpp"

namespace gemel::devices {

std::string_view virtio_class(u32 device_id)
{
    switch (device_id) {
    case 1:
        return "net";
    case 2:
        return "block";
    case 3:
        return "virtio-console"; // "console" is what a person sits at
    case 4:
        return "entropy";
    case 9:
        return "9p";
    case 16:
        return "gpu";
    case 18:
        return "input";
    case 19:
        return "socket";
    default:
        return "virtio";
    }
}

} // namespace gemel::devices
