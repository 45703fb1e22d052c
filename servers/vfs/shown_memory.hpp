// Which file systems know a session's memory. One that was shown it keeps it mapped, instead of
// mapping it for each file that is opened and taking it apart when that is closed.
#pragma once

#include "servers/vfs/mount.hpp"

#include <array>

namespace gemel::vfs {

class ShownMemory {
public:
    // A file is about to be opened there with the session's memory. Who opens a second one will
    // open more: then the file system is shown the memory. It may refuse.
    void opening(Mount& mount, Handle const& region);
    // The session has other memory now.
    void forget();

private:
    static constexpr usize mounts_max = 4; // then the one that came first gives way

    enum class Stage : u8 { opened_once, shown };
    struct Shown {
        u64 mount = ~u64 { 0 }; // its id
        Stage stage = Stage::opened_once;
        Client<protocol::Directory> keeper {}; // the file system keeps the mapping as long as this
    };
    // Whether it is to be shown now.
    bool wanted(u64 mount);
    void keep(u64 mount, Client<protocol::Directory> keeper);

    struct State {
        std::array<Shown, mounts_max> shown;
        usize next = 0;
    };
    Guarded<State> state_;
};

} // namespace gemel::vfs
