#include "servers/hostmount/node_table.hpp"

#include <algorithm>

namespace gemel::hostmount {

NodeTable::NodeTable(usize bytes_max)
    : bytes_max_(bytes_max)
{
    nodes_[root] = Node { .lookups = 1, .kind = FileKind::directory };
}

NodeTable::Name const* NodeTable::find_name(u64 parent, std::string_view name) const
{
    auto const found = names_.find(NameKey { parent, name });
    return found == names_.end() ? nullptr : &*found;
}

u64 NodeTable::find(u64 parent, std::string_view name) const
{
    auto const* const found = find_name(parent, name);
    return found ? found->node : 0;
}

void NodeTable::add_name(u64 number, u64 parent, std::string_view name)
{
    auto& node = nodes_.at(number);
    auto const [at, added] = names_.insert({ parent, std::string(name), number, node.names });
    if (!added)
        return;
    node.names = &*at;
    bytes_ += name_bytes(name);
    ++nodes_.at(parent).below;
}

void NodeTable::drop_name(Name const& name)
{
    auto const parent = name.parent;
    auto const** link = &nodes_.at(name.node).names;
    while (*link != &name)
        link = &(*link)->next;
    *link = name.next;
    bytes_ -= name_bytes(name.text);
    names_.erase(names_.find(name));
    --nodes_.at(parent).below;
    drop_if_unused(parent);
}

// Nobody asks for it any more, and nothing below it needs it for a path. Then the directories that
// it stood in may be unused too.
void NodeTable::drop_if_unused(u64 number)
{
    std::vector<u64> candidates { number };
    while (!candidates.empty()) {
        auto const at = nodes_.find(candidates.back());
        candidates.pop_back();
        if (at == nodes_.end() || at->first == root || at->second.lookups != 0
            || at->second.below != 0)
            continue;
        auto const node = at->second;
        last_statuses_.erase(at->first);
        nodes_.erase(at);
        bytes_ -= node_bytes;
        if (!node.last_name_gone)
            by_inode_.erase(node.inode);
        for (auto const* name = node.names; name != nullptr;) {
            auto const* const next = name->next;
            candidates.push_back(name->parent);
            --nodes_.at(name->parent).below;
            bytes_ -= name_bytes(name->text);
            names_.erase(names_.find(*name));
            name = next;
        }
    }
}

Result<u64> NodeTable::learn(u64 parent, std::string_view name, FileStatus const& status)
{
    if (!knows(parent))
        return Error::not_found;
    if (bytes_ + node_bytes + name_bytes(name) > bytes_max_)
        return Error::no_memory;
    auto const known = by_inode_.find(status.inode);
    auto node = known == by_inode_.end() ? 0 : known->second;
    if (node != 0 && nodes_.at(node).kind != status.kind) { // the number is another file's now
        nodes_.at(node).last_name_gone = true;
        by_inode_.erase(known);
        node = 0;
    }
    if (auto const* const named = find_name(parent, name); named && named->node != node) {
        auto const before = named->node;
        drop_name(*named);
        drop_if_unused(before);
    }
    if (node == 0) {
        node = next_++;
        bytes_ += node_bytes;
        nodes_[node] = Node { .inode = status.inode, .kind = status.kind };
        by_inode_[status.inode] = node;
    }
    add_name(node, parent, name);
    nodes_.at(node).links = status.links;
    ++nodes_.at(node).lookups;
    return node;
}

void NodeTable::forget(u64 number, u64 lookups)
{
    auto const at = nodes_.find(number);
    if (at == nodes_.end() || number == root)
        return;
    at->second.lookups -= std::min(lookups, at->second.lookups);
    drop_if_unused(number);
}

u64 NodeTable::last_named(u64 parent, std::string_view name) const
{
    auto const* const named = find_name(parent, name);
    if (!named)
        return 0;
    auto const& node = nodes_.at(named->node);
    return node.kind == FileKind::regular && node.names->next == nullptr ? named->node : 0;
}

bool NodeTable::is_directory(u64 parent, std::string_view name) const
{
    auto const at = nodes_.find(find(parent, name));
    return at != nodes_.end() && at->second.kind == FileKind::directory;
}

void NodeTable::keep_last_status(u64 parent, std::string_view name, FileStatus status)
{
    auto const at = nodes_.find(find(parent, name));
    if (at == nodes_.end())
        return;
    status.links = 0;
    last_statuses_[at->first] = status;
}

Result<FileStatus> NodeTable::last_status(u64 node) const
{
    auto const at = last_statuses_.find(node);
    if (at == last_statuses_.end())
        return Error::not_found;
    return at->second;
}

Result<std::string> NodeTable::path(u64 number) const
{
    std::vector<std::string_view> parts;
    usize bytes = 0;
    while (number != root) {
        auto const at = nodes_.find(number);
        if (at == nodes_.end() || at->second.names == nullptr)
            return Error::not_found;
        auto const& name = *at->second.names;
        parts.push_back(name.text);
        bytes += name.text.size() + 1;
        if (bytes > path_bytes_max + 1)
            return Error::name_too_long;
        number = name.parent;
    }
    std::string path;
    path.reserve(bytes);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (!path.empty())
            path += '/';
        path += *part;
    }
    return path;
}

Result<std::string> NodeTable::path(u64 parent, std::string_view name) const
{
    auto path = TRY(this->path(parent));
    if (path.size() + 1 + name.size() > path_bytes_max)
        return Error::name_too_long;
    if (!path.empty())
        path += '/';
    path += name;
    return path;
}

void NodeTable::removed(u64 parent, std::string_view name)
{
    auto const* const named = find_name(parent, name);
    if (!named)
        return;
    auto const number = named->node;
    auto& node = nodes_.at(number);
    drop_name(*named);
    // With a link left that the host was not told of, the file stays this node.
    bool const last = node.kind == FileKind::directory || node.links <= 1;
    node.links -= last ? 0 : 1;
    if (last && node.names == nullptr && !node.last_name_gone) {
        node.last_name_gone = true;
        by_inode_.erase(node.inode);
    }
    drop_if_unused(number);
}

void NodeTable::renamed(
    u64 parent, std::string_view name, u64 new_parent, std::string_view new_name)
{
    auto const node = find(parent, name);
    if (node != 0 && node == find(new_parent, new_name))
        return; // two links to one file: rename leaves both
    removed(new_parent, new_name);
    if (node == 0 || !knows(new_parent))
        return;
    add_name(node, new_parent, new_name);
    drop_name(*find_name(parent, name));
}

void NodeTable::exchanged(u64 parent, std::string_view name, u64 other, std::string_view other_name)
{
    auto const first = find(parent, name);
    auto const second = find(other, other_name);
    if (first == second)
        return;
    auto const keep = [&](u64 node) { // while it has no name
        if (node != 0)
            ++nodes_.at(node).lookups;
    };
    auto const release = [&](u64 node) {
        if (node != 0)
            forget(node, 1);
    };
    keep(first);
    keep(second);
    if (first != 0)
        drop_name(*find_name(parent, name));
    if (second != 0)
        drop_name(*find_name(other, other_name));
    if (first != 0 && knows(other))
        add_name(first, other, other_name);
    if (second != 0 && knows(parent))
        add_name(second, parent, name);
    release(first);
    release(second);
}

} // namespace gemel::hostmount
