// Paths as text.
#pragma once

#include <string>
#include <string_view>

namespace gemel::gsh {

std::string join_path(std::string_view directory, std::string_view name);
// `path` seen from `directory`, without ".", ".." and double slashes. Always starts with a slash;
// ends with one only when it is "/".
std::string absolute_path(std::string_view directory, std::string_view path);

} // namespace gemel::gsh
