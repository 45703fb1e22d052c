// Tools that make, remove and rename names: basename, dirname, ln, mkdir, mv, readlink, rmdir,
// touch.
#include "servers/tools/commands.hpp"
#include "servers/tools/paths.hpp"

namespace gemel::tools {
namespace {

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

int run_ln(Context& context)
{
    auto const options = context.options("fs");
    if (!options)
        return status_usage;
    auto paths = options->operands;
    if (paths.empty())
        return context.usage("needs what a name leads to");
    if (paths.size() == 1)
        paths.emplace_back(".");
    auto const destination = Destination::of(context, paths);
    if (!destination)
        return status_failed;
    auto status = status_ok;
    for (auto const& from : paths) {
        auto const to = destination->for_source(from);
        auto const path = context.absolute(to);
        if (options->has('f'))
            static_cast<void>(
                context.files().remove(path)); // what is there then, the next step says
        auto const made = options->has('s') ? context.files().make_symlink(path, from)
                                            : context.files().link(context.absolute(from), path);
        if (!made)
            status = context.fail(to, made.error());
    }
    return status;
}

int run_mv(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    auto paths = options->operands;
    if (paths.size() < 2)
        return context.usage("needs what to rename and what to");
    auto const destination = Destination::of(context, paths);
    if (!destination)
        return status_failed;
    auto status = status_ok;
    for (auto const& from : paths) {
        auto const to = context.absolute(destination->for_source(from));
        if (auto const done = context.files().rename(context.absolute(from), to); !done)
            status = context.fail(from, done.error());
    }
    return status;
}

int run_touch(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    return for_each_path(context, options->operands, [&](std::string const& path) -> Result<void> {
        if (!context.files().status(path))
            static_cast<void>(TRY(context.files().open(path, OpenFlag::write | OpenFlag::create)));
        return context.files().set_attributes(path,
            { .changes = static_cast<u32>(AttributeChange::accessed_now)
                    | static_cast<u32>(AttributeChange::modified_now) });
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
