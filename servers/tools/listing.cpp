// ls and stat.
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"

#include <algorithm>

namespace gemel::tools {
namespace {

constexpr u32 depth_max = 64; // of ls -R

struct Entry {
    std::string name;
    std::string path; // absolute
    FileKind kind = FileKind::regular;
};

struct Listing {
    Context& context;
    Context::Options options;
    std::optional<u64> columns; // a terminal's width
    int status = status_ok;
    bool first = true;
};

std::string join(std::string const& directory, std::string_view name)
{
    return concatenate(directory, directory.ends_with('/') ? "" : "/", name);
}

std::optional<u64> terminal_columns(Context& context)
{
    auto const columns = context.env().variable("COLUMNS");
    if (!columns)
        return std::nullopt;
    auto const status = context.out().file().status();
    if (!status || status->kind != FileKind::character_device)
        return std::nullopt;
    return context.number(*columns);
}

std::vector<std::string> long_row(Listing& listing, Entry const& entry, FileStatus const& status)
{
    auto name = entry.name;
    if (status.kind == FileKind::symlink)
        if (auto const target = listing.context.files().link_text(entry.path))
            name += " -> " + *target;
    auto const size
        = listing.options.has('h') ? human_size(status.size) : std::to_string(status.size);
    return { mode_text(status.kind, status.mode), std::to_string(status.links),
        std::to_string(status.uid), std::to_string(status.gid), size, time_text(status.modified_ns),
        name };
}

void show_long(Listing& listing, std::vector<Entry> const& entries)
{
    auto table = Table({ Align::left, Align::right, Align::left, Align::left, Align::right,
        Align::left, Align::left });
    for (auto const& entry : entries) {
        auto const status = listing.context.files().status(entry.path, LastLink::keep);
        if (status)
            table.add(long_row(listing, entry, *status));
        else
            listing.status = listing.context.fail(entry.name, status.error());
    }
    listing.context.out().write(table.text());
}

void show(Listing& listing, std::vector<Entry> const& entries)
{
    if (listing.options.has('l')) {
        show_long(listing, entries);
        return;
    }
    auto names = std::vector<std::string> {};
    for (auto const& entry : entries)
        names.push_back(entry.name);
    if (listing.columns && !listing.options.has('1')) {
        listing.context.out().write(in_columns(names, *listing.columns));
        return;
    }
    for (auto const& name : names)
        listing.context.out().line(name);
}

Result<std::vector<Entry>> entries_of(Listing& listing, std::string const& path)
{
    auto result = std::vector<Entry> {};
    if (listing.options.has('a'))
        for (auto const* name : { ".", ".." })
            result.push_back({ name, join(path, name), FileKind::directory });
    for (auto const& entry : TRY(listing.context.files().list(path)))
        if (listing.options.has('a') || !entry.name.starts_with('.'))
            result.push_back({ entry.name, join(path, entry.name), entry.kind });
    return result;
}

// `shown` is the path as the user wrote it.
void list_directory(
    Listing& listing, std::string const& shown, std::string const& path, u32 depth, bool titled)
{
    auto& context = listing.context;
    auto const entries = entries_of(listing, path);
    if (!entries) {
        listing.status = context.fail(shown, entries.error());
        return;
    }
    if (titled)
        context.out().line((listing.first ? "" : "\n") + shown + ":");
    listing.first = false;
    show(listing, *entries);
    if (!listing.options.has('R'))
        return;
    if (depth >= depth_max) {
        listing.status = context.fail(shown, Error::too_big);
        return;
    }
    for (auto const& entry : *entries)
        if (entry.kind == FileKind::directory && entry.name != "." && entry.name != ".."
            && !context.out().error())
            list_directory(listing, join(shown, entry.name), entry.path, depth + 1, true);
}

void stat_lines(Context& context, std::string const& path, FileStatus const& status)
{
    auto& out = context.out();
    out.line("  path: " + path);
    if (status.kind == FileKind::symlink)
        if (auto const target = context.files().link_text(context.absolute(path)))
            out.line("  leads to: " + *target);
    out.line(concatenate("  size: ", status.size, " bytes, ", status.blocks, " blocks of 512"));
    out.line(concatenate("  mode: ", mode_text(status.kind, status.mode), "  links: ", status.links,
        "  inode: ", status.inode));
    out.line(concatenate("  owner: ", status.uid, "  group: ", status.gid));
    out.line("  modified: " + time_text(status.modified_ns));
    out.line("  changed:  " + time_text(status.changed_ns));
    out.line("  accessed: " + time_text(status.accessed_ns));
}

} // namespace

int run_ls(Context& context)
{
    auto options = context.options("adhlR1");
    if (!options)
        return status_usage;
    auto listing = Listing { context, *options, terminal_columns(context) };
    auto paths = options->operands;
    if (paths.empty())
        paths.emplace_back(".");
    auto files = std::vector<Entry> {};
    auto directories = std::vector<std::string> {};
    for (auto const& path : paths) {
        auto const absolute = context.absolute(path);
        auto status = context.files().status(absolute);
        // A link that leads nowhere is still something to show.
        if (!status)
            status = context.files().status(absolute, LastLink::keep);
        if (!status)
            listing.status = context.fail(path, status.error());
        else if (status->kind == FileKind::directory && !options->has('d'))
            directories.push_back(path);
        else
            files.push_back({ path, absolute, status->kind });
    }
    if (!files.empty()) {
        show(listing, files);
        listing.first = false;
    }
    auto const titled = paths.size() > 1 || options->has('R');
    for (auto const& path : directories)
        list_directory(listing, path, context.absolute(path), 0, titled);
    return listing.status;
}

int run_stat(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    if (options->operands.empty())
        return context.usage("needs a path");
    auto result = status_ok;
    for (auto const& path : options->operands) {
        auto const status = context.files().status(context.absolute(path), LastLink::keep);
        if (status)
            stat_lines(context, path, *status);
        else
            result = context.fail(path, status.error());
    }
    return result;
}

} // namespace gemel::tools
