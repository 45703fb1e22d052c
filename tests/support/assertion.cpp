// In a unit test a failed assertion ends the process with what failed. Weak: a test that runs the
// hosted machine has the machine's own.
#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace gemel {

[[gnu::weak]] void assertion_failed(char const* expression, char const* file, int line)
{
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    std::abort();
}

} // namespace gemel
