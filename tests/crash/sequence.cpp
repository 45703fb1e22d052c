#include "tests/crash/sequence.hpp"

#include <algorithm>

namespace gemel::fs_crash {

namespace {

constexpr std::string_view folders[] = { "/crash", "/crash/A", "/crash/B" };
constexpr std::string_view names[] = { "foo", "bar" };
constexpr u64 bytes_max = 6000; // some blocks, and parts of them
constexpr u64 rounds_least = 3;
constexpr u64 rounds_span = 10;

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
Sequence::Sequence(u64 seed)
    : state_(seed)
    , trees_(1)
{
    add({ .op = Op::make_directory, .path = "/crash" },
        { { "/crash", { next_id_++, FileKind::directory, shared("") } } });
    auto tree = trees_.back();
    tree["/crash/foo"] = { next_id_++, FileKind::regular, shared("") };
    add({ .op = Op::create, .path = "/crash/foo" }, std::move(tree));
    (void)try_contents(Op::append);
    add({ .op = Op::sync_all, .path = "/crash" }, trees_.back());
    auto const rounds = rounds_least + draw(rounds_span);
    for (u64 round = 0; round < rounds; ++round) {
        add_random();
        add_random();
        add_sync();
    }
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
    auto const folder = std::string { folders[draw(3)] };
    auto const path = folder + "/" + std::string { names[draw(2)] };
    auto const& tree = trees_.back();
    return tree.contains(folder) && !tree.contains(path) ? path : "";
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
    auto const beside = folder == folders[1] ? folders[2] : folders[1];
    auto const below = folder + "/";
    Step step { .op = op, .path = file, .other = fresh };
    switch (op) {
    case Op::make_directory:
        step = { .op = op, .path = std::string { beside } };
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
        step = { .op = op, .path = folder, .other = std::string { beside } };
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

void Sequence::add_random()
{
    constexpr u32 tries_max = 100;
    for (u32 i = 0; i < tries_max; ++i) {
        auto const op = static_cast<Op>(draw(static_cast<u64>(Op::sync_file)));
        if (op >= Op::write && op <= Op::extend ? try_contents(op) : try_names(op))
            return;
    }
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
