// An assertion of the kernel, of a device model or of a task: the process ends where a debugger can
// look.
#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace gemel {

// An assertion of the kernel or of a device model; a task's own goes to its run-time first.
void assertion_failed(char const* expression, char const* file, int line)
{
    std::fprintf(stderr, "gemel: assertion failed: %s (%s:%d)\n", expression, file, line);
    std::abort();
}

} // namespace gemel
