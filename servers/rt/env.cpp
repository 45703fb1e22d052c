#include "servers/rt/env.hpp"

#include <cstring>

namespace gemel {
namespace {

// The strings of the startup page's text, one after the other. What is cut off ends the list.
class Strings {
public:
    explicit Strings(Startup const& startup)
        : text_(startup.text.data(), std::min<usize>(startup.text_bytes, startup_text_max))
    {
    }
    std::vector<std::string_view> take(u32 count)
    {
        std::vector<std::string_view> strings;
        for (u32 i = 0; i < count && !text_.empty(); ++i) {
            auto const end = text_.find('\0');
            strings.push_back(text_.substr(0, end));
            text_.remove_prefix(end == text_.npos ? text_.size() : end + 1);
        }
        return strings;
    }

private:
    std::string_view text_;
};

} // namespace

Env::Env(Startup const& startup)
    : startup_(startup)
{
    Strings strings { startup };
    arguments_ = strings.take(startup.argument_count);
    variables_ = strings.take(startup.variable_count);
    auto const count = std::min<usize>(startup.capability_count, startup_capabilities_max);
    for (usize i = 0; i < count; ++i) {
        auto const& given = startup.capabilities[i];
        std::string_view const name { given.name, strnlen(given.name, sizeof(given.name)) };
        given_.push_back({ name, Handle(given.handle) });
    }
    if (auto port = take_handle("port"))
        port_ = std::move(*port);
    auto const name = arguments_.empty() ? std::string_view() : arguments_[0];
    if (auto client = take<protocol::Log>("log"))
        log_.connect(std::move(*client), name);
    else
        log_.connect({}, name);
}

std::optional<std::string_view> Env::variable(std::string_view name) const
{
    for (auto const& variable : variables_)
        if (variable.size() > name.size() && variable.starts_with(name)
            && variable[name.size()] == '=')
            return variable.substr(name.size() + 1);
    return std::nullopt;
}

Result<Handle> Env::take_handle(std::string_view name)
{
    for (auto& given : given_)
        if (given.name == name && given.handle)
            return std::move(given.handle);
    return Error::not_found;
}

bool Env::has(std::string_view name) const
{
    for (auto const& given : given_)
        if (given.name == name && given.handle)
            return true;
    return false;
}

} // namespace gemel
