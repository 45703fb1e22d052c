// A tree that is built once and then read: directories, symlinks, and files whose contents a
// subclass knows. bundlefs and devfs are made of it.
#pragma once

#include "servers/fskit/node_tree.hpp"

#include <map>
#include <vector>

namespace gemel::fskit {

class FixedTree : public NodeTree {
public:
    FixedTree();

    // Adds a node, directories on its way with it (mode 0755). `path` is relative, clean (see
    // path.hpp). A directory that is there already gets the status. Another node there -> exists;
    // through a file -> not_directory. `status.inode` is set here.
    Result<NodeId> add(std::string_view path, FileStatus status, std::string_view link_text = {});

    NodeId root() const override { return 1; }
    Result<NodeId> find(NodeId directory, std::string_view name) override;
    Result<FileStatus> status(NodeId node) override;
    Result<std::string> link_text(NodeId node) override;
    Result<void> list(NodeId directory, u64 cookie, EntryWriter& entries) override;

private:
    struct Node {
        FileStatus status;
        std::string link_text;
        std::vector<std::pair<std::string, NodeId>> children; // a cookie is a place here, from 1
        std::map<std::string, NodeId, std::less<>> by_name;
    };
    Result<Node*> node(NodeId id);
    Result<Node*> directory(NodeId id);
    Result<NodeId> add_child(NodeId parent, std::string_view name, FileStatus status);

    std::vector<Node> nodes_; // number 1 first
};

} // namespace gemel::fskit
