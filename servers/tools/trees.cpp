// Tools that take files and whole trees of them: chmod, cp, du, find, rm, sync, truncate.
#include "servers/fskit/name_pattern.hpp"
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"
#include "servers/tools/mode.hpp"
#include "servers/tools/paths.hpp"

#include <charconv>
#include <set>

namespace gemel::tools {
namespace {

Result<void> remove_tree(Context& context, std::string const& path, u32 depth)
{
    if (depth > tree_depth_max)
        return Error::too_big;
    auto const status = TRY(context.files().status(path, LastLink::keep));
    if (status.kind != FileKind::directory)
        return context.files().remove(path);
    for (auto const& entry : TRY(context.files().list(path)))
        TRY(remove_tree(context, join(path, entry.name), depth + 1));
    return context.files().remove(path, RemoveKind::directory);
}

// --- cp ---

Result<void> copy_file(Context& context, std::string const& from, std::string const& to, u16 mode)
{
    auto source = TRY(context.files().open(from, static_cast<OpenFlags>(OpenFlag::read)));
    auto target = TRY(
        context.files().open(to, OpenFlag::write | OpenFlag::create | OpenFlag::truncate, mode));
    for (;;) {
        auto const piece = TRY(source.read_piece());
        if (piece.empty())
            return {};
        TRY(target.write_piece(piece));
    }
}

// Links in the tree are copied as links.
Result<void> copy_tree(Context& context, std::string const& from, std::string const& to, u32 depth)
{
    if (depth > tree_depth_max)
        return Error::too_big;
    auto& files = context.files();
    auto const status = TRY(files.status(from, depth == 0 ? LastLink::follow : LastLink::keep));
    if (status.kind == FileKind::symlink)
        return files.make_symlink(to, TRY(files.link_text(from)));
    if (status.kind != FileKind::directory)
        return copy_file(context, from, to, status.mode);
    if (auto const made = files.make_directory(to, status.mode | 0700); !made)
        if (made.error() != Error::exists || TRY(files.status(to)).kind != FileKind::directory)
            return made.error();
    for (auto const& entry : TRY(files.list(from)))
        TRY(copy_tree(context, join(from, entry.name), join(to, entry.name), depth + 1));
    return files.set_attributes(
        to, { .changes = static_cast<u32>(AttributeChange::mode), .mode = status.mode });
}

// A directory in itself has no end; a file onto itself would be emptied.
Result<bool> lies_within(Context& context, std::string const& path, std::string const& tree)
{
    auto const whole = TRY(context.files().resolve(tree)).path;
    auto const at = context.files().resolve(path);
    if (at && at->path == whole)
        return true;
    auto const parent
        = TRY(context.files().resolve(join(path, "").substr(0, path.rfind('/') + 1))).path;
    return parent == whole || parent.starts_with(join(whole, ""));
}

Result<void> copy_one(
    Context& context, std::string const& from, std::string const& to, bool whole_trees)
{
    auto const status = TRY(context.files().status(from));
    if (status.kind == FileKind::directory && !whole_trees)
        return Error::is_directory;
    if (TRY(lies_within(context, to, from)))
        return Error::invalid;
    return copy_tree(context, from, to, 0);
}

// --- du ---

struct Usage {
    Context& context;
    Context::Options options;
    std::set<u64> seen; // inodes of several names
    int status = status_ok;
};

void show_usage(Usage& usage, u64 blocks, std::string const& path)
{
    constexpr u64 block_bytes = 512;
    auto const size = usage.options.has('h') ? human_size(blocks * block_bytes)
                                             : std::to_string((blocks + 1) / 2);
    usage.context.out().line(concatenate(size, "\t", path));
}

// In blocks of 512 bytes. `shown` is the path as the user wrote it.
u64 usage_of(Usage& usage, std::string const& shown, u32 depth)
{
    auto& context = usage.context;
    auto const path = context.absolute(shown);
    auto const status = context.files().status(path, LastLink::keep);
    if (!status) {
        usage.status = context.fail(shown, status.error());
        return 0;
    }
    auto const is_directory = status->kind == FileKind::directory;
    if (!is_directory && status->links > 1 && !usage.seen.insert(status->inode).second)
        return 0;
    auto blocks = status->blocks;
    if (is_directory) {
        auto entries = context.files().list(path);
        if (depth >= tree_depth_max || !entries)
            usage.status = context.fail(shown, entries ? Error::too_big : entries.error());
        else
            for (auto const& entry : *entries)
                blocks += usage_of(usage, join(shown, entry.name), depth + 1);
    }
    if (depth == 0 || (is_directory && !usage.options.has('s')))
        show_usage(usage, blocks, shown);
    return blocks;
}

// --- find ---

struct Wanted {
    std::optional<std::string> name;
    std::optional<FileKind> kind;
    u64 depth_max = tree_depth_max;
};

std::optional<FileKind> kind_of(std::string_view letter)
{
    constexpr std::string_view letters = "fdlbcps";
    constexpr FileKind kinds[] = { FileKind::regular, FileKind::directory, FileKind::symlink,
        FileKind::block_device, FileKind::character_device, FileKind::pipe, FileKind::socket };
    auto const at = letter.size() == 1 ? letters.find(letter[0]) : std::string_view::npos;
    return at == std::string_view::npos ? std::nullopt : std::optional(kinds[at]);
}

// Of `words`, what follows the paths. Nothing, after a message, when it is not understood.
std::optional<Wanted> wanted_of(Context& context, std::span<std::string const> words)
{
    auto result = Wanted {};
    for (usize i = 0; i < words.size(); i += 2) {
        auto const& word = words[i];
        if (word != "-name" && word != "-type" && word != "-maxdepth") {
            context.usage(concatenate("`", word, "` is none of -name, -type and -maxdepth"));
            return std::nullopt;
        }
        if (i + 1 == words.size()) {
            context.usage(concatenate(word, " needs a value"));
            return std::nullopt;
        }
        auto const& value = words[i + 1];
        if (word == "-name") {
            result.name = value;
        } else if (word == "-type") {
            result.kind = kind_of(value);
            if (!result.kind) {
                context.usage(concatenate("`", value, "` is no type: one of f d l b c p s"));
                return std::nullopt;
            }
        } else if (auto const depth = context.number(value)) {
            result.depth_max = std::min<u64>(*depth, tree_depth_max);
        } else {
            return std::nullopt;
        }
    }
    return result;
}

int find_in(
    Context& context, Wanted const& wanted, std::string const& shown, FileKind kind, u32 depth)
{
    auto const fits = (!wanted.kind || *wanted.kind == kind)
        && (!wanted.name || fskit::name_matches(*wanted.name, last_name(shown)));
    if (fits)
        context.out().line(shown);
    if (kind != FileKind::directory || depth >= wanted.depth_max)
        return depth >= tree_depth_max && kind == FileKind::directory
            ? context.fail(shown, Error::too_big)
            : status_ok;
    auto const entries = context.files().list(context.absolute(shown));
    if (!entries)
        return context.fail(shown, entries.error());
    auto status = status_ok;
    for (auto const& entry : *entries) {
        if (context.out().error())
            break;
        auto const below = find_in(context, wanted, join(shown, entry.name), entry.kind, depth + 1);
        status = std::max(status, below);
    }
    return status;
}

// "10", "4K", "2M", "1G".
std::optional<u64> size_of(Context& context, std::string_view text)
{
    constexpr std::string_view units = "KMGT";
    unsigned shift = 0;
    if (!text.empty())
        if (auto const unit = units.find(text.back()); unit != std::string_view::npos) {
            shift = static_cast<unsigned>(unit + 1) * 10;
            text.remove_suffix(1);
        }
    auto const number = context.number(text);
    if (number && *number > (~u64 { 0 } >> 1 >> shift)) {
        context.usage("the size is too large");
        return std::nullopt;
    }
    return number ? std::optional(*number << shift) : std::nullopt;
}

} // namespace

int run_chmod(Context& context)
{
    // A mode such as "-w" is no option.
    auto words = context.arguments();
    if (words.size() < 2)
        return context.usage("needs a mode and a path");
    auto const mode = words.front();
    if (!changed_mode(mode, 0, ModeOf::file))
        return context.usage(concatenate("`", mode, "` is no mode"));
    words.erase(words.begin());
    return for_each_path(context, words, [&](std::string const& path) -> Result<void> {
        auto const status = TRY(context.files().status(path));
        auto const what = status.kind == FileKind::directory ? ModeOf::directory : ModeOf::file;
        return context.files().set_attributes(path,
            { .changes = static_cast<u32>(AttributeChange::mode),
                .mode = *changed_mode(mode, status.mode, what) });
    });
}

int run_cp(Context& context)
{
    auto const options = context.options("rR");
    if (!options)
        return status_usage;
    auto paths = options->operands;
    if (paths.size() < 2)
        return context.usage("needs what to copy and where to");
    auto const destination = Destination::of(context, paths);
    if (!destination)
        return status_failed;
    auto const whole_trees = options->has('r') || options->has('R');
    auto status = status_ok;
    for (auto const& from : paths) {
        auto const to = context.absolute(destination->for_source(from));
        if (auto const done = copy_one(context, context.absolute(from), to, whole_trees); !done)
            status = context.fail(from, done.error());
    }
    return status;
}

int run_du(Context& context)
{
    auto options = context.options("hs");
    if (!options)
        return status_usage;
    auto paths = options->operands;
    if (paths.empty())
        paths.emplace_back(".");
    auto usage = Usage { context, *options, {} };
    for (auto const& path : paths)
        usage_of(usage, path, 0);
    return usage.status;
}

int run_find(Context& context)
{
    auto const words = context.arguments();
    usize first = 0;
    while (first < words.size() && !words[first].starts_with('-'))
        ++first;
    auto const wanted = wanted_of(context, std::span(words).subspan(first));
    if (!wanted)
        return status_usage;
    auto const first_paths = std::span(words).first(first);
    auto paths = std::vector<std::string>(first_paths.begin(), first_paths.end());
    if (paths.empty())
        paths.emplace_back(".");
    auto status = status_ok;
    for (auto const& path : paths) {
        auto const known = context.files().status(context.absolute(path), LastLink::keep);
        status = std::max(status,
            known ? find_in(context, *wanted, path, known->kind, 0)
                  : context.fail(path, known.error()));
    }
    return status;
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

int run_sync(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    if (!options->operands.empty())
        return for_each_path(context, options->operands,
            [&](std::string const& path) { return context.files().sync(path, SyncScope::file); });
    auto const done = context.files().sync("/");
    return done ? status_ok : context.fail("/", done.error());
}

int run_truncate(Context& context)
{
    auto const options = context.options("s:");
    if (!options)
        return status_usage;
    if (!options->has('s'))
        return context.usage("needs -s SIZE");
    auto const size = size_of(context, options->values.at('s'));
    if (!size)
        return status_usage;
    return for_each_path(context, options->operands, [&](std::string const& path) -> Result<void> {
        auto file = TRY(context.files().open(path, OpenFlag::write | OpenFlag::create));
        return file.resize(*size);
    });
}

} // namespace gemel::tools
