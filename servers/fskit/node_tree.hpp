// What a file server of this repository is, below its protocols: a tree of nodes by number. tmpfs,
// devfs, procfs and bundlefs are one each; DirectoryServer (directory_server.hpp) speaks the
// protocols for all of them. A tree is used by one thread at a time.
#pragma once

#include "core/base/result.hpp"
#include "servers/protocols/file_attributes.hpp"
#include "servers/protocols/file_status.hpp"
#include "servers/protocols/open_flag.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace gemel::fskit {

using NodeId = u64; // also the inode number; never 0

// A node to be made. `link_text` is a symlink's.
struct NewNode {
    FileKind kind = FileKind::regular;
    u16 mode = 0;
    std::string_view link_text {};
    Owner owner {};
    u64 device = 0; // major in the upper half
};

// A name in a directory, for operations that take two.
struct NameIn {
    NodeId directory;
    std::string_view name;
};

// A node id that no longer exists -> not_found, everywhere. What changes the tree is refused with
// read_only unless a tree says otherwise, and so is what a tree does not have.
class NodeTree {
public:
    virtual ~NodeTree() = default;

    virtual NodeId root() const = 0;
    // Not a directory -> not_directory.
    virtual Result<NodeId> find(NodeId directory, std::string_view name) = 0;
    virtual Result<FileStatus> status(NodeId node) = 0;
    // Of a symlink; anything else -> invalid.
    virtual Result<std::string> link_text(NodeId) { return Error::invalid; }
    // The entries after `cookie` that fit; none at the end. Full before the first -> too_big.
    virtual Result<void> list(NodeId directory, u64 cookie, EntryWriter& entries) = 0;

    // The node that reads and writes of this opening go to: it lives until the matching close, also
    // if every name is gone. Mostly the node itself; procfs gives each opening its own text.
    virtual Result<NodeId> open(NodeId node) { return node; }
    virtual void close(NodeId) { }

    // Bytes read; 0 at the end.
    virtual Result<usize> read(NodeId node, u64 offset, std::span<std::byte> into) = 0;
    // Bytes written, less than asked only when space ends after some.
    virtual Result<usize> write(NodeId, u64, std::span<std::byte const>)
    {
        return Error::read_only;
    }
    virtual Result<void> resize(NodeId, u64) { return Error::read_only; }
    virtual Result<void> set_attributes(NodeId, FileAttributes const&) { return Error::read_only; }
    // As File::Seek. A tree without holes is all data.
    virtual Result<u64> seek(NodeId node, u64 offset, SeekKind kind);
    // The name must not be there (exists).
    virtual Result<NodeId> make(NameIn, NewNode const&) { return Error::read_only; }
    virtual Result<void> remove(NameIn, RemoveKind) { return Error::read_only; }
    // Another name, which must not be there (exists), for a node that is no directory (no_rights).
    virtual Result<void> link(NodeId, NameIn) { return Error::read_only; }
    // As POSIX rename(); onto the same node: nothing happens.
    virtual Result<void> rename(NameIn, NameIn, RenameMode) { return Error::read_only; }

    virtual VolumeStatus volume() = 0;
    // The page the vfs keeps its mounts in, mapped read-only for as long as the tree lives.
    virtual Result<void> show_mounts(std::span<std::byte const>) { return Error::unsupported; }
};

// Where a path leads.
struct Place {
    NodeId parent; // of the root: the root
    std::string_view name; // in the parent, "" for the root; points into the path
    std::optional<NodeId> node; // nothing when the parent has no such name
};

// The walk stopped: component `component` of the path is a symlink.
struct LinkMet {
    u32 component;
    std::string text;
};

// Follows `path` from the root, as Directory asks (servers/protocols/directory.hpp). `keep` stops
// at a symlink in last place, `follow` reports it.
Result<std::variant<Place, LinkMet>> walk(NodeTree& tree, std::string_view path, LastLink last);

} // namespace gemel::fskit
