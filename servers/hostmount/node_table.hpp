// Which files the host knows: its node numbers, how often it asked for each, and under which names
// they stand. A node is a file, not a name: two links to one file are one node, because the host
// keeps the file's pages by node.
#pragma once

#include "core/base/result.hpp"
#include "servers/protocols/file_status.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::hostmount {

class NodeTable {
public:
    static constexpr u64 root = 1;
    static constexpr usize path_bytes_max = 4095;

    // At most `bytes_max` are taken, by its own count: a MiB for each 3,400 files or so. The host
    // forgets when its own memory runs short, not when ours does.
    explicit NodeTable(usize bytes_max);

    // The host is told of `name` in `parent`: the file's node, with one lookup more. not_found: the
    // parent is not known; no_memory: the table is full.
    Result<u64> learn(u64 parent, std::string_view name, FileStatus const& status);
    // Whether as many more can be learned as there are requests at once. For who changes something
    // on the disk before the name is learned.
    bool has_room() const { return bytes_ + spare_bytes <= bytes_max_; }
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
    bool knows(u64 node) const { return nodes_.contains(node); }
    usize count() const { return nodes_.size(); }

private:
    // In what it takes: what the maps keep beside it, and the heap.
    static constexpr usize node_bytes = 256;
    static constexpr usize spare_bytes = 64 << 10;
    // Short ones lie in the entry.
    static constexpr usize name_bytes(std::string_view text)
    {
        return text.size() < 16 ? 0 : text.size() + 32;
    }

    struct NameKey {
        u64 parent = 0;
        std::string_view text;
    };
    struct Name {
        u64 parent = 0;
        std::string text;
        mutable u64 node = 0;
        mutable Name const* next = nullptr; // of the same node

        operator NameKey() const { return { parent, text }; }
    };
    struct Before {
        using is_transparent = void;
        bool operator()(NameKey one, NameKey other) const
        {
            return one.parent != other.parent ? one.parent < other.parent : one.text < other.text;
        }
    };
    struct Node {
        u64 inode = 0;
        u64 lookups = 0;
        Name const* names = nullptr; // the last one told first
        u32 links = 1; // as far as the host was told
        u32 below = 0; // names in the table that stand in it
        FileKind kind = FileKind::regular;
        bool last_name_gone = false; // its inode's number may be another file's by now
    };

    Name const* find_name(u64 parent, std::string_view name) const;
    void add_name(u64 node, u64 parent, std::string_view name);
    void drop_name(Name const& name);
    void drop_if_unused(u64 node);

    usize bytes_max_;
    usize bytes_ = 0;
    std::map<u64, Node> nodes_;
    std::set<Name, Before> names_;
    std::map<u64, u64> by_inode_;
    std::map<u64, FileStatus> last_statuses_; // of nodes
    u64 next_ = root + 1;
};

} // namespace gemel::hostmount
