// What the pager is for.
#pragma once

#include "tests/pager/cast.hpp"

namespace gemel::paged {

Result<void> use_sparse(Cast& cast);
Result<void> use_snapshot(Cast& cast);
Result<void> use_snapshot_while_written(Cast& cast);
Result<void> use_file(Cast& cast);
Result<void> use_file_snapshot(Cast& cast);

} // namespace gemel::paged
