// ls and stat.
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"

#include <algorithm>
#include <deque>

namespace gemel::tools {
namespace {

constexpr u32 depth_max = 64; // of ls -R

// What a directory of many thousands costs is this for each, and nothing beside it. Without -l only
// the kind is known.
using Entry = fskit::Files::ListedStatus;
using Entries = std::deque<Entry>;

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

// `directory` is where the entry lies; none: it was named on the command line.
std::string path_of(Listing& listing, std::optional<std::string_view> directory, Entry const& entry)
{
    return directory ? join(std::string(*directory), entry.name)
                     : listing.context.absolute(entry.name);
}

std::vector<std::string> long_row(Listing& listing, Entry const& entry)
{
    auto const& status = entry.status;
    auto const size
        = listing.options.has('h') ? human_size(status.size) : std::to_string(status.size);
    return { mode_text(status.kind, status.mode), std::to_string(status.links),
        std::to_string(status.uid), std::to_string(status.gid), size,
        time_text(status.modified_ns) };
}

// Rows are made twice, to measure and to write them: a table of them all would be as large as the
// directory many times over.
void show_long(Listing& listing, std::optional<std::string_view> directory, Entries const& entries)
{
    auto layout = Layout(
        { Align::left, Align::right, Align::left, Align::left, Align::right, Align::left });
    for (auto const& entry : entries)
        layout.measure(long_row(listing, entry));
    for (auto const& entry : entries) {
        auto line = layout.line(long_row(listing, entry)) + "  " + entry.name;
        if (entry.status.kind == FileKind::symlink) {
            auto const path = path_of(listing, directory, entry);
            if (auto const target = listing.context.files().link_text(path))
                line += " -> " + *target;
        }
        listing.context.out().line(line);
    }
}

void show(Listing& listing, std::optional<std::string_view> directory, Entries const& entries)
{
    if (listing.options.has('l')) {
        show_long(listing, directory, entries);
        return;
    }
    if (listing.columns && !listing.options.has('1')) {
        auto names = std::vector<std::string> {};
        for (auto const& entry : entries)
            names.push_back(entry.name);
        listing.context.out().write(in_columns(names, *listing.columns));
        return;
    }
    for (auto const& entry : entries)
        listing.context.out().line(entry.name);
}

// A directory may be a mount point, of which the file system below knows nothing: the vfs is asked.
Result<Entries> entries_with_status(Listing& listing, std::string const& path)
{
    auto& files = listing.context.files();
    auto entries = TRY(files.list_status(path));
    for (auto& entry : entries) {
        if (entry.status.kind != FileKind::directory)
            continue;
        if (auto const known = files.status(join(path, entry.name), LastLink::keep))
            entry.status = *known;
    }
    return entries;
}

Result<Entries> entries_with_kind(Listing& listing, std::string const& path)
{
    auto entries = Entries {};
    // One goes as the other comes: a long listing does not fit twice.
    for (auto all = TRY(listing.context.files().list(path)); !all.empty(); all.pop_front())
        entries.push_back({ std::move(all.front().name), { .kind = all.front().kind } });
    return entries;
}

Result<Entries> entries_of(Listing& listing, std::string const& path)
{
    auto const all = listing.options.has('l') ? entries_with_status : entries_with_kind;
    auto entries = TRY(all(listing, path));
    if (!listing.options.has('a')) {
        std::erase_if(entries, [](Entry const& entry) { return entry.name.starts_with('.'); });
        return entries;
    }
    for (auto const* name : { "..", "." })
        entries.push_front({ name, TRY(listing.context.files().status(join(path, name))) });
    return entries;
}

// `shown` is the path as the user wrote it.
void list_directory(
    Listing& listing, std::string const& shown, std::string const& path, u32 depth, bool titled)
{
    auto& context = listing.context;
    auto entries = entries_of(listing, path);
    if (!entries) {
        listing.status = context.fail(shown, entries.error());
        return;
    }
    if (titled)
        context.out().line((listing.first ? "" : "\n") + shown + ":");
    listing.first = false;
    show(listing, path, *entries);
    if (!listing.options.has('R'))
        return;
    if (depth >= depth_max) {
        listing.status = context.fail(shown, Error::too_big);
        return;
    }
    std::erase_if(*entries, [](Entry const& entry) {
        return entry.status.kind != FileKind::directory || entry.name == "." || entry.name == "..";
    });
    for (auto const& entry : *entries)
        if (!context.out().error())
            list_directory(
                listing, join(shown, entry.name), join(path, entry.name), depth + 1, true);
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
    auto files = Entries {};
    auto directories = std::vector<std::string> {};
    for (auto const& path : paths) {
        auto const absolute = context.absolute(path);
        auto status = context.files().status(absolute);
        // With -l a link to a file is shown itself; one that leads nowhere is still something to
        // show.
        if (!status
            || (options->has('l') && (options->has('d') || status->kind != FileKind::directory)))
            status = context.files().status(absolute, LastLink::keep);
        if (!status)
            listing.status = context.fail(path, status.error());
        else if (status->kind == FileKind::directory && !options->has('d'))
            directories.push_back(path);
        else
            files.push_back({ path, *status });
    }
    if (!files.empty()) {
        show(listing, std::nullopt, files);
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
