// The tree of a tmpfs (see tree.hpp). Every change is checked whole before its first step, so that
// a refused one leaves nothing behind.
#include "servers/tmpfs/tree.hpp"

#include "servers/fskit/path.hpp"

namespace gemel::tmpfs {

Tree::Tree(TreeOptions options)
    : options_(std::move(options))
    , budget_(options_.bytes_max / page_bytes)
{
    auto root = std::make_unique<Node>(budget_);
    root->status = { .inode = 1, .links = 2, .mode = 01777, .kind = FileKind::directory };
    root->children.parent = 1;
    touch(*root);
    root->status.accessed = root->status.modified;
    nodes_.emplace(1, std::move(root));
}

Result<Tree::Node*> Tree::node(NodeId id)
{
    auto const found = nodes_.find(id);
    if (found == nodes_.end())
        return Error::not_found;
    return found->second.get();
}

Result<Tree::Node*> Tree::directory(NodeId id)
{
    auto* const found = TRY(node(id));
    if (found->status.kind != FileKind::directory)
        return Error::not_directory;
    return found;
}

Result<Tree::Node*> Tree::regular(NodeId id)
{
    auto* const found = TRY(node(id));
    if (found->status.kind == FileKind::directory)
        return Error::is_directory;
    if (found->status.kind != FileKind::regular)
        return Error::invalid;
    return found;
}

Tree::Entry* Tree::entry(Node& directory, std::string_view name)
{
    auto const found = directory.children.by_name.find(name);
    if (found == directory.children.by_name.end())
        return nullptr;
    return &directory.children.by_cookie.at(found->second);
}

void Tree::add_entry(Node& directory, std::string_view name, NodeId child)
{
    auto& children = directory.children;
    auto const cookie = children.next_cookie;
    // Both tables or, when memory ends, none: the last step cannot fail.
    std::map<u64, Entry> made;
    auto const place = made.emplace(cookie, Entry { std::string(name), child }).first;
    children.by_name.emplace(place->second.name, cookie);
    children.by_cookie.merge(made);
    ++children.next_cookie;
    touch(directory);
}

void Tree::drop_entry(Node& directory, std::string_view name)
{
    auto& children = directory.children;
    auto const found = children.by_name.find(name);
    ASSERT(found != children.by_name.end());
    auto const cookie = found->second;
    children.by_name.erase(found); // before the name it is keyed by
    children.by_cookie.erase(cookie);
    touch(directory);
}

void Tree::touch(Node& node)
{
    node.status.modified = node.status.changed = now();
}

void Tree::unlink_node(NodeId id)
{
    auto& status = nodes_.at(id)->status;
    status.links = status.kind == FileKind::directory ? 0 : status.links - 1;
    status.changed = now();
    forget_if_unused(id);
}

void Tree::forget_if_unused(NodeId id)
{
    auto const found = nodes_.find(id);
    if (found->second->status.links == 0 && found->second->openings == 0)
        nodes_.erase(found);
}

Result<NodeId> Tree::find(NodeId in, std::string_view name)
{
    auto* const parent = TRY(directory(in));
    auto const* const found = entry(*parent, name);
    if (!found)
        return Error::not_found;
    return found->node;
}

Result<FileStatus> Tree::status(NodeId id)
{
    auto* const found = TRY(node(id));
    auto status = found->status;
    if (status.kind == FileKind::regular)
        status.size = found->data.size();
    status.blocks = found->data.pages() * (page_bytes / 512);
    return status;
}

Result<std::string> Tree::link_text(NodeId id)
{
    auto* const found = TRY(node(id));
    if (found->status.kind != FileKind::symlink)
        return Error::invalid;
    return found->link_text;
}

Result<void> Tree::list(NodeId in, u64 cookie, EntryWriter& entries)
{
    auto const& children = TRY(directory(in))->children.by_cookie;
    for (auto next = children.upper_bound(cookie); next != children.end(); ++next) {
        auto const& entry = next->second;
        auto const kind = nodes_.at(entry.node)->status.kind;
        if (entries.add(entry.name, entry.node, kind, next->first) == EntryWriter::Added::yes)
            continue;
        return entries.bytes() == 0 ? Result<void>(Error::too_big) : Result<void>();
    }
    return {};
}

Result<NodeId> Tree::open(NodeId id)
{
    ++TRY(node(id))->openings;
    return id;
}

void Tree::close(NodeId id)
{
    auto& node = *nodes_.at(id);
    ASSERT(node.openings > 0);
    --node.openings;
    forget_if_unused(id);
}

Result<usize> Tree::read(NodeId id, u64 offset, std::span<std::byte> into)
{
    auto* const file = TRY(regular(id));
    file->status.accessed = now();
    return file->data.read(offset, into);
}

Result<usize> Tree::write(NodeId id, u64 offset, std::span<std::byte const> from)
{
    auto* const file = TRY(regular(id));
    auto const written = TRY(file->data.write(offset, from));
    if (written > 0)
        touch(*file);
    return written;
}

Result<void> Tree::resize(NodeId id, u64 size)
{
    auto* const file = TRY(regular(id));
    TRY(file->data.resize(size));
    touch(*file);
    return {};
}

Result<NodeId> Tree::make(NameIn place, NewNode const& made)
{
    auto* const parent = TRY(directory(place.directory));
    TRY(fskit::check_name(place.name));
    if (entry(*parent, place.name))
        return Error::exists;
    if (parent->status.links == 0) // removed, but still open
        return Error::not_found;
    if (made.link_text.size() > fskit::path_bytes_max)
        return Error::name_too_long;
    if (nodes_.size() == options_.nodes_max)
        return Error::no_space;
    auto const id = next_id_;
    auto node = std::make_unique<Node>(budget_);
    auto const is_directory = made.kind == FileKind::directory;
    node->status = { .inode = id,
        .size = made.link_text.size(),
        .uid = made.owner.uid,
        .gid = made.owner.gid,
        .links = is_directory ? 2u : 1u,
        .mode = static_cast<u16>(made.mode & 07777),
        .kind = made.kind,
        .device_major = static_cast<u32>(made.device >> 32),
        .device_minor = static_cast<u32>(made.device) };
    node->link_text = made.link_text;
    node->children.parent = place.directory;
    touch(*node);
    node->status.accessed = node->status.created = node->status.modified;
    nodes_[id] = std::move(node); // replaces what an earlier make left when memory ended below
    add_entry(*parent, place.name, id);
    if (is_directory)
        ++parent->status.links;
    ++next_id_;
    return id;
}

Result<void> Tree::remove(NameIn place, RemoveKind kind)
{
    auto* const parent = TRY(directory(place.directory));
    auto const* const found = entry(*parent, place.name);
    if (!found)
        return Error::not_found;
    auto const id = found->node;
    auto& node = *nodes_.at(id);
    auto const is_directory = node.status.kind == FileKind::directory;
    if (is_directory && kind == RemoveKind::file)
        return Error::is_directory;
    if (!is_directory && kind == RemoveKind::directory)
        return Error::not_directory;
    if (!node.children.by_cookie.empty())
        return Error::not_empty;
    drop_entry(*parent, place.name);
    if (is_directory)
        --parent->status.links;
    unlink_node(id);
    return {};
}

Result<void> Tree::check_replace(Node& moved, Node& replaced)
{
    auto const moved_directory = moved.status.kind == FileKind::directory;
    auto const replaced_directory = replaced.status.kind == FileKind::directory;
    if (moved_directory && !replaced_directory)
        return Error::not_directory;
    if (!moved_directory && replaced_directory)
        return Error::is_directory;
    if (!replaced.children.by_cookie.empty())
        return Error::not_empty;
    return {};
}

bool Tree::is_ancestor(NodeId ancestor, NodeId of)
{
    while (of != ancestor && of != root())
        of = nodes_.at(of)->children.parent;
    return of == ancestor;
}

Result<void> Tree::link(NodeId id, NameIn place)
{
    auto* const linked = TRY(node(id));
    auto* const parent = TRY(directory(place.directory));
    TRY(fskit::check_name(place.name));
    if (linked->status.kind == FileKind::directory)
        return Error::no_rights;
    if (linked->status.links == 0 || parent->status.links == 0)
        return Error::not_found;
    if (entry(*parent, place.name))
        return Error::exists;
    add_entry(*parent, place.name, id);
    ++linked->status.links;
    linked->status.changed = now();
    return {};
}

// Neither name is ever missing, and nothing ends: two directories trade parents.
Result<void> Tree::exchange(NameIn from, NameIn to)
{
    auto* const source = TRY(directory(from.directory));
    auto* const target = TRY(directory(to.directory));
    auto* const one = entry(*source, from.name);
    auto* const other = entry(*target, to.name);
    if (!one || !other)
        return Error::not_found;
    if (is_ancestor(one->node, to.directory) || is_ancestor(other->node, from.directory))
        return Error::invalid;
    std::swap(one->node, other->node);
    auto const settle = [&](NodeId moved, NameIn left, NameIn reached) {
        auto& node = *nodes_.at(moved);
        node.children.parent = reached.directory;
        node.status.changed = now();
        if (node.status.kind != FileKind::directory)
            return;
        --nodes_.at(left.directory)->status.links;
        ++nodes_.at(reached.directory)->status.links;
    };
    settle(one->node, to, from);
    settle(other->node, from, to);
    touch(*source);
    touch(*target);
    return {};
}

Result<void> Tree::set_attributes(NodeId id, FileAttributes const& attributes)
{
    auto* const found = TRY(node(id));
    if (attributes.has(AttributeChange::size))
        TRY(resize(id, attributes.size));
    auto& status = found->status;
    auto const time = now();
    if (attributes.has(AttributeChange::mode))
        status.mode = attributes.mode & 07777;
    if (attributes.has(AttributeChange::uid))
        status.uid = attributes.uid;
    if (attributes.has(AttributeChange::gid))
        status.gid = attributes.gid;
    if (attributes.has(AttributeChange::accessed))
        status.accessed = attributes.accessed;
    if (attributes.has(AttributeChange::modified))
        status.modified = attributes.modified;
    if (attributes.has(AttributeChange::accessed_now))
        status.accessed = time;
    if (attributes.has(AttributeChange::modified_now))
        status.modified = time;
    status.changed = time;
    return {};
}

Result<u64> Tree::seek(NodeId id, u64 offset, SeekKind kind)
{
    auto* const file = TRY(regular(id));
    return file->data.seek(offset, kind);
}

Result<void> Tree::rename(NameIn from, NameIn to, RenameMode mode)
{
    if (mode == RenameMode::exchange)
        return exchange(from, to);
    auto* const source = TRY(directory(from.directory));
    auto* const target = TRY(directory(to.directory));
    TRY(fskit::check_name(to.name));
    auto const* const moved_entry = entry(*source, from.name);
    if (!moved_entry || target->status.links == 0)
        return Error::not_found;
    auto const id = moved_entry->node;
    auto& moved = *nodes_.at(id);
    auto const is_directory = moved.status.kind == FileKind::directory;
    if (is_directory && is_ancestor(id, to.directory))
        return Error::invalid;
    auto* const replaced = entry(*target, to.name);
    if (replaced && mode == RenameMode::no_replace)
        return Error::exists;
    if (replaced && replaced->node == id)
        return {};
    if (replaced)
        TRY(check_replace(moved, *nodes_.at(replaced->node)));

    if (replaced) { // the name changes its node in place: nobody sees it missing
        auto const old = std::exchange(replaced->node, id);
        unlink_node(old);
        touch(*target);
    } else {
        add_entry(*target, to.name, id);
    }
    if (is_directory && !replaced)
        ++target->status.links;
    if (is_directory)
        --source->status.links;
    moved.children.parent = to.directory;
    moved.status.changed = now();
    drop_entry(*source, from.name);
    return {};
}

VolumeStatus Tree::volume()
{
    VolumeStatus status { .bytes_total = budget_.pages_max() * page_bytes,
        .bytes_free = (budget_.pages_max() - budget_.used()) * page_bytes,
        .bytes_available = (budget_.pages_max() - budget_.used()) * page_bytes,
        .files_total = options_.nodes_max,
        .files_free = options_.nodes_max - nodes_.size(),
        .block_bytes = page_bytes };
    std::string_view("tmpfs").copy(status.type, sizeof(status.type) - 1);
    return status;
}

} // namespace gemel::tmpfs
