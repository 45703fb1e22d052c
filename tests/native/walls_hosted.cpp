// The walls on a hosted machine with isolation: native_walls isolate=1 [cpus=N]
#include "tests/native/walls.hpp"

#include <gemel/hosted/system.hpp>

namespace gemel {

std::span<KernelAddress const> kernel_addresses()
{
    static KernelAddress const addresses[] = {
        { arch::Machine::arena_address + arch::Machine::first_physical, "the machine's memory" },
        { arch::Machine::arena_address + (48u << 20), "the machine's memory, further up" },
        { reinterpret_cast<u64>(&hosted::running()->kernel()), "the kernel" },
    };
    return addresses;
}

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    Checks checks { *startup };
    walls(checks);
    checks.end();
}
