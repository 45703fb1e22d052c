// ls and stat.
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"
#include "servers/tools/paths.hpp"

#include <algorithm>
#include <deque>

namespace gemel::tools {
namespace {

// What is shown of a file; without -l only the kind is known.
struct Entry {
    std::string_view name;
    u64 size = 0;
    FileTime modified;
    u32 links = 0;
    u32 uid = 0;
    u32 gid = 0;
    u16 mode = 0;
    FileKind kind = FileKind::regular;
};

// A directory of many thousands must fit into a small program: names lie one behind the other, and
// nothing grows by being copied.
class Entries {
public:
    void add(std::string_view name, FileStatus const& status)
    {
        entries_.push_back({ keep(name), status.size, status.modified, status.links, status.uid,
            status.gid, status.mode, status.kind });
    }
    void sort()
    {
        std::sort(entries_.begin(), entries_.end(),
            [](Entry const& a, Entry const& b) { return a.name < b.name; });
    }
    // Of those that are not directories nothing is needed any more.
    void keep_directories()
    {
        std::erase_if(entries_, [](Entry const& entry) {
            return entry.kind != FileKind::directory || entry.name == "." || entry.name == "..";
        });
    }
    bool empty() const { return entries_.empty(); }
    auto begin() const { return entries_.begin(); }
    auto end() const { return entries_.end(); }

private:
    static constexpr usize block_bytes = 4000;

    std::string_view keep(std::string_view name)
    {
        if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < name.size()) {
            blocks_.emplace_back();
            blocks_.back().reserve(std::max(block_bytes, name.size()));
        }
        auto& block = blocks_.back();
        block += name; // within its capacity: what lies there stays in its place
        return std::string_view(block).substr(block.size() - name.size());
    }

    std::deque<Entry> entries_;
    std::deque<std::string> blocks_;
};

struct Listing {
    Context& context;
    Context::Options options;
    std::optional<u64> columns; // a terminal's width
    int status = status_ok;
    bool first = true;
};

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
                     : listing.context.absolute(std::string(entry.name));
}

std::vector<std::string> long_row(Listing& listing, Entry const& entry)
{
    auto const size
        = listing.options.has('h') ? human_size(entry.size) : std::to_string(entry.size);
    return { mode_text(entry.kind, entry.mode), std::to_string(entry.links),
        std::to_string(entry.uid), std::to_string(entry.gid), size, time_text(entry.modified) };
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
        auto line = layout.line(long_row(listing, entry)) + "  " + std::string(entry.name);
        if (entry.kind == FileKind::symlink) {
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
            names.emplace_back(entry.name);
        listing.context.out().write(in_columns(names, *listing.columns));
        return;
    }
    for (auto const& entry : entries)
        listing.context.out().line(entry.name);
}

bool is_shown(Listing const& listing, std::string_view name)
{
    return listing.options.has('a') || !name.starts_with('.');
}

// A directory may be a mount point, of which the file system below knows nothing: the vfs is asked,
// when the listing is through.
Result<void> add_with_status(Listing& listing, std::string const& path, Entries& entries)
{
    auto& files = listing.context.files();
    auto directories = std::deque<std::pair<std::string, FileStatus>> {};
    TRY(files.each_status(path, [&](std::string_view name, FileStatus const& status) {
        if (!is_shown(listing, name))
            return;
        if (status.kind == FileKind::directory)
            directories.emplace_back(name, status);
        else
            entries.add(name, status);
    }));
    for (; !directories.empty(); directories.pop_front()) {
        auto const& [name, status] = directories.front();
        auto const known = files.status(join(path, name), LastLink::keep);
        entries.add(name, known ? *known : status);
    }
    return {};
}

Result<void> add_with_kind(Listing& listing, std::string const& path, Entries& entries)
{
    return listing.context.files().each(path, [&](std::string_view name, FileKind kind) {
        if (is_shown(listing, name))
            entries.add(name, { .kind = kind });
    });
}

Result<Entries> entries_of(Listing& listing, std::string const& path)
{
    Entries entries;
    auto const add = listing.options.has('l') ? add_with_status : add_with_kind;
    TRY(add(listing, path, entries));
    if (listing.options.has('a'))
        for (auto const* name : { ".", ".." })
            entries.add(name, TRY(listing.context.files().status(join(path, name))));
    entries.sort();
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
    if (depth >= tree_depth_max) {
        listing.status = context.fail(shown, Error::too_big);
        return;
    }
    entries->keep_directories();
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
    out.line("  modified: " + time_text(status.modified));
    out.line("  changed:  " + time_text(status.changed));
    out.line("  accessed: " + time_text(status.accessed));
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
            files.add(path, *status);
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
