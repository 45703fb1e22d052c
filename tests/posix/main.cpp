// posix DIR: the suite inside the system, on a directory that is empty.
#include "servers/rt/rt.hpp"
#include "tests/posix/suite.hpp"
#include "tests/posix/system_backend.hpp"

namespace gemel::posix {

Result<void> server_main(Env& env)
{
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    auto out = TRY(files.attach(TRY(env.take<protocol::File>("stdout"))));
    if (env.arguments().size() != 2)
        return out.write("usage: posix DIR\n");
    auto const backend = system_backend(files, out);
    Suite suite(*backend, std::string(env.arguments()[1]));
    check_all(suite);
    return suite.finish() ? Result<void>() : Error::invalid;
}

} // namespace gemel::posix
