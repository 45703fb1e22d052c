// Where calls are made that start a process.
#pragma once

#include <functional>

namespace gemel::fuse {

// Makes the call, and returns when it has, on a stack that a process made by fork() gets a copy of.
// A device's work is done on the stacks of tasks: they lie in memory of the machine, which parent
// and child would share, and each would go on in the other's frames. libfuse starts fusermount3 so
// for everybody but root.
void on_private_stack(std::function<void()> const& call);

} // namespace gemel::fuse
