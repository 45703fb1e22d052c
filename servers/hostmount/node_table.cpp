#include "servers/hostmount/node_table.hpp"

#include <algorithm>

namespace gemel::hostmount {

namespace {

u64 mixed(u64 value)
{
    constexpr u64 odd = 0x9E37'79B9'7F4A'7C15; // 2^64 divided by the golden ratio
    value = (value ^ value >> 32) * odd;
    value = (value ^ value >> 29) * odd;
    return value ^ value >> 32;
}

} // namespace

NodeTable::NodeTable(Options options)
    : bytes_max_(options.bytes_max)
    , seed_(mixed(options.seed) | 1)
{
    static_cast<void>(nodes_.add()); // no node has number 0
    auto& top = nodes_[nodes_.add()];
    top = Node { .lookups = 1, .kind = FileKind::directory, .used = true };
}

u64 NodeTable::Node::hash() const
{
    return mixed(inode);
}

u32 NodeTable::hash_of(Slot parent, std::string_view name) const
{
    auto value = mixed(seed_ + parent);
    for (auto const each : name)
        value = (value ^ static_cast<u8>(each)) * seed_;
    return static_cast<u32>(mixed(value));
}

usize NodeTable::bytes() const
{
    return nodes_.count() * nodes_.item_bytes + names_.count() * names_.item_bytes + text_bytes_;
}

NodeTable::Slot NodeTable::slot_of(u64 number) const
{
    auto const slot = static_cast<Slot>(number);
    return nodes_.has(slot) && nodes_[slot].used && number_of(slot) == number ? slot : none;
}

NodeTable::Slot NodeTable::find_name(Slot parent, std::string_view name) const
{
    auto const hash = hash_of(parent, name);
    return names_.find(hash, [&](Name const& each) {
        return each.hash_low == hash && each.parent == parent && each.text == name;
    });
}

NodeTable::Slot NodeTable::named(u64 parent, std::string_view name) const
{
    auto const directory = slot_of(parent);
    return directory == none ? none : find_name(directory, name);
}

NodeTable::Slot NodeTable::node_named(u64 parent, std::string_view name) const
{
    auto const found = named(parent, name);
    return found == none ? none : names_[found].node;
}

u64 NodeTable::find(u64 parent, std::string_view name) const
{
    auto const node = node_named(parent, name);
    return node == none ? 0 : number_of(node);
}

NodeTable::Slot NodeTable::find_inode(u64 inode) const
{
    return nodes_.find(
        Node { .inode = inode }.hash(), [&](Node const& each) { return each.inode == inode; });
}

NodeTable::Slot NodeTable::add_node(u64 inode, FileKind kind)
{
    auto const slot = nodes_.add();
    auto& node = nodes_[slot];
    node = Node { .inode = inode, .lives = node.lives, .kind = kind, .used = true };
    nodes_.link(slot);
    return slot;
}

// The inode's number is another file's now, or may become one's.
void NodeTable::lose_inode(Slot node)
{
    if (std::exchange(nodes_[node].last_name_gone, true))
        return;
    nodes_.unlink(node);
}

void NodeTable::add_name(Slot node, Slot parent, std::string_view name)
{
    if (find_name(parent, name) != none)
        return;
    auto const slot = names_.add();
    names_[slot] = Name { .text = std::string(name),
        .hash_low = hash_of(parent, name),
        .parent = parent,
        .node = node,
        .next = nodes_[node].names };
    names_.link(slot);
    nodes_[node].names = slot;
    text_bytes_ += text_bytes(name);
    ++nodes_[parent].below;
}

// Out of the table; the node's own list is the caller's.
void NodeTable::erase_name(Slot slot)
{
    auto& name = names_[slot];
    text_bytes_ -= text_bytes(name.text);
    --nodes_[name.parent].below;
    names_.unlink(slot);
    name.text = {};
    names_.erase(slot);
}

void NodeTable::drop_name(Slot slot)
{
    auto const parent = names_[slot].parent;
    auto* at = &nodes_[names_[slot].node].names;
    while (*at != slot)
        at = &names_[*at].next;
    *at = names_[slot].next;
    erase_name(slot);
    drop_if_unused(parent);
}

// Nobody asks for it any more, and nothing below it needs it for a path. Then the directories that
// it stood in may be unused too.
void NodeTable::drop_if_unused(Slot slot)
{
    std::vector<Slot> candidates { slot };
    while (!candidates.empty()) {
        auto const each = candidates.back();
        candidates.pop_back();
        auto& node = nodes_[each];
        if (!node.used || each == root || node.lookups != 0 || node.below != 0)
            continue;
        last_statuses_.erase(number_of(each));
        lose_inode(each);
        for (auto name = node.names; name != none;) {
            auto const next = names_[name].next;
            candidates.push_back(names_[name].parent);
            erase_name(name);
            name = next;
        }
        node = Node { .lives = node.lives + 1 };
        nodes_.erase(each);
    }
}

Result<u64> NodeTable::learn(u64 parent, std::string_view name, FileStatus const& status)
{
    auto const directory = slot_of(parent);
    if (directory == none)
        return Error::not_found;
    if (bytes() + nodes_.item_bytes + names_.item_bytes + text_bytes(name) > bytes_max_)
        return Error::no_memory;
    auto node = find_inode(status.inode);
    if (node != none && nodes_[node].kind != status.kind) { // the number is another file's now
        lose_inode(node);
        node = none;
    }
    if (auto const found = find_name(directory, name);
        found != none && names_[found].node != node) {
        auto const before = names_[found].node;
        drop_name(found);
        drop_if_unused(before);
        if (!knows(parent)) // the host had forgotten it
            return Error::not_found;
    }
    if (node == none)
        node = add_node(status.inode, status.kind);
    add_name(node, directory, name);
    nodes_[node].links = status.links;
    ++nodes_[node].lookups;
    return number_of(node);
}

void NodeTable::forget(u64 number, u64 lookups)
{
    auto const slot = slot_of(number);
    if (slot == none || slot == root)
        return;
    auto& node = nodes_[slot];
    node.lookups -= std::min(lookups, node.lookups);
    drop_if_unused(slot);
}

u64 NodeTable::last_named(u64 parent, std::string_view name) const
{
    auto const slot = node_named(parent, name);
    if (slot == none)
        return 0;
    auto const& node = nodes_[slot];
    bool const only_one = names_[node.names].next == none;
    return node.kind == FileKind::regular && only_one ? number_of(slot) : 0;
}

bool NodeTable::is_directory(u64 parent, std::string_view name) const
{
    auto const slot = node_named(parent, name);
    return slot != none && nodes_[slot].kind == FileKind::directory;
}

void NodeTable::keep_last_status(u64 parent, std::string_view name, FileStatus status)
{
    auto const number = find(parent, name);
    if (number == 0)
        return;
    status.links = 0;
    last_statuses_[number] = status;
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
    auto slot = slot_of(number);
    if (slot == none)
        return Error::not_found;
    std::vector<std::string_view> parts;
    usize bytes = 0;
    while (slot != root) {
        if (nodes_[slot].names == none)
            return Error::not_found;
        auto const& name = names_[nodes_[slot].names];
        parts.push_back(name.text);
        bytes += name.text.size() + 1;
        if (bytes > path_bytes_max + 1)
            return Error::name_too_long;
        slot = name.parent;
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
    auto const found = named(parent, name);
    if (found == none)
        return;
    auto const slot = names_[found].node;
    drop_name(found);
    // With a link left that the host was not told of, the file stays this node.
    auto& node = nodes_[slot];
    bool const last = node.kind == FileKind::directory || node.links <= 1;
    node.links -= last ? 0 : 1;
    if (last && node.names == none)
        lose_inode(slot);
    drop_if_unused(slot);
}

void NodeTable::renamed(
    u64 parent, std::string_view name, u64 new_parent, std::string_view new_name)
{
    auto const node = node_named(parent, name);
    if (node != none && node == node_named(new_parent, new_name))
        return; // two links to one file: rename leaves both
    removed(new_parent, new_name);
    auto const new_directory = slot_of(new_parent);
    if (node == none || new_directory == none)
        return;
    add_name(node, new_directory, new_name);
    drop_name(named(parent, name));
}

void NodeTable::exchanged(u64 parent, std::string_view name, u64 other, std::string_view other_name)
{
    auto const first = node_named(parent, name);
    auto const second = node_named(other, other_name);
    if (first == second)
        return;
    auto const keep = [&](Slot node) { // while it has no name
        if (node != none)
            ++nodes_[node].lookups;
    };
    auto const release = [&](Slot node) {
        if (node != none)
            forget(number_of(node), 1);
    };
    keep(first);
    keep(second);
    if (first != none)
        drop_name(named(parent, name));
    if (second != none)
        drop_name(named(other, other_name));
    if (auto const directory = slot_of(other); first != none && directory != none)
        add_name(first, directory, other_name);
    if (auto const directory = slot_of(parent); second != none && directory != none)
        add_name(second, directory, name);
    release(first);
    release(second);
}

} // namespace gemel::hostmount
