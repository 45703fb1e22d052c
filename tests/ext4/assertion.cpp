// In these tests a failed assertion ends the process: no disk content may cause one.
#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace gemel {

void assertion_failed(char const* expression, char const* file, int line)
{
    std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    std::abort();
}

} // namespace gemel
