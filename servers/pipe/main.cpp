// The pipe service: one thread, because nothing here waits but deferred replies.
#include "servers/pipe/pipe.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::pipe {

Result<void> server_main(Env& env)
{
    ObjectServer server { env.port() };
    server.set_root<protocol::Pipes>(make_ref<PipeRoot>(server));
    return server.run();
}

} // namespace gemel::pipe
