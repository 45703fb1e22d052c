// devfs: the device files behind the Directory protocol.
#include "servers/devfs/tree.hpp"
#include "servers/fskit/directory_server.hpp"
#include "servers/protocols/console.hpp"
#include "servers/rt/broker.hpp"
#include "servers/rt/env.hpp"

namespace gemel::devfs {

namespace {

using protocol::Console;

// The terminal's own server makes its file: reads wait there, not here. It answers Open at once.
Result<std::optional<Handle>> open_console(Client<Console> const& console, Handle& region)
{
    if (!console)
        return Error::unavailable;
    // The capability itself: one derived from it would end with this request.
    auto opened = TRY(console.call(Console::Open { .region = std::move(region) }));
    return std::optional(std::move(opened.file));
}

} // namespace

Result<void> server_main(Env& env)
{
    MachineBroker const machine { TRY(env.take_handle("broker-machine")) };
    auto const console = env.has("console") ? TRY(env.take<Console>("console")) : Client<Console>();
    Tree tree { [&] { return machine.entropy(); } };
    auto const elsewhere
        = [&](fskit::NodeId node, Handle& region) -> Result<std::optional<Handle>> {
        if (node == tree.console())
            return open_console(console, region);
        return std::optional<Handle>();
    };
    return fskit::serve_tree(env.port(), tree, elsewhere);
}

} // namespace gemel::devfs
