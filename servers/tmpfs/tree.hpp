// The tree of a tmpfs: nodes by number, all in memory. A node lives as long as it has a name or is
// open.
#pragma once

#include "servers/fskit/node_tree.hpp"
#include "servers/tmpfs/file_data.hpp"

#include <functional>
#include <map>

namespace gemel::tmpfs {

using fskit::NameIn;
using fskit::NewNode;
using fskit::NodeId;

struct TreeOptions {
    u64 bytes_max = 16 << 20; // of file contents, in whole pages
    u32 nodes_max = 16'384; // files, directories and symlinks together
    std::function<i64()> now_ns; // what timestamps are taken from
};

class Tree final : public fskit::NodeTree {
public:
    explicit Tree(TreeOptions options);

    NodeId root() const override { return 1; }
    Result<NodeId> find(NodeId directory, std::string_view name) override;
    Result<FileStatus> status(NodeId node) override;
    Result<std::string> link_text(NodeId node) override;
    Result<void> list(NodeId directory, u64 cookie, EntryWriter& entries) override;
    Result<NodeId> open(NodeId node) override;
    void close(NodeId node) override;
    Result<usize> read(NodeId node, u64 offset, std::span<std::byte> into) override;
    Result<usize> write(NodeId node, u64 offset, std::span<std::byte const> from) override;
    Result<void> resize(NodeId node, u64 size) override;
    // Over nodes_max, or in a directory that was removed -> no_space, not_found.
    Result<NodeId> make(NameIn place, NewNode const& node) override;
    Result<void> remove(NameIn place, RemoveKind kind) override;
    Result<void> link(NodeId node, NameIn place) override;
    Result<void> rename(NameIn from, NameIn to, RenameMode mode) override;
    Result<void> set_attributes(NodeId node, FileAttributes const& attributes) override;
    Result<u64> seek(NodeId node, u64 offset, SeekKind kind) override;
    VolumeStatus volume() override;

private:
    struct Entry {
        std::string name;
        NodeId node;
    };
    // Entries stand in the order they were made; an entry's number is its cookie and is never used
    // again in this directory, so a listing can go on at any time.
    struct Children {
        NodeId parent = 0;
        u64 next_cookie = 1;
        std::map<u64, Entry> by_cookie;
        std::map<std::string_view, u64> by_name; // the keys are the entries' own names
    };
    struct Node {
        explicit Node(PageBudget& budget)
            : data(budget)
        {
        }
        FileStatus status;
        FileData data; // a file's
        std::string link_text; // a symlink's
        Children children; // a directory's
        u32 openings = 0;
    };

    Result<Node*> node(NodeId id);
    Result<Node*> directory(NodeId id);
    Result<Node*> regular(NodeId id);
    static Entry* entry(Node& directory, std::string_view name);
    void add_entry(Node& directory, std::string_view name, NodeId child);
    void drop_entry(Node& directory, std::string_view name);
    FileTime now() const { return FileTime::from_ns(options_.now_ns()); }
    void touch(Node& node);
    void unlink_node(NodeId id); // one name of it is gone
    void forget_if_unused(NodeId id);
    Result<void> check_replace(Node& moved, Node& replaced);
    bool is_ancestor(NodeId ancestor, NodeId of);
    Result<void> exchange(NameIn from, NameIn to);

    TreeOptions options_;
    PageBudget budget_;
    std::map<NodeId, std::unique_ptr<Node>> nodes_;
    NodeId next_id_ = 2;
};

} // namespace gemel::tmpfs
