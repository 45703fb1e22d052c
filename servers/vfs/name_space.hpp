// What all sessions share: the mounts, and who must be told of closed files.
#pragma once

#include "servers/rt/object_server.hpp"
#include "servers/vfs/mount.hpp"
#include "servers/vfs/mount_table.hpp"
#include "servers/vfs/open_files.hpp"

namespace gemel::vfs {

using Mounts = MountTable<Mount>;

class NameSpace {
public:
    // Sessions are published on `port`. `mounts_page` has fskit::mounts_page_bytes.
    NameSpace(Handle const& port, SharedRegion mounts_page);

    // The mounts as they are now. Not a reference: requests go on while mounts change.
    Ref<Mounts const> mounts();
    // Greets the file system, then mounts it at `path` (real); unavailable when it does not answer.
    Result<void> mount(MountOptions options, Client<protocol::Directory> root);
    // busy, not_found.
    Result<void> unmount(std::string_view path);
    // The text of protocol::Vfs::Mounts.
    static std::string text_of(Mounts const& mounts);

    // A session's files; `bits` of the port's notification word stand for it.
    struct Ledger {
        Ref<OpenFiles> files;
        u64 bits = 0;
    };
    Ledger add_ledger(u32 files_max);
    void remove_ledger(Ref<OpenFiles> const& files);
    void closed(u64 bits);

    ObjectServer& objects() { return objects_; }

private:
    void publish(Mounts changed);

    SharedRegion mounts_page_;
    struct Turn { };
    Guarded<Turn> changing_; // one change of the mounts at a time
    Guarded<Ref<Mounts const>> mounts_;
    struct Ledgers {
        std::vector<Ledger> all;
        u32 next = 0;
    };
    Guarded<Ledgers> ledgers_;
    std::atomic<u64> next_mount_id_ { 1 };
    ObjectServer objects_; // last: its sessions end before what they use
};

} // namespace gemel::vfs
