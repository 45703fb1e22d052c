// Assertions are always on. A failed one is a bug of ours, never of the input.
#pragma once

namespace gemel {

// Provided by whoever owns the machine or the task; does not return.
[[noreturn]] void assertion_failed(char const* expression, char const* file, int line);

} // namespace gemel

#define ASSERT(expression)                                                                         \
    (static_cast<bool>(expression) ? static_cast<void>(0)                                          \
                                   : ::gemel::assertion_failed(#expression, __FILE__, __LINE__))
