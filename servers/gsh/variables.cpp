#include "servers/gsh/variables.hpp"

namespace gemel::gsh {
namespace {

std::string joined(std::vector<std::string> const& arguments)
{
    auto result = std::string {};
    for (usize i = 1; i < arguments.size(); ++i)
        result.append(i == 1 ? "" : " ").append(arguments[i]);
    return result;
}

} // namespace

std::string Variables::get(std::string_view name) const
{
    if (name == "?")
        return std::to_string(status);
    if (name == "#")
        return std::to_string(arguments.size() - 1);
    if (name == "$")
        return get("GSH_TASK");
    if (name == "@" || name == "*")
        return joined(arguments);
    if (name.size() == 1 && name[0] >= '0' && name[0] <= '9') {
        auto const index = static_cast<usize>(name[0] - '0');
        return index < arguments.size() ? arguments[index] : std::string {};
    }
    auto const found = values_.find(name);
    return found == values_.end() ? std::string {} : found->second.text;
}

void Variables::set(std::string_view name, std::string_view value, Export how)
{
    auto& variable = values_[std::string(name)];
    variable.text = value;
    variable.exported = variable.exported || how == Export::yes;
}

std::vector<std::string> Variables::exported() const
{
    auto result = std::vector<std::string> {};
    for (auto const& [name, value] : values_)
        if (value.exported)
            result.push_back(name + "=" + value.text);
    return result;
}

std::vector<std::string> Variables::all() const
{
    auto result = std::vector<std::string> {};
    for (auto const& [name, value] : values_)
        result.push_back(name + "=" + value.text);
    return result;
}

} // namespace gemel::gsh
