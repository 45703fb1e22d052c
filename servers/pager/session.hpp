// One program's session: what it asks for, and the faults that init sends. All of it is done by the
// main thread, one thing after the other; while a file is read, by a thread that may wait, the
// session's other requests and faults wait, and those of other sessions do not.
#pragma once

#include "servers/pager/space.hpp"
#include "servers/protocols/faults.hpp"
#include "servers/protocols/pager.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/worker.hpp"

#include <deque>

namespace gemel::pager {

inline constexpr u32 sessions_max
    = 16; // open at once; each may have a thread that waits for a file

// What all sessions share; outlives them.
struct SessionWorld {
    Shared& shared;
    Client<protocol::Faults> const& faults;
    Worker& worker;
    u32 sessions = 0; // open, or not closed yet because a file is being read
    u32 threads = 0; // of the worker
    u32 reads = 0; // jobs of the worker that are not back yet
};

class Session {
public:
    using Memory = protocol::PagedMemory;

    explicit Session(SessionWorld& world)
        : world_(world)
    {
    }
    Session(Session const&) = delete;
    ~Session() { close(); }

    // too_big: over sessions_max.
    Result<void> open(Handle task, Arena const& arena);
    // Its regions end, now or when the file has answered.
    void close();

    static void map(Ref<Session> self, Memory::Map request, Deferred<Memory, Memory::Map> deferred);
    static void snapshot(
        Ref<Session> self, u64 address, Deferred<Memory, Memory::Snapshot> deferred);
    static void unmap(Ref<Session> self, u64 address, Deferred<Memory, Memory::Unmap> deferred);
    static void fault(Ref<Session> self, protocol::FaultSink::Fault fault);
    Result<Memory::Usage::Reply> usage() const;

private:
    using Job = Worker::Job;
    static void run(Ref<Session> const& self, Job job);
    // `work` may wait; `then` comes back to the main thread.
    static Result<void> wait_for(Ref<Session> const& self, Job work, Job then);
    static void go_on(Ref<Session> const& self);
    static void map_file(
        Ref<Session> self, Memory::Map request, Deferred<Memory, Memory::Map> deferred);
    static void mend(Ref<Session> const& self, protocol::FaultSink::Fault const& fault);
    static Result<bool> try_mend(Ref<Session> const& self, protocol::FaultSink::Fault const& fault);
    Result<Space*> space();
    Result<Ref<SharedRegion>> buffer();
    void settle(u64 fault, Result<void> const& outcome) const;

    SessionWorld& world_;
    std::optional<Space> space_;
    std::optional<Ref<SharedRegion>> buffer_; // of all its files
    bool busy_ = false; // a file is being read
    bool closed_ = false;
    std::deque<Job> waiting_;
};

} // namespace gemel::pager
