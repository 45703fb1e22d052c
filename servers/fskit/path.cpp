// Path text (see path.hpp).
#include "servers/fskit/path.hpp"

#include <algorithm>

namespace gemel::fskit {

namespace {

PathEnding ending_of(std::string_view path)
{
    if (path.back() == '/')
        return PathEnding::slash;
    auto const slash = path.rfind('/');
    auto const last = slash == std::string_view::npos ? path : path.substr(slash + 1);
    return last == "." || last == ".." ? PathEnding::dot : PathEnding::name;
}

} // namespace

Result<SplitPath> split_path(std::string_view path)
{
    if (path.empty())
        return Error::not_found;
    if (path.size() > path_bytes_max)
        return Error::name_too_long;
    if (path.find('\0') != std::string_view::npos)
        return Error::invalid;
    constexpr std::ptrdiff_t usual_components_max = 8;
    SplitPath split { .components = {}, .ending = ending_of(path) };
    auto const components = 1 + std::count(path.begin(), path.end(), '/');
    split.components.reserve(static_cast<usize>(std::min(components, usual_components_max)));
    while (!path.empty()) {
        auto const component = take_component(path);
        if (component.size() > name_bytes_max)
            return Error::name_too_long;
        if (!component.empty() && component != ".")
            split.components.emplace_back(component);
    }
    return split;
}

Result<void> check_name(std::string_view name)
{
    if (name.empty() || name == "." || name == "..")
        return Error::invalid;
    if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos)
        return Error::invalid;
    if (name.size() > name_bytes_max)
        return Error::name_too_long;
    return {};
}

std::string join_components(std::vector<std::string> const& components, usize begin, usize end)
{
    usize bytes = 0;
    for (auto i = begin; i < end; ++i)
        bytes += components[i].size() + 1;
    std::string joined;
    joined.reserve(bytes);
    for (auto i = begin; i < end; ++i) {
        if (i != begin)
            joined += '/';
        joined += components[i];
    }
    return joined;
}

std::string_view take_component(std::string_view& path)
{
    auto const slash = path.find('/');
    auto const component = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view {} : path.substr(slash + 1);
    return component;
}

} // namespace gemel::fskit
