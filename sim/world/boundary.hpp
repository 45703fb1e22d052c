// What an event of L1 says of a kernel entry: alike in every world.
#pragma once

#include "core/kernel.hpp"
#include "sim/trace/trace.hpp"

namespace gemel::sim {

// Of `thread`, which makes the call that is in its frame. Without its time.
Event entry_event(Kernel& kernel, Thread& thread);

// What the call wants besides its number: the operation of a message or on a capability, the bits
// of a signal. No addresses.
u32 asked_of(Thread& thread);

// The call ends the task with the status of a failed assertion: it has found a bug.
bool ends_by_assertion(Thread& thread);

} // namespace gemel::sim
