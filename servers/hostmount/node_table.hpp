// Which files the host knows: its node numbers, how often it asked for each, and under which names
// they stand. A node is a file, not a name: two links to one file are one node, because the host
// keeps the file's pages by node.
#pragma once

#include "core/base/result.hpp"
#include "servers/hostmount/hashed_slots.hpp"
#include "servers/protocols/file_status.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::hostmount {

class NodeTable {
public:
    static constexpr u64 root = 1;
    static constexpr usize path_bytes_max = 4095;

    struct Options {
        // Are taken at most, by its own count: a MiB for each 9,000 files or so. The host forgets
        // when its own memory runs short, not when ours does.
        usize bytes_max = 0;
        // Random bits, so that nobody can choose names that all stand in one place of the table.
        u64 seed = 0;
    };
    explicit NodeTable(Options options);

    // The host is told of `name` in `parent`: the file's node, with one lookup more. not_found: the
    // parent is not known; no_memory: the table is full.
    Result<u64> learn(u64 parent, std::string_view name, FileStatus const& status);
    // Whether as many more can be learned as there are requests at once. For who changes something
    // on the disk before the name is learned.
    bool has_room() const { return bytes() + spare_bytes <= bytes_max_; }
    // The host forgets `lookups` of a node. Unknown nodes and too large counts are no error.
    void forget(u64 node, u64 lookups);

    // Relative to the root, without a leading '/'. not_found: unknown, or without a name any more;
    // name_too_long over path_bytes_max.
    Result<std::string> path(u64 node) const;
    Result<std::string> path(u64 parent, std::string_view name) const;

    // The names changed on the disk.
    void removed(u64 parent, std::string_view name);
    void renamed(u64 parent, std::string_view name, u64 new_parent, std::string_view new_name);
    void exchanged(u64 parent, std::string_view name, u64 other, std::string_view other_name);

    // The file that is left without a name when this one goes, or 0: only regular files are open.
    u64 last_named(u64 parent, std::string_view name) const;

    // A directory that is to go under this name: what is told of it while the host holds on to it.
    bool is_directory(u64 parent, std::string_view name) const;
    void keep_last_status(u64 parent, std::string_view name, FileStatus status);
    // not_found: none was kept.
    Result<FileStatus> last_status(u64 node) const;

    // The node that stands under the name, or 0.
    u64 find(u64 parent, std::string_view name) const;
    bool knows(u64 node) const { return slot_of(node) != none; }
    usize count() const { return nodes_.count() - 1; } // slot 0 is nobody

private:
    // In nodes_ and names_. A node's number is its slot, and above that how many it had before it:
    // no number is another's later.
    using Slot = u32;
    static constexpr Slot none = ~Slot { 0 };
    static constexpr usize spare_bytes = 64 << 10;

    struct Name {
        std::string text;
        u32 hash_low = 0;
        Slot parent = 0;
        Slot node = 0;
        Slot next = none; // of the same node
        Slot chained = none;

        u64 hash() const { return hash_low; }
    };
    struct Node {
        u64 inode = 0;
        u64 lookups = 0;
        u32 lives = 0; // of the slot, before
        Slot names = none; // the last one told first
        u32 links = 1; // as far as the host was told
        u32 below = 0; // names in the table that stand in it
        Slot chained = none;
        FileKind kind = FileKind::regular;
        bool used = false;
        bool last_name_gone = false; // its inode's number may be another file's by now

        u64 hash() const;
    };
    u32 hash_of(Slot parent, std::string_view name) const;
    // What a name takes beside its slot: short ones lie in it.
    static constexpr usize text_bytes(std::string_view text)
    {
        return text.size() < 16 ? 0 : text.size() + 32;
    }
    usize bytes() const;

    u64 number_of(Slot slot) const { return u64 { nodes_[slot].lives } << 32 | slot; }
    Slot slot_of(u64 number) const;
    Slot find_name(Slot parent, std::string_view name) const;
    Slot named(u64 parent, std::string_view name) const;
    Slot node_named(u64 parent, std::string_view name) const;
    Slot find_inode(u64 inode) const;
    Slot add_node(u64 inode, FileKind kind);
    void add_name(Slot node, Slot parent, std::string_view name);
    void drop_name(Slot name);
    void erase_name(Slot name);
    void lose_inode(Slot node);
    void drop_if_unused(Slot node);

    usize bytes_max_;
    u64 seed_; // odd
    usize text_bytes_ = 0;
    HashedSlots<Node> nodes_; // linked while their inode is theirs
    HashedSlots<Name> names_;
    std::map<u64, FileStatus> last_statuses_; // of nodes
};

} // namespace gemel::hostmount
