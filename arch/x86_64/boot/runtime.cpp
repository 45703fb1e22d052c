// What the language asks for in boot code alone: the resident kernel compares no memory and asserts
// when it is compiled, and would not link with these.
#include <gemel/arch/machine.hpp>

#include "core/base/assert.hpp"

using gemel::usize;

extern "C" int memcmp(void const* a, void const* b, usize bytes)
{
    auto const* left = static_cast<unsigned char const*>(a);
    auto const* right = static_cast<unsigned char const*>(b);
    for (usize index = 0; index < bytes; ++index) {
        if (left[index] != right[index])
            return left[index] - right[index];
    }
    return 0;
}

namespace gemel {

void assertion_failed(char const* expression, char const* file, int line)
{
    constexpr u8 status_of_panic = 125;
    auto& machine = arch::machine;
    machine.print("\ngemel: kernel assertion ");
    machine.print(expression);
    machine.print(" in ");
    machine.print(file);
    machine.print(", line ");
    for (int unit = 1000; unit != 0; unit /= 10)
        machine.console_write(static_cast<char>('0' + line / unit % 10));
    machine.power_off(status_of_panic);
    __builtin_unreachable();
}

} // namespace gemel
