// Which files the host knows: its node numbers, how often it asked for each, and under which names
// they stand. A node is a file, not a name: two links to one file are one node, because the host
// keeps the file's pages by node.
#pragma once

#include "core/base/result.hpp"
#include "servers/protocols/file_status.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::hostmount {

class NodeTable {
public:
    static constexpr u64 root = 1;
    static constexpr usize path_bytes_max = 4095;

    NodeTable();

    // The host is told of `name` in `parent`: the file's node, with one lookup more. not_found: the
    // parent is not known.
    Result<u64> learn(u64 parent, std::string_view name, FileStatus const& status);
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
    struct Name {
        u64 parent = 0;
        std::string text;
        auto operator<=>(Name const&) const = default;
    };
    using Names = std::map<Name, u64, std::less<>>;
    struct Node {
        u64 inode = 0;
        u64 lookups = 0;
        u32 links = 1; // as far as the host was told
        u64 below = 0; // names in the table that stand in it
        FileKind kind = FileKind::regular;
        bool last_name_gone = false; // its inode's number may be another file's by now
        std::vector<Names::iterator> names;
        std::optional<FileStatus> last_status {};
    };
    using Nodes = std::map<u64, Node>;

    Names::const_iterator find_name(u64 parent, std::string_view name) const;
    void add_name(u64 node, u64 parent, std::string_view name);
    void drop_name(Names::iterator name);
    void drop_if_unused(u64 node);

    Nodes nodes_;
    Names names_;
    std::map<u64, u64> by_inode_;
    u64 next_ = root + 1;
};

} // namespace gemel::hostmount
