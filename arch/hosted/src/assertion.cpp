// An assertion of the kernel, of a device model or of a task: the process ends where a debugger can
// look.
#include "core/base/assert.hpp"

#include <gemel/hosted/system.hpp>

#include <cstdio>
#include <cstdlib>

namespace gemel {

// An assertion of the kernel or of a device model; a task's own goes to its run-time first.
void assertion_failed(char const* expression, char const* file, int line)
{
    char text[512];
    std::snprintf(text, sizeof text, "assertion failed: %s (%s:%d)", expression, file, line);
    if (auto* system = hosted::running(); system && system->machine().world())
        system->machine().world()->broke(text);
    std::fprintf(stderr, "gemel: %s\n", text);
    std::abort();
}

} // namespace gemel
