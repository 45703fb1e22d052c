// bundlefs: the boot bundle behind the Directory protocol. init maps the bundle before the program
// starts and says so in the startup page.
#include "servers/bundlefs/tree.hpp"
#include "servers/fskit/directory_server.hpp"
#include "servers/rt/env.hpp"

namespace gemel::bundlefs {

namespace {

// What of the bundle is shown: /gemel/bin/x stands in it as "gemel/bin/x".
constexpr std::string_view shown_prefix = "gemel";

} // namespace

Result<void> server_main(Env& env)
{
    auto const& startup = env.startup();
    if (startup.bundle_address == 0)
        return Error::unavailable;
    auto const* const archive = reinterpret_cast<std::byte const*>(startup.bundle_address);
    Tree tree;
    auto const loaded = tree.load({ archive, startup.bundle_bytes }, shown_prefix);
    if (loaded.broken_at)
        env.log().error("the boot bundle is broken at byte ", *loaded.broken_at, "; ",
            loaded.entries, " files before that are there");
    if (loaded.refused != 0)
        env.log().warn(loaded.refused, " names in the boot bundle cannot be shown");
    return fskit::serve_tree(env.port(), tree);
}

} // namespace gemel::bundlefs
