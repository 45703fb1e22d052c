// vfs: the name space behind the Vfs protocol. init mounts the file systems once their servers run.
#include "servers/fskit/mounts_page.hpp"
#include "servers/rt/env.hpp"
#include "servers/vfs/session.hpp"

namespace gemel::vfs {

Result<void> server_main(Env& env)
{
    NameSpace names { env.port(), TRY(SharedRegion::create(fskit::mounts_page_bytes)) };
    auto& objects = names.objects();
    objects.on_notification([&](u64 bits) { names.closed(bits); });
    objects.set_root<protocol::Vfs>(
        make_ref<Session>(names, Authority::mounts, vfs_open_files_max));
    return objects.run({ .threads = serve_threads, .name = "vfs" });
}

} // namespace gemel::vfs
