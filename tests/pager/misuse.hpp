// What goes wrong with it, and what is tried against it.
#pragma once

#include "tests/pager/cast.hpp"

namespace gemel::paged {

Result<void> touch_before(Cast& cast);
Result<void> touch_behind(Cast& cast);
Result<void> touch_unmapped(Cast& cast);
Result<void> touch_too_much(Cast& cast);
Result<void> ask_nonsense(Cast& cast);
Result<void> use_a_broken_file(Cast& cast);
Result<void> use_a_silent_file(Cast& cast);
Result<void> kill_the_pager(Cast& cast);
Result<void> kill_the_pager_amid_a_fault(Cast& cast);
Result<void> show_place(Cast& cast);

} // namespace gemel::paged
