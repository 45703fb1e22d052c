// What tasks' fresh heap memory holds: code whose result depends on it reads before it writes.
#pragma once

#include "core/base/types.hpp"

namespace gemel::hosted {

// 0: what happens to be there.
void fill_fresh_memory(u8 value);
[[gnu::weak]] u8 fresh_memory_fill(); // weak: a test may have no machine

} // namespace gemel::hosted
