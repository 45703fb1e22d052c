// The words of init's boot arguments that it understands itself (docs/booting.md).
#pragma once

#include "core/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gemel::init {

// Undoes the percent-escaping of GEMEL_COMMAND. syntax: a percent sign without two hexadecimal
// digits.
Result<std::string> unescape(std::string_view word);

} // namespace gemel::init
