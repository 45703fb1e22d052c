#include "servers/rt/test/program_thread.hpp"

#include <cstring>

namespace gemel::test {

ProgramThread::ProgramThread(Result<void> (*server_main)(Env&))
    : port_(*system::port_allocate())
    , run_([this, server_main] {
        Env env { startup_ };
        (void)server_main(env);
    })
{
    give("port", std::move(*port_.derive(rights_all)));
}

void ProgramThread::give(std::string_view name, Handle handle)
{
    ASSERT(startup_.capability_count < startup_capabilities_max);
    auto& given = startup_.capabilities[startup_.capability_count++];
    ASSERT(name.size() < sizeof(given.name));
    std::memcpy(given.name, name.data(), name.size());
    given.handle = handle.release();
}

void ProgramThread::start()
{
    in_thread(run_, "server");
}

Handle ProgramThread::client() const
{
    return std::move(*port_.derive(Right::call | Right::derive));
}

} // namespace gemel::test
