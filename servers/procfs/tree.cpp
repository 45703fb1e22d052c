// /proc (see tree.hpp). A node's number says what it is: the root is 1, the machine's files follow,
// a task's directory is task << 8 and its files follow that; an opened text has the top bit.
#include "servers/procfs/tree.hpp"

#include "servers/fskit/mounts_page.hpp"
#include "servers/procfs/text.hpp"
#include "servers/rt/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace gemel::procfs {

namespace {

constexpr std::array<std::string_view, 4> machine_files { "uptime", "meminfo", "mounts",
    "version" };
constexpr std::array<std::string_view, 4> task_files { "status", "name", "caps", "threads" };
constexpr NodeId first_machine_file = 2;
constexpr unsigned task_shift = 8;
constexpr NodeId opened_bit = NodeId { 1 } << 63;

bool is_opened(NodeId node)
{
    return (node & opened_bit) != 0;
}

u32 task_of(NodeId node)
{
    return static_cast<u32>(node >> task_shift);
}

// 0: the directory itself; files from 1.
u32 place_in_task(NodeId node)
{
    return static_cast<u32>(node & ((1u << task_shift) - 1));
}

// "7", not "07" or "+7".
std::optional<u32> task_number(std::string_view name)
{
    u32 task = 0;
    auto const [end, error] = std::from_chars(name.begin(), name.end(), task);
    if (error != std::errc {} || end != name.end() || name.front() == '0')
        return std::nullopt;
    return task < task_index_end ? std::optional(task) : std::nullopt;
}

template <usize Count>
Result<NodeId> find_in(
    std::array<std::string_view, Count> const& names, std::string_view name, NodeId first)
{
    auto const found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
        return Error::not_found;
    return first + static_cast<NodeId>(found - names.begin());
}

Result<void> when_full(EntryWriter const& entries)
{
    return entries.bytes() == 0 ? Result<void>(Error::too_big) : Result<void>();
}

} // namespace

Tree::Tree(Audit& audit, std::string_view version)
    : audit_(audit)
    , version_(version)
    , next_opened_(opened_bit)
{
}

Result<NodeId> Tree::find(NodeId directory, std::string_view name)
{
    if (TRY(status(directory)).kind != FileKind::directory)
        return Error::not_directory;
    if (directory != root())
        return find_in(task_files, name, directory + 1);
    auto const task = task_number(name);
    if (!task)
        return find_in(machine_files, name, first_machine_file);
    TRY(audit_.task(*task));
    return NodeId { *task } << task_shift;
}

Result<FileStatus> Tree::status(NodeId node)
{
    FileStatus status { .inode = node, .mode = 0444, .kind = FileKind::regular };
    if (is_opened(node)) {
        auto const found = opened_.find(node);
        if (found == opened_.end())
            return Error::not_found;
        status.size = found->second.size();
        return status;
    }
    auto const in_task = task_of(node) != 0;
    if (in_task)
        TRY(audit_.task(task_of(node)));
    if (node == root() || (in_task && place_in_task(node) == 0)) {
        status.links = 2;
        status.mode = 0555;
        status.kind = FileKind::directory;
    }
    return status;
}

Result<void> Tree::list_root(u64 cookie, EntryWriter& entries)
{
    auto const files = machine_files.size();
    for (auto next = cookie; next < files; ++next)
        if (entries.add(machine_files[next], first_machine_file + next, FileKind::regular, next + 1)
            == EntryWriter::Added::full)
            return when_full(entries);
    for (u64 task = cookie > files ? cookie - files + 1 : 1; task < task_index_end; ++task) {
        if (!audit_.task(static_cast<u32>(task)))
            continue;
        auto const name = concatenate(task);
        if (entries.add(name, task << task_shift, FileKind::directory, files + task)
            == EntryWriter::Added::full)
            return when_full(entries);
    }
    return {};
}

Result<void> Tree::list(NodeId directory, u64 cookie, EntryWriter& entries)
{
    if (TRY(status(directory)).kind != FileKind::directory)
        return Error::not_directory;
    if (directory == root())
        return list_root(cookie, entries);
    for (auto next = cookie; next < task_files.size(); ++next)
        if (entries.add(task_files[next], directory + 1 + next, FileKind::regular, next + 1)
            == EntryWriter::Added::full)
            return when_full(entries);
    return {};
}

Result<std::string> Tree::text_of_task_file(NodeId file)
{
    auto const task = task_of(file);
    switch (place_in_task(file)) {
    case 1:
        return task_status(audit_, task);
    case 2:
        return task_name(audit_, task);
    case 3:
        return task_capabilities(audit_, task);
    case 4:
        return task_threads(audit_, task);
    default:
        return Error::not_found;
    }
}

Result<std::string> Tree::text_of(NodeId file)
{
    if (task_of(file) != 0)
        return text_of_task_file(file);
    switch (file - first_machine_file) {
    case 0:
        return uptime(audit_);
    case 1:
        return memory(audit_);
    case 2:
        return mounts_page_.empty() ? std::string() : fskit::read_mounts(mounts_page_);
    case 3:
        return concatenate("gemel ", version_, '\n');
    default:
        return Error::not_found;
    }
}

Result<NodeId> Tree::open(NodeId node)
{
    if (TRY(status(node)).kind == FileKind::directory)
        return node;
    auto text = TRY(text_of(node));
    auto const opened = next_opened_;
    opened_.emplace(opened, std::move(text));
    ++next_opened_;
    return opened;
}

void Tree::close(NodeId node)
{
    opened_.erase(node);
}

Result<usize> Tree::read(NodeId node, u64 offset, std::span<std::byte> into)
{
    if (TRY(status(node)).kind == FileKind::directory)
        return Error::is_directory;
    auto const found = opened_.find(node);
    if (found == opened_.end())
        return Error::not_found;
    std::string_view const text = found->second;
    if (offset >= text.size())
        return 0;
    auto const part = text.substr(offset, into.size());
    std::memcpy(into.data(), part.data(), part.size());
    return part.size();
}

VolumeStatus Tree::volume()
{
    VolumeStatus status { .block_bytes = page_bytes, .read_only = 1 };
    std::string_view("procfs").copy(status.type, sizeof(status.type) - 1);
    return status;
}

Result<void> Tree::show_mounts(std::span<std::byte const> page)
{
    if (page.size() < fskit::mounts_page_bytes)
        return Error::invalid;
    mounts_page_ = page;
    return {};
}

} // namespace gemel::procfs
