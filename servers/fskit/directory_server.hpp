// The Directory and File protocols for any NodeTree: the server half of tmpfs, devfs, procfs and
// bundlefs. One thread serves, so that a tree needs no lock.
#pragma once

#include "servers/fskit/node_tree.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/protocols/refused.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/session_memory.hpp"

#include <functional>

namespace gemel::fskit {

// A node whose File another server makes (a terminal): the capability to it, or nothing for a node
// that is the tree's own. Takes the region only when it answers with a capability.
using OpenElsewhere = std::function<Result<std::optional<Handle>>(NodeId node, Handle& region)>;

struct TreeServer {
    TreeServer(Handle const& port, NodeTree& served)
        : tree(served)
        , objects(port)
    {
    }

    NodeTree& tree;
    OpenElsewhere open_elsewhere;
    SharedRegion mounts;
    ObjectServer objects;
};

// One opening of a node, shared by the files that were attached to it.
class Opening {
public:
    Opening(NodeTree& tree, NodeId node, OpenFlags flags)
        : tree_(tree)
        , node_(node)
        , flags_(flags)
    {
    }
    Opening(Opening const&) = delete;
    Opening& operator=(Opening const&) = delete;
    ~Opening() { close(); }

    // dead once it was closed; no_rights when it was not opened for this.
    Result<NodeId> node_for(OpenFlag use) const;
    Result<NodeId> node() const;
    bool appends() const { return has(flags_, OpenFlag::append); }
    void close();

private:
    NodeTree& tree_;
    NodeId node_; // 0: closed
    OpenFlags flags_;
};

class FileObject : public RefusedByMemoryFiles {
public:
    using File = protocol::File;
    using RefusedByMemoryFiles::on;

    FileObject(TreeServer& server, Ref<Opening> opening, SessionMemory region)
        : server_(server)
        , opening_(std::move(opening))
        , region_(std::move(region))
    {
    }

    Result<File::Read::Reply> on(File::Read const& request);
    Result<File::Write::Reply> on(File::Write const& request);
    Result<File::Close::Reply> on(File::Close const& request);
    Result<File::Sync::Reply> on(File::Sync const& request);
    Result<File::Stat::Reply> on(File::Stat const& request);
    Result<File::Resize::Reply> on(File::Resize const& request);
    Result<File::Attach::Reply> on(File::Attach request);
    Result<File::SetAttributes::Reply> on(File::SetAttributes const& request);
    Result<File::Seek::Reply> on(File::Seek const& request);

private:
    TreeServer& server_;
    Ref<Opening> opening_;
    SessionMemory region_; // empty: opened without one
};

// The root of the tree, with one client's region.
class DirectoryObject : public RefusedByMemoryTrees {
public:
    using Directory = protocol::Directory;
    using RefusedByMemoryTrees::on;

    DirectoryObject(TreeServer& server, SessionMemory region)
        : server_(server)
        , region_(std::move(region))
    {
    }

    Result<Directory::Attach::Reply> on(Directory::Attach request);
    Result<Directory::Extend::Reply> on(Directory::Extend request);
    Result<Directory::Open::Reply> on(Directory::Open request);
    Result<Directory::Stat::Reply> on(Directory::Stat const& request);
    Result<Directory::Readdir::Reply> on(Directory::Readdir const& request);
    Result<Directory::Readlink::Reply> on(Directory::Readlink const& request);
    Result<Directory::Mkdir::Reply> on(Directory::Mkdir const& request);
    Result<Directory::Unlink::Reply> on(Directory::Unlink const& request);
    Result<Directory::Rename::Reply> on(Directory::Rename const& request);
    Result<Directory::Symlink::Reply> on(Directory::Symlink const& request);
    Result<Directory::Statfs::Reply> on(Directory::Statfs const& request);
    Result<Directory::ShowMounts::Reply> on(Directory::ShowMounts request);
    Result<Directory::Link::Reply> on(Directory::Link const& request);
    Result<Directory::MakeNode::Reply> on(Directory::MakeNode const& request);
    Result<Directory::SetAttributes::Reply> on(Directory::SetAttributes const& request);
    Result<Directory::ReaddirStatus::Reply> on(Directory::ReaddirStatus const& request);
    Result<Directory::Sync::Reply> on(Directory::Sync const& request);

private:
    // Copies the text out of the region: the other side may change it at any time.
    Result<std::string> text_at(Span span) const;
    Result<NodeId> node_to_open(Place const& place, Directory::Open const& request);
    // Makes a node where no name is yet.
    template <typename Request>
    Result<typename Request::Reply> make_node(Request const& request, NewNode const& node);
    // Walks two paths and runs action(from, to) -> Result<Reply>.
    template <typename Request, typename Action>
    Result<typename Request::Reply> at_two_places(Request const& request, Action action);
    Result<Handle> open_node(NodeId node, OpenFlags flags, Handle region);
    // Walks to `path` and runs action(place) -> Result<Reply>; a symlink on the way is the reply.
    template <typename Reply, typename Action>
    Result<Reply> at_place(Span path, LastLink last, Span answer, Action action);
    // Tells what was made or changed; what it put there, 0 where it could not.
    u32 put_status(NodeId node, Span answer);
    template <typename Reply>
    Result<Reply> link_reply(LinkMet const& link, Span answer);

    TreeServer& server_;
    SessionMemory region_; // empty: only Attach makes sense
};

static_assert(Serves<FileObject, protocol::File>);
static_assert(Serves<DirectoryObject, protocol::Directory>);

// Serves the tree on `port` until the port is gone.
Result<void> serve_tree(Handle const& port, NodeTree& tree, OpenElsewhere open_elsewhere = {});

} // namespace gemel::fskit
