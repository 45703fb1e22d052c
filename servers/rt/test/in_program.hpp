// Runs a test's body as a program, the first task of a fresh hosted system: everything of the
// run-time on the real kernel. What the body allocates is the task's: let nothing of it outlive the
// body.
#pragma once

#include "servers/rt/rt.hpp"

#include <functional>

namespace gemel::hosted {
class System;
}

namespace gemel::test {

// The status with which the system powered off: 0 when the body returned. `prepare` may attach
// devices to the machine before it starts.
int in_program(
    std::function<void(Env&)> body, std::function<void(hosted::System&)> const& prepare = {});

// A thread of the task that runs the function, which must outlive it.
void in_thread(std::function<void()>& function, std::string_view name = "test");

} // namespace gemel::test
