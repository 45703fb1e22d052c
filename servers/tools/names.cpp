// Tools that make, remove and rename names: basename, dirname, mkdir, mv, readlink, rm, rmdir,
// touch.
#include "servers/tools/commands.hpp"

namespace gemel::tools {
namespace {

constexpr u32 depth_max = 64; // of rm -r

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

// Runs `work` on the absolute path of each operand; at least one is needed.
template <typename Work>
int for_each_path(Context& context, std::vector<std::string> const& paths, Work const& work)
{
    if (paths.empty())
        return context.usage("needs a path");
    auto status = status_ok;
    for (auto const& path : paths)
        if (Result<void> const done = work(context.absolute(path)); !done)
            status = context.fail(path, done.error());
    return status;
}

Result<void> make_parents(Context& context, std::string const& path)
{
    for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        auto const part = path.substr(0, slash);
        auto const made = context.files().make_directory(part);
        // On the way, what is there already may be anything that leads on.
        if (!made && (made.error() != Error::exists || slash == std::string::npos)) {
            auto const present = context.files().status(part);
            if (!present || present->kind != FileKind::directory)
                return made.error();
        }
        if (slash == std::string::npos)
            return {};
    }
}

Result<void> remove_tree(Context& context, std::string const& path, u32 depth)
{
    if (depth > depth_max)
        return Error::too_big;
    auto const status = TRY(context.files().status(path, LastLink::keep));
    if (status.kind != FileKind::directory)
        return context.files().remove(path);
    for (auto const& entry : TRY(context.files().list(path)))
        TRY(remove_tree(context, path + "/" + entry.name, depth + 1));
    return context.files().remove(path, RemoveKind::directory);
}

} // namespace

int run_basename(Context& context)
{
    auto const arguments = context.arguments();
    if (arguments.empty() || arguments.size() > 2)
        return context.usage("needs a path");
    auto name = last_name(arguments[0]);
    if (arguments.size() == 2 && name.size() > arguments[1].size() && name.ends_with(arguments[1]))
        name.resize(name.size() - arguments[1].size());
    context.out().line(name);
    return status_ok;
}

int run_dirname(Context& context)
{
    auto const arguments = context.arguments();
    if (arguments.size() != 1)
        return context.usage("needs a path");
    auto const path = without_slashes(arguments[0]);
    auto const slash = path.rfind('/');
    context.out().line(slash == std::string::npos ? "."
            : slash == 0                          ? "/"
                                                  : without_slashes(path.substr(0, slash)));
    return status_ok;
}

int run_mkdir(Context& context)
{
    auto const options = context.options("p");
    if (!options)
        return status_usage;
    return for_each_path(context, options->operands, [&](std::string const& path) {
        return options->has('p') ? make_parents(context, without_slashes(path))
                                 : context.files().make_directory(path);
    });
}

int run_rmdir(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    return for_each_path(context, options->operands, [&](std::string const& path) {
        return context.files().remove(path, RemoveKind::directory);
    });
}

int run_rm(Context& context)
{
    auto const options = context.options("rf");
    if (!options)
        return status_usage;
    if (options->operands.empty() && options->has('f'))
        return status_ok;
    return for_each_path(context, options->operands, [&](std::string const& path) -> Result<void> {
        auto const removed
            = options->has('r') ? remove_tree(context, path, 0) : context.files().remove(path);
        if (!removed && removed.error() == Error::not_found && options->has('f'))
            return {};
        return removed;
    });
}

int run_mv(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    auto paths = options->operands;
    if (paths.size() < 2)
        return context.usage("needs what to rename and what to");
    auto const to = paths.back();
    paths.pop_back();
    auto const target = context.files().status(context.absolute(to));
    auto const into = target && target->kind == FileKind::directory;
    if (!into && paths.size() > 1)
        return context.fail(to, Error::not_directory);
    return for_each_path(context, paths, [&](std::string const& from) {
        auto const name = into ? to + "/" + last_name(from) : to;
        return context.files().rename(from, context.absolute(name));
    });
}

int run_touch(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    return for_each_path(context, options->operands, [&](std::string const& path) -> Result<void> {
        static_cast<void>(TRY(context.files().open(path, OpenFlag::write | OpenFlag::create)));
        return {};
    });
}

int run_readlink(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    return for_each_path(context, options->operands, [&](std::string const& path) -> Result<void> {
        context.out().line(TRY(context.files().link_text(path)));
        return {};
    });
}

} // namespace gemel::tools
