// What the kernel refuses: each function tries one kind of thing and says what came of it, a line
// each.
#pragma once

#include <string>

namespace gemel::mischief {

std::string try_handles(); // forged, stale, of another type, closed twice
std::string try_dead_port();
// Of the text, of two threads' stacks, of the heap, of a large block and of shared memory: the next
// run must not share them.
std::string show_places();
std::string try_memory(); // until the quota ends; then it is given back
std::string try_ports(); // the same with ports
std::string try_threads(); // the same with threads

} // namespace gemel::mischief
