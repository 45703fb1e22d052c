#include "servers/gsh/path.hpp"

namespace gemel::gsh {

std::string join_path(std::string_view directory, std::string_view name)
{
    auto result = std::string(directory);
    if (!result.ends_with('/'))
        result += '/';
    return result.append(name);
}

std::string absolute_path(std::string_view directory, std::string_view path)
{
    auto const whole = path.starts_with('/') ? std::string(path) : join_path(directory, path);
    auto result = std::string {};
    for (std::size_t begin = 0; begin < whole.size();) {
        auto const end = std::min(whole.find('/', begin), whole.size());
        auto const element = std::string_view(whole).substr(begin, end - begin);
        if (element == "..")
            result.erase(std::min(result.rfind('/'), result.size()));
        else if (!element.empty() && element != ".")
            result.append("/").append(element);
        begin = end + 1;
    }
    return result.empty() ? "/" : result;
}

} // namespace gemel::gsh
