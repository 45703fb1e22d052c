#include "tests/native/walls.hpp"

namespace gemel {

std::span<KernelAddress const> kernel_addresses()
{
    static constexpr KernelAddress addresses[] = {
        { 0xFFFF'8000'0020'0000, "the direct map" },
        { 0xFFFF'FFFF'8020'C000, "the kernel's image" },
    };
    return addresses;
}

} // namespace gemel
