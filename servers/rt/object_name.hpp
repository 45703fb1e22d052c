// What the kinds of objects are called in text.
#pragma once

#include "core/abi/operation.hpp"

#include <string_view>

namespace gemel {

// "unknown" for a value that is none of them.
std::string_view name_of(ObjectType type);

} // namespace gemel
