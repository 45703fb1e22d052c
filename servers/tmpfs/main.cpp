// tmpfs: a tree in memory behind the Directory protocol.
#include "servers/fskit/directory_server.hpp"
#include "servers/rt/wall_clock.hpp"
#include "servers/tmpfs/tree.hpp"

namespace gemel::tmpfs {

// Files may take `bytes_max`; names and nodes come on top, from the same quota of the task, whose
// end is no_memory.
Result<void> server_main(Env& env)
{
    auto const clock = WallClock::create(env);
    Tree tree { {
        .bytes_max = 8 << 20,
        .nodes_max = 8'192,
        .now_ns = [&clock] { return clock.now_or_uptime_ns(); },
    } };
    return fskit::serve_tree(env.port(), tree);
}

} // namespace gemel::tmpfs
