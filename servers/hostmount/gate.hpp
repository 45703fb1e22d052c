// The gate between a mount of the host and a file system: takes each request as a client of the
// file system's Directory and File capabilities. Every method may run on several threads at once.
#pragma once

#include "servers/hostmount/channel.hpp"
#include "servers/hostmount/names_lock.hpp"
#include "servers/hostmount/node_table.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/rt/log.hpp"
#include "servers/rt/ref.hpp"

#include <atomic>

namespace gemel::hostmount {

class Listing;

class Gate {
public:
    static constexpr usize files_max = 16'384;
    static constexpr usize node_files_max = 256; // that have a name

    enum class Outlook : u8 {
        serving,
        stopped, // the host has nothing mounted any more
        lost, // the file system's server is gone
    };

    // A session with the file system at `root`, whose memory is the channel's slots.
    // Both outlive the gate. `names` is for what the host knows.
    static Result<Own<Gate>> create(
        Channel const& channel, Client<protocol::Directory> const& root, NodeTable::Options names);

    // For create.
    Gate(Channel const& channel, Client<protocol::Directory> const& root,
        Client<protocol::Directory> directory, bool read_only, NodeTable::Options names)
        : channel_(channel)
        , root_(root)
        , directory_(std::move(directory))
        , read_only_(read_only)
        , nodes_(names)
    {
    }

    // Carries the slot's request out and fills its reply.
    void serve(u32 slot);
    bool read_only() const { return read_only_; }
    // At the end something could not be written.
    bool failed() const { return failed_.load(); }
    Outlook outlook() const { return outlook_.load(); }

private:
    using Directory = protocol::Directory;
    using File = protocol::File;
    struct HeldFile {
        Client<File> client;
        u64 node = 0;
        u64 last_use = 0;
        bool nameless = false; // only this leads to it
    };
    struct Files {
        std::map<u64, Ref<HeldFile>> held; // by the host's number for it
        u64 next = 1;
        std::map<u64, Ref<HeldFile>> of_nodes; // that the host uses without opening them
        u64 uses = 0;
        usize nameless = 0; // of these
    };
    // One request on its way.
    struct Work {
        Slot const& slot;
        Request const& request;
        Reply& reply;
    };

    Result<void> carry_out(Work const& work);
    Result<void> look_up(Work const& work);
    Result<void> forget(Work const& work);
    Result<void> get_attributes(Work const& work);
    Result<void> set_attributes(Work const& work);
    Result<void> read_link(Work const& work);
    Result<void> make(Work const& work);
    Result<void> make_link_text(Work const& work);
    void remember_directory(Work const& work, u64 parent, std::string_view name, Span path);
    Result<void> remove(Work const& work, RemoveKind kind);
    Result<void> rename(Work const& work);
    Result<void> link(Work const& work);
    Result<void> open(Work const& work);
    Result<void> create_file(Work const& work);
    Result<void> read(Work const& work);
    Result<void> take_privileges(Work const& work, HeldFile const& file);
    Result<void> write(Work const& work);
    Result<void> release(Work const& work);
    Result<void> sync(Work const& work);
    Result<void> sync_directory(Work const& work);
    Result<void> list(Work const& work);
    Result<void> list_with_status(Work const& work, Span path, Span room, Listing& listing);
    Result<void> list_names(
        Work const& work, std::string const& directory, Span room, Listing& listing);
    Result<void> allocate(Work const& work);
    Result<void> seek(Work const& work);
    static Result<void> check_asked(Work const& work);
    Result<void> get_extended(Work const& work);
    Result<void> set_extended(Work const& work);
    Result<void> list_extended(Work const& work);
    Result<void> remove_extended(Work const& work);
    Result<void> volume_status(Work const& work);
    Result<void> trim(Work const& work);
    Result<void> stop();
    Result<void> leave(Work const& work);

    // Paths in the slot, where the file system reads them.
    Result<Span> path_of(Work const& work, u64 node);
    Result<Span> path_of_name(Work const& work);
    Result<std::string> name_of(Work const& work) const;
    Result<FileStatus> status_at(Work const& work, Span path);
    Result<Ref<HeldFile>> held(u64 file);
    // The request's open file, or one that is opened for its node.
    Result<Ref<HeldFile>> file_of(Work const& work);
    std::optional<Ref<HeldFile>> file_of_node(u64 node);
    Result<Ref<HeldFile>> open_node(Work const& work, u64 node, Span path);
    // Before a name goes: the host may still use the file, until it forgets it.
    Result<void> keep_file(Work const& work, u64 parent, std::string_view name, Span path);
    void drop_file(u64 node);
    void drop_all_files();
    // Any file that is open on the node, for a node that has lost its name.
    std::optional<Ref<HeldFile>> held_on(u64 node);
    // The same, for a node whose path could not be had: or else that path's error.
    Result<Ref<HeldFile>> held_instead(u64 node, Error without_path);
    Result<u64> hold(Handle file, u64 node);
    // no_memory: what is made now could not be told of.
    Result<void> check_room();
    // What the file system told of what it made or changed at the path (`status_bytes` as it said);
    // one that told nothing is asked.
    Result<FileStatus> status_told(Work const& work, Span path, u32 status_bytes);
    // The host is told of the name: fills the reply's node and status.
    Result<void> introduce(Work const& work, std::string_view name, Span path, u32 status_bytes);

    Channel const& channel_;
    Client<Directory> const& root_; // of the whole volume
    Client<Directory> directory_; // our session
    bool read_only_;
    Guarded<NodeTable> nodes_;
    Guarded<Files> files_;
    NamesLock names_;
    std::atomic<Outlook> outlook_ { Outlook::serving };
    std::atomic<bool> failed_ { false };
};

} // namespace gemel::hostmount
