// The files that one session holds open. The vfs keeps the capability that the client's one is
// derived from: when nothing is derived from it any more, the client has closed the file.
#pragma once

#include "servers/rt/handle.hpp"
#include "servers/rt/lock.hpp"

#include <vector>

namespace gemel::vfs {

class OpenFiles {
public:
    explicit OpenFiles(u32 files_max)
        : files_max_(files_max)
    {
    }

    // A place for a file that is about to be opened; too_many_open at the bound.
    Result<void> reserve();
    // The reserved place is not needed.
    void cancel();
    // The client's capability, derived from `file`, which stays here. `port` is signalled with
    // `bits` when the client has closed it. Takes the reserved place, also when it fails.
    Result<Handle> lend(Handle file, Handle const& port, u64 bits);
    // Lets go of what the client has closed.
    void sweep();
    u32 files_max() const { return files_max_; }

private:
    struct State {
        u32 reserved = 0;
        std::vector<Handle> lent;
    };
    static void sweep(State& state);
    u32 const files_max_;
    Guarded<State> state_;
};

} // namespace gemel::vfs
