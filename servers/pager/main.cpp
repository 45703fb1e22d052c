// The pager: memory of programs that is there when it is touched (servers/protocols/pager.hpp). The
// main thread answers all programs and never waits for any; threads of the worker wait for files.
#include "servers/pager/session.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::pager {

namespace {

using protocol::Faults;
using protocol::FaultSink;
using protocol::PagedMemory;

constexpr u64 worker_bit = 1;

// Memory is what no program has yet: init's.
class InitMemory final : public MemorySource {
public:
    explicit InitMemory(Client<Faults> const& faults)
        : faults_(faults)
    {
    }
    Result<Handle> take(u32 pages) override
    {
        return std::move(TRY(faults_.call(Faults::Take { pages })).region);
    }
    void give_back(Handle region) override
    {
        if (region)
            (void)faults_.call(Faults::GiveBack { std::move(region) });
    }

private:
    Client<Faults> const& faults_;
};

// What the program holds.
class SessionObject {
public:
    explicit SessionObject(Ref<Session> session)
        : session_(std::move(session))
    {
    }
    SessionObject(SessionObject const&) = delete;
    ~SessionObject() { session_->close(); }

    void on(PagedMemory::Map request, Deferred<PagedMemory, PagedMemory::Map> deferred)
    {
        Session::map(session_, std::move(request), std::move(deferred));
    }
    void on(
        PagedMemory::Snapshot const& request, Deferred<PagedMemory, PagedMemory::Snapshot> deferred)
    {
        Session::snapshot(session_, request.address, std::move(deferred));
    }
    void on(PagedMemory::Unmap const& request, Deferred<PagedMemory, PagedMemory::Unmap> deferred)
    {
        Session::unmap(session_, request.address, std::move(deferred));
    }
    Result<PagedMemory::Usage::Reply> on(PagedMemory::Usage const&) { return session_->usage(); }

private:
    Ref<Session> session_;
};

// What init holds: it knows the program, and the program cannot speak in its name.
class FaultObject {
public:
    explicit FaultObject(Ref<Session> session)
        : session_(std::move(session))
    {
    }
    FaultObject(FaultObject const&) = delete;
    ~FaultObject() { session_->close(); }

    Result<FaultSink::Fault::Reply> on(FaultSink::Fault const& request)
    {
        Session::fault(session_, request);
        return FaultSink::Fault::Reply {};
    }

private:
    Ref<Session> session_;
};

class PagerRoot {
public:
    PagerRoot(SessionWorld& world, ObjectServer& server)
        : world_(world)
        , server_(server)
    {
    }

    Result<protocol::Pager::Open::Reply> on(protocol::Pager::Open request)
    {
        auto const session = make_ref<Session>(world_);
        auto shown = TRY(request.task.derive(Right::grant | Right::derive));
        auto sink = TRY(server_.publish<FaultSink>(
            std::make_unique<FaultObject>(session), Right::send | Right::derive));
        auto const adopted
            = TRY(world_.faults.call(Faults::Adopt { std::move(shown), std::move(sink) }));
        TRY(session->open(std::move(request.task), { adopted.begin, adopted.end, adopted.chance }));
        return protocol::Pager::Open::Reply { TRY(
            server_.publish<PagedMemory>(std::make_unique<SessionObject>(session))) };
    }

private:
    SessionWorld& world_;
    ObjectServer& server_;
};

static_assert(Serves<SessionObject, PagedMemory>);
static_assert(Serves<FaultObject, FaultSink>);
static_assert(Serves<PagerRoot, protocol::Pager>);

} // namespace

Result<void> server_main(Env& env)
{
    MemoryBroker const memory(TRY(env.take_handle("broker-mm")));
    auto const faults = TRY(env.take<Faults>("faults"));
    InitMemory source(faults);
    Frames frames(source, memory);
    Worker worker(env.port(), worker_bit);
    Shared shared { frames, source, memory };
    SessionWorld world { shared, faults, worker };
    ObjectServer server { env.port() };
    server.set_root<protocol::Pager>(make_ref<PagerRoot>(world, server));
    server.on_notification([&](u64 bits) {
        if (bits & worker_bit)
            worker.run_results();
    });
    return server.run();
}

} // namespace gemel::pager
