// The file systems that know a session's memory (see shown_memory.hpp).
#include "servers/vfs/shown_memory.hpp"

#include <algorithm>

namespace gemel::vfs {

bool ShownMemory::wanted(u64 mount)
{
    auto const state = state_.lock();
    auto const known = std::ranges::find(state->shown, mount, &Shown::mount);
    if (known != state->shown.end())
        return std::exchange(known->stage, Stage::shown) == Stage::opened_once;
    state->shown[state->next] = { mount, Stage::opened_once, {} };
    state->next = (state->next + 1) % mounts_max;
    return false;
}

// Whoever came in between may have taken its place: then it goes again.
void ShownMemory::keep(u64 mount, Client<protocol::Directory> keeper)
{
    auto const state = state_.lock();
    auto const known = std::ranges::find(state->shown, mount, &Shown::mount);
    if (known != state->shown.end() && known->stage == Stage::shown)
        known->keeper = std::move(keeper);
}

void ShownMemory::opening(Mount& mount, Handle const& region)
{
    if (!wanted(mount.id))
        return;
    if (auto keeper = mount.show(region))
        keep(mount.id, std::move(*keeper));
}

void ShownMemory::forget()
{
    state_.lock()->shown = {};
}

} // namespace gemel::vfs
