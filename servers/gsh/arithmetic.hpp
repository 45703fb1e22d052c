// $((...)): whole numbers of 64 bits, + - * / % << >> and parentheses, comparisons
// and ! && ||.
#pragma once

#include "core/base/types.hpp"

#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace gemel::gsh {

using NumberOf = std::function<std::string(std::string_view name)>;

// The value, or what is wrong in words. A name, with or without $, stands for the variable's value;
// one that is empty counts as 0. Overflow wraps. Division by zero is refused.
std::expected<i64, std::string> evaluate(std::string_view expression, NumberOf const& value_of);

// The whole of `text` as a number, with sign; "0x" is understood.
std::expected<i64, std::string> number_in(std::string_view text);

} // namespace gemel::gsh
