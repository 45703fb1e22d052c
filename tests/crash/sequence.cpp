#include "tests/crash/sequence.hpp"

#include <algorithm>

namespace gemel::fs_crash {

namespace {

constexpr std::string_view folders[] = { "/crash", "/crash/A", "/crash/B" };
constexpr std::string_view names[] = { "foo", "bar" };
// Of sequences that are not drawn: so many that after any two operations the third is possible.
constexpr std::string_view more_folders[] = { "/crash", "/crash/A", "/crash/B", "/crash/C",
    "/crash/D", "/crash/E", "/crash/F", "/crash/G" };
constexpr std::string_view more_names[] = { "foo", "bar", "baz" };
constexpr u64 first_bytes = 3000; // that each of their files holds
constexpr u32 tries_max = 1000;
constexpr u64 bytes_max = 6000; // some blocks, and parts of them
constexpr u64 rounds_least = 3;
constexpr u64 rounds_span = 10;
constexpr u64 rounds_of_a_long_one = 300;

std::shared_ptr<std::string const> shared(std::string bytes)
{
    return std::make_shared<std::string const>(std::move(bytes));
}

} // namespace

char const* name_of(Op op)
{
    constexpr char const* words[ops] = { "mkdir", "create", "write", "overwrite", "append", "cut",
        "extend", "rename", "rename over", "rename directory", "link", "symlink", "unlink", "rmdir",
        "fsync", "fdatasync", "fsync directory", "sync", "fstrim" };
    return words[static_cast<usize>(op)];
}

// Two random steps at a time and often something that makes them durable: the sequences in which
// ACE and CrashMonkey (Mohan et al., OSDI 2018) found the bugs of real file systems.
Sequence::Sequence(u64 seed, Length length)
    : state_(seed)
    , trees_(1)
{
    begin();
    auto const is_long = length == Length::long_one;
    auto const rounds = is_long ? rounds_of_a_long_one : rounds_least + draw(rounds_span);
    for (u64 round = 0; round < rounds; ++round) {
        add_random();
        add_random();
        add_sync();
    }
    if (is_long)
        prepared_ = steps_.size() / 2 + draw(steps_.size() / 2);
}

void Sequence::begin()
{
    add({ .op = Op::make_directory, .path = "/crash" },
        { { "/crash", { next_id_++, FileKind::directory, shared("") } } });
    auto tree = trees_.back();
    tree["/crash/foo"] = { next_id_++, FileKind::regular, shared("") };
    add({ .op = Op::create, .path = "/crash/foo" }, std::move(tree));
    (void)try_contents(Op::append);
    add({ .op = Op::sync_all, .path = "/crash" }, trees_.back());
}

Sequence::Sequence(u64 seed, std::vector<Slot> const& slots)
    : state_(seed)
    , is_drawn_(false)
    , trees_(1)
{
    prepare();
    for (auto const& slot : slots) {
        (void)try_any(slot.op);
        if (slot.sync)
            add_sync(*slot.sync);
    }
}

// Four files with something in them, of which two are in a folder, and three empty folders.
void Sequence::prepare()
{
    auto const make_directory = [this](std::string const& path) {
        auto tree = trees_.back();
        tree[path] = { next_id_++, FileKind::directory, shared("") };
        add({ .op = Op::make_directory, .path = path }, std::move(tree));
    };
    auto const make_file = [this](std::string const& path) {
        auto tree = trees_.back();
        tree[path] = { next_id_++, FileKind::regular, shared("") };
        add({ .op = Op::create, .path = path }, tree);
        Step step { .op = Op::append, .path = path, .bytes = pattern(first_bytes) };
        tree[path].bytes = shared(step.bytes);
        add(std::move(step), std::move(tree));
    };
    for (auto const* path : { "/crash", "/crash/A", "/crash/C", "/crash/D", "/crash/E" })
        make_directory(path);
    for (auto const* path : { "/crash/foo", "/crash/bar", "/crash/A/foo", "/crash/A/bar" })
        make_file(path);
    add({ .op = Op::sync_all, .path = "/crash" }, trees_.back());
    prepared_ = steps_.size();
}

// Neighbouring seeds have sequences that are far apart: a part of the range is a sample.
std::vector<Slot> slots_of(u64 seed, u32 length)
{
    // Prime, and no divisor of a number of sequences: multiples of it meet every rest once.
    constexpr u64 stride = 2'654'435'761;
    constexpr u64 syncs = slots / static_cast<u64>(Op::sync_file);
    auto const count = sequences_of(length);
    auto rest = seed % count * (stride % count) % count;
    std::vector<Slot> found;
    for (u32 i = 0; i < length; ++i) {
        auto const number = rest % slots;
        auto const sync = number % syncs;
        Slot slot { static_cast<Op>(number / syncs), std::nullopt };
        if (sync != 0)
            slot.sync = static_cast<Op>(static_cast<u64>(Op::sync_file) + sync - 1);
        found.push_back(slot);
        rest /= slots;
    }
    return found;
}

// SplitMix64.
u64 Sequence::draw(u64 below)
{
    state_ += 0x9E37'79B9'7F4A'7C15;
    auto value = state_;
    value = (value ^ value >> 30) * 0xBF58'476D'1CE4'E5B9;
    value = (value ^ value >> 27) * 0x94D0'49BB'1331'11EB;
    return (value ^ value >> 31) % below;
}

// A path of that kind below /crash; "" when there is none.
std::string Sequence::pick(FileKind kind)
{
    std::vector<std::string> found;
    for (auto const& [path, node] : trees_.back())
        if (node.kind == kind && path != folders[0])
            found.push_back(path);
    return found.empty() ? "" : found[draw(found.size())];
}

// A path that is not there, in a folder that is; "" when the first try meets neither.
std::string Sequence::fresh_name()
{
    auto const folder = std::string { is_drawn_ ? folders[draw(3)] : more_folders[draw(8)] };
    auto const path
        = folder + "/" + std::string { is_drawn_ ? names[draw(2)] : more_names[draw(3)] };
    auto const& tree = trees_.back();
    return tree.contains(folder) && !tree.contains(path) ? path : "";
}

// Where a folder may be made or go; it may be there already.
std::string Sequence::beside(std::string const& folder)
{
    if (!is_drawn_)
        return std::string { more_folders[1 + draw(7)] };
    return std::string { folder == folders[1] ? folders[2] : folders[1] };
}

// Bytes that no other step writes, different in every sector.
std::string Sequence::pattern(u64 bytes)
{
    std::string made(bytes, 0);
    auto const mark = next_pattern_++;
    for (usize i = 0; i < made.size(); ++i)
        made[i] = static_cast<char>(i % 16 == 0 ? mark : mark * 3 + i / 16);
    return made;
}

void Sequence::add(Step step, Tree tree)
{
    steps_.push_back(std::move(step));
    trees_.push_back(std::move(tree));
}

bool Sequence::try_contents(Op op)
{
    auto const path = pick(FileKind::regular);
    if (path.empty())
        return false;
    auto tree = trees_.back();
    auto const node = tree[path];
    auto bytes = *node.bytes;
    Step step { .op = op, .path = path };
    if (op == Op::write) {
        step.bytes = pattern(1 + draw(bytes_max));
        bytes = step.bytes;
    } else if (op == Op::append) {
        step.offset = bytes.size();
        step.bytes = pattern(1 + draw(bytes_max));
        bytes += step.bytes;
    } else if (op == Op::overwrite) {
        if (bytes.empty())
            return false;
        step.offset = draw(bytes.size());
        step.bytes = pattern(1 + draw(bytes.size() - step.offset));
        bytes.replace(step.offset, step.bytes.size(), step.bytes);
    } else {
        step.offset = op == Op::cut ? draw(bytes.size() + 1) : bytes.size() + draw(bytes_max);
        bytes.resize(step.offset);
    }
    auto const contents = shared(std::move(bytes));
    for (auto& [each, other] : tree)
        if (other.id == node.id)
            other.bytes = contents;
    add(std::move(step), std::move(tree));
    return true;
}

bool Sequence::try_names(Op op)
{
    auto tree = trees_.back();
    auto const fresh = fresh_name();
    auto const folder = pick(FileKind::directory);
    auto const file = pick(draw(4) == 0 ? FileKind::symlink : FileKind::regular);
    auto const other_folder = beside(folder);
    auto const below = folder + "/";
    Step step { .op = op, .path = file, .other = fresh };
    switch (op) {
    case Op::make_directory:
        step = { .op = op, .path = other_folder };
        if (tree.contains(step.path))
            return false;
        tree[step.path] = { next_id_++, FileKind::directory, shared("") };
        break;
    case Op::remove_directory:
        step = { .op = op, .path = folder };
        if (folder.empty() || tree.lower_bound(below) != tree.lower_bound(folder + "0"))
            return false;
        tree.erase(folder);
        break;
    case Op::rename_directory:
        step = { .op = op, .path = folder, .other = other_folder };
        if (folder.empty() || tree.contains(step.other))
            return false;
        for (auto const& [path, node] : trees_.back())
            if (path == folder || path.starts_with(below)) {
                tree.erase(path);
                tree[step.other + path.substr(folder.size())] = node;
            }
        break;
    case Op::create:
    case Op::symlink: {
        if (fresh.empty())
            return false;
        auto const kind = op == Op::create ? FileKind::regular : FileKind::symlink;
        // Longer than an inode holds, or not.
        auto const text = op == Op::create ? "" : std::string(draw(2) == 0 ? 20 : 200, 'l');
        step = { .op = op, .path = fresh, .other = text };
        tree[fresh] = { next_id_++, kind, shared(text) };
        break;
    }
    case Op::unlink:
        if (file.empty())
            return false;
        tree.erase(file);
        break;
    case Op::rename_over:
        step.other = pick(FileKind::regular);
        if (file.empty() || step.other.empty() || tree[file].id == tree[step.other].id)
            return false;
        tree[step.other] = tree[file];
        tree.erase(file);
        break;
    case Op::link:
    case Op::rename:
        if (file.empty() || fresh.empty()
            || (op == Op::link && tree[file].kind != FileKind::regular))
            return false;
        tree[fresh] = tree[file];
        if (op == Op::rename)
            tree.erase(file);
        break;
    case Op::write:
    case Op::overwrite:
    case Op::append:
    case Op::cut:
    case Op::extend:
    case Op::sync_file:
    case Op::sync_data:
    case Op::sync_directory:
    case Op::sync_all:
    case Op::trim:
        return false; // of contents, not of names
    }
    add(std::move(step), std::move(tree));
    return true;
}

bool Sequence::try_any(Op op)
{
    for (u32 i = 0; i < tries_max; ++i)
        if (op >= Op::write && op <= Op::extend ? try_contents(op) : try_names(op))
            return true;
    return false;
}

void Sequence::add_random()
{
    constexpr u32 draws_max = 100;
    for (u32 i = 0; i < draws_max; ++i) {
        auto const op = static_cast<Op>(draw(static_cast<u64>(Op::sync_file)));
        if (op >= Op::write && op <= Op::extend ? try_contents(op) : try_names(op))
            return;
    }
}

void Sequence::add_sync(Op op)
{
    auto const is_of_a_file = op == Op::sync_file || op == Op::sync_data;
    auto path = is_of_a_file ? pick(FileKind::regular) : std::string { folders[0] };
    if (op == Op::sync_directory && draw(2) == 0)
        if (auto const folder = pick(FileKind::directory); !folder.empty())
            path = folder;
    add({ .op = op, .path = path }, trees_.back());
}

void Sequence::add_sync()
{
    auto const file = pick(FileKind::regular);
    auto const path = std::string { folders[0] };
    switch (draw(7)) {
    case 0:
        return add({ .op = Op::sync_all, .path = path }, trees_.back());
    case 1:
        return add({ .op = Op::sync_directory, .path = path }, trees_.back());
    case 2:
    case 3:
        if (!file.empty())
            add({ .op = Op::sync_file, .path = file }, trees_.back());
        return;
    case 4:
        if (!file.empty())
            add({ .op = Op::sync_data, .path = file }, trees_.back());
        return;
    case 5:
        return add({ .op = Op::trim, .path = path }, trees_.back());
    }
}

} // namespace gemel::fs_crash
