// /proc: a directory for each task, named by its number, and the files about the whole machine. The
// text of a file is made when it is opened and stays as it was for that opening.
#pragma once

#include "servers/fskit/node_tree.hpp"
#include "servers/procfs/audit.hpp"

#include <map>

namespace gemel::procfs {

using fskit::NodeId;

class Tree final : public fskit::NodeTree {
public:
    // `audit` and `version` must outlive the tree.
    Tree(Audit& audit, std::string_view version);

    NodeId root() const override { return 1; }
    Result<NodeId> find(NodeId directory, std::string_view name) override;
    Result<FileStatus> status(NodeId node) override;
    Result<void> list(NodeId directory, u64 cookie, EntryWriter& entries) override;
    Result<NodeId> open(NodeId node) override;
    void close(NodeId node) override;
    // Only of what open gave.
    Result<usize> read(NodeId node, u64 offset, std::span<std::byte> into) override;
    VolumeStatus volume() override;
    Result<void> show_mounts(std::span<std::byte const> page) override;

private:
    Result<void> list_root(u64 cookie, EntryWriter& entries);
    Result<std::string> text_of(NodeId file);
    Result<std::string> text_of_task_file(NodeId file);

    Audit& audit_;
    std::string_view version_;
    std::span<std::byte const> mounts_page_; // empty until the vfs showed it
    std::map<NodeId, std::string> opened_;
    NodeId next_opened_;
};

} // namespace gemel::procfs
