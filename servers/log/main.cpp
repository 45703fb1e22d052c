#include "servers/log/service.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::log {

Result<void> server_main(Env& env)
{
    constexpr usize ring_bytes_max = 4u << 20;
    Journal journal { ring_bytes_max };
    ObjectServer server { env.port() };
    server.set_root<protocol::Log>(make_ref<Writer>(journal, server, "log", WriterKind::root));
    return server.run({ .threads = 2 });
}

} // namespace gemel::log
