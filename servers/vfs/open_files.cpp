// The files that one session holds open (see open_files.hpp).
#include "servers/vfs/open_files.hpp"

#include <algorithm>

namespace gemel::vfs {

Result<void> OpenFiles::reserve()
{
    auto state = state_.lock();
    if (state->reserved + state->lent.size() >= files_max_)
        sweep(*state);
    if (state->reserved + state->lent.size() >= files_max_)
        return Error::too_many_open;
    ++state->reserved;
    return {};
}

void OpenFiles::cancel()
{
    --state_.lock()->reserved;
}

Result<Handle> OpenFiles::lend(Handle file, Handle const& port, u64 bits)
{
    auto client = file.derive(Right::call | Right::derive);
    auto watched = client ? file.watch(port, bits) : Result<void>(client.error());
    auto state = state_.lock();
    --state->reserved;
    if (!watched)
        return watched.error();
    state->lent.push_back(std::move(file));
    return client;
}

void OpenFiles::sweep()
{
    sweep(*state_.lock());
}

void OpenFiles::sweep(State& state)
{
    std::erase_if(state.lent, [](Handle const& file) {
        auto const info = file.inspect();
        return !info || info->children == 0; // a file whose server ended is no longer open either
    });
}

} // namespace gemel::vfs
