// vfs: the name space behind the Vfs protocol. init mounts the file systems once their servers run.
#include "servers/fskit/mounts_page.hpp"
#include "servers/rt/env.hpp"
#include "servers/vfs/session.hpp"

namespace gemel::vfs {

// The session behind the service's own port is init's and other services'; programs get sessions of
// their own from it.
inline constexpr u32 root_files_max = 1024;

Result<void> server_main(Env& env)
{
    NameSpace names { env.port(), TRY(SharedRegion::create(fskit::mounts_page_bytes)) };
    auto& objects = names.objects();
    objects.on_notification([&](u64 bits) { names.closed(bits); });
    objects.set_root<protocol::Vfs>(make_ref<Session>(names, MountAuthority::yes, root_files_max));
    return objects.run({ .threads = serve_threads, .name = "vfs" });
}

} // namespace gemel::vfs
