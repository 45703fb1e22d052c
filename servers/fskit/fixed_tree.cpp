// A tree that is built once (see fixed_tree.hpp).
#include "servers/fskit/fixed_tree.hpp"

#include "servers/fskit/path.hpp"

namespace gemel::fskit {

FixedTree::FixedTree()
{
    nodes_.push_back(
        { .status = { .inode = 1, .links = 2, .mode = 0755, .kind = FileKind::directory } });
}

Result<FixedTree::Node*> FixedTree::node(NodeId id)
{
    if (id == 0 || id > nodes_.size())
        return Error::not_found;
    return &nodes_[id - 1];
}

Result<FixedTree::Node*> FixedTree::directory(NodeId id)
{
    auto* const found = TRY(node(id));
    if (found->status.kind != FileKind::directory)
        return Error::not_directory;
    return found;
}

Result<NodeId> FixedTree::add_child(NodeId parent, std::string_view name, FileStatus status)
{
    TRY(check_name(name));
    TRY(directory(parent));
    auto const id = nodes_.size() + 1;
    status.inode = id;
    status.links = status.kind == FileKind::directory ? 2 : 1;
    nodes_.push_back({ .status = status });
    auto& directory = nodes_[parent - 1];
    directory.children.emplace_back(name, id);
    directory.by_name.emplace(name, id);
    if (status.kind == FileKind::directory)
        ++directory.status.links;
    return id;
}

Result<NodeId> FixedTree::add(std::string_view path, FileStatus status, std::string_view link_text)
{
    auto at = root();
    auto added = false;
    while (!path.empty()) {
        auto const name = take_component(path);
        auto const found = find(at, name);
        added = !found;
        if (!found && found.error() != Error::not_found)
            return found.error();
        FileStatus const way { .mode = 0755, .kind = FileKind::directory };
        at = found ? *found : TRY(add_child(at, name, path.empty() ? status : way));
    }
    auto& node = nodes_[at - 1];
    if (!added && (node.status.kind != status.kind || status.kind != FileKind::directory))
        return Error::exists;
    if (!added) {
        status.inode = at;
        status.links = node.status.links;
        node.status = status;
    }
    node.link_text = link_text;
    return at;
}

Result<NodeId> FixedTree::find(NodeId in, std::string_view name)
{
    auto const& names = TRY(directory(in))->by_name;
    auto const found = names.find(name);
    if (found == names.end())
        return Error::not_found;
    return found->second;
}

Result<FileStatus> FixedTree::status(NodeId id)
{
    return TRY(node(id))->status;
}

Result<std::string> FixedTree::link_text(NodeId id)
{
    auto* const found = TRY(node(id));
    if (found->status.kind != FileKind::symlink)
        return Error::invalid;
    return found->link_text;
}

Result<void> FixedTree::list(NodeId in, u64 cookie, EntryWriter& entries)
{
    auto const& children = TRY(directory(in))->children;
    for (auto next = cookie; next < children.size(); ++next) {
        auto const& [name, id] = children[next];
        auto const kind = nodes_[id - 1].status.kind;
        if (entries.add(name, id, kind, next + 1) == EntryWriter::Added::yes)
            continue;
        return entries.bytes() == 0 ? Result<void>(Error::too_big) : Result<void>();
    }
    return {};
}

} // namespace gemel::fskit
