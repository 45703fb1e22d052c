#include "servers/tools/paths.hpp"

namespace gemel::tools {

std::string without_slashes(std::string path)
{
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    return path;
}

std::string last_name(std::string const& path)
{
    auto const whole = without_slashes(path);
    return whole == "/" ? whole : whole.substr(whole.rfind('/') + 1);
}

std::string join(std::string const& directory, std::string_view name)
{
    return concatenate(directory, directory.ends_with('/') ? "" : "/", name);
}

std::optional<Destination> Destination::of(Context& context, std::vector<std::string>& paths)
{
    auto result = Destination {};
    result.to_ = paths.back();
    paths.pop_back();
    auto const target = context.files().status(context.absolute(result.to_));
    result.into_ = target && target->kind == FileKind::directory;
    if (!result.into_ && paths.size() > 1) {
        context.fail(result.to_, Error::not_directory);
        return std::nullopt;
    }
    return result;
}

std::string Destination::for_source(std::string const& from) const
{
    return into_ ? join(to_, last_name(from)) : to_;
}

} // namespace gemel::tools
