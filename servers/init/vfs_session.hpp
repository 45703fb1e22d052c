// What init itself asks of the vfs, on the worker's thread: mounting, and reading small files.
#pragma once

#include "servers/protocols/vfs.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/region.hpp"

#include <string>

namespace gemel::init {

// init's main thread answers faults and exits, so it never calls another server: a server that
// faults while init waits for it would wait for init. Its worker does, for so long at most.
inline constexpr u64 worker_call_ms = 5000;

struct MountRequest {
    std::string path;
    std::string type;
    bool read_only = false;
    Handle directory;
};

class VfsSession {
public:
    // `vfs` is init's own capability, which may mount. Every call ends within worker_call_ms.
    static Result<VfsSession> open(Handle vfs);

    // What is mounted there already is unmounted first.
    Result<void> mount(MountRequest request);
    // At most `bytes_max` bytes; more -> too_big.
    Result<std::string> read_file(std::string_view path, usize bytes_max);

private:
    VfsSession(Client<protocol::Vfs> vfs, SharedRegion region)
        : vfs_(std::move(vfs))
        , region_(std::move(region))
    {
    }
    Result<Span> put(std::string_view path);

    Client<protocol::Vfs> vfs_;
    SharedRegion region_;
};

} // namespace gemel::init
