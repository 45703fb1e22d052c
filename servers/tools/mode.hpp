// What chmod takes for a mode (POSIX.1-2017, chmod, "extended description").
#pragma once

#include "core/base/types.hpp"

#include <optional>
#include <string_view>

namespace gemel::tools {

// The permission bits (07777) that `text` makes of `old`: octal, "755", or clauses such as
// "u+x,go-w" and "a=rX". X is x for directories and for files that have an x. Nothing when it is
// neither.
enum class ModeOf : u8 { file, directory };
std::optional<u16> changed_mode(std::string_view text, u16 old, ModeOf what);

} // namespace gemel::tools
