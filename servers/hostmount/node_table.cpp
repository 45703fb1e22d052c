#include "servers/hostmount/node_table.hpp"

#include <algorithm>

namespace gemel::hostmount {

NodeTable::NodeTable()
{
    nodes_[root] = Node { .lookups = 1, .kind = FileKind::directory };
}

NodeTable::Names::const_iterator NodeTable::find_name(u64 parent, std::string_view name) const
{
    return names_.find(Name { parent, std::string(name) });
}

u64 NodeTable::find(u64 parent, std::string_view name) const
{
    auto const found = find_name(parent, name);
    return found == names_.end() ? 0 : found->second;
}

void NodeTable::add_name(u64 node, u64 parent, std::string_view name)
{
    auto const [at, added] = names_.emplace(Name { parent, std::string(name) }, node);
    if (!added)
        return;
    nodes_.at(node).names.push_back(at);
    ++nodes_.at(parent).below;
}

void NodeTable::drop_name(Names::iterator name)
{
    auto const node = name->second;
    auto const parent = name->first.parent;
    std::erase(nodes_.at(node).names, name);
    names_.erase(name);
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
        auto const node = std::move(at->second);
        nodes_.erase(at);
        if (!node.last_name_gone)
            by_inode_.erase(node.inode);
        for (auto const name : node.names) {
            auto const parent = name->first.parent;
            names_.erase(name);
            --nodes_.at(parent).below;
            candidates.push_back(parent);
        }
    }
}

Result<u64> NodeTable::learn(u64 parent, std::string_view name, FileStatus const& status)
{
    if (!knows(parent))
        return Error::not_found;
    auto const known = by_inode_.find(status.inode);
    auto node = known == by_inode_.end() ? 0 : known->second;
    if (node != 0 && nodes_.at(node).kind != status.kind) { // the number is another file's now
        nodes_.at(node).last_name_gone = true;
        by_inode_.erase(known);
        node = 0;
    }
    auto const named = names_.find(Name { parent, std::string(name) });
    if (named != names_.end() && named->second != node) {
        auto const before = named->second;
        drop_name(named);
        drop_if_unused(before);
    }
    if (node == 0) {
        node = next_++;
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
    at->second.last_status = status;
}

Result<FileStatus> NodeTable::last_status(u64 node) const
{
    auto const at = nodes_.find(node);
    if (at == nodes_.end() || !at->second.last_status)
        return Error::not_found;
    return *at->second.last_status;
}

Result<std::string> NodeTable::path(u64 number) const
{
    std::vector<std::string_view> parts;
    usize bytes = 0;
    while (number != root) {
        auto const at = nodes_.find(number);
        if (at == nodes_.end() || at->second.names.empty())
            return Error::not_found;
        auto const& name = at->second.names.front()->first;
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
    auto const named = names_.find(Name { parent, std::string(name) });
    if (named == names_.end())
        return;
    auto const number = named->second;
    auto& node = nodes_.at(number);
    drop_name(named);
    // With a link left that the host was not told of, the file stays this node.
    bool const last = node.kind == FileKind::directory || node.links <= 1;
    node.links -= last ? 0 : 1;
    if (last && node.names.empty() && !node.last_name_gone) {
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
    drop_name(names_.find(Name { parent, std::string(name) }));
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
        drop_name(names_.find(Name { parent, std::string(name) }));
    if (second != 0)
        drop_name(names_.find(Name { other, std::string(other_name) }));
    if (first != 0 && knows(other))
        add_name(first, other, other_name);
    if (second != 0 && knows(parent))
        add_name(second, parent, name);
    release(first);
    release(second);
}

} // namespace gemel::hostmount
