// Programs started by programs (servers/protocols/process.hpp). A new program has what its creator
// gave it and nothing else.
#pragma once

#include "servers/init/bundle.hpp"
#include "servers/init/process_table.hpp"
#include "servers/protocols/process.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/worker.hpp"

namespace gemel::init {

inline constexpr u8 process_threads_max = 8;

// What starting programs takes; outlives every process.
struct ProcessWorld {
    ProcessTable& table;
    Bundle const& bundle;
    ObjectServer& objects;
    Worker& worker;
    AuditBroker const& audit;
    u32 own_task; // init's id: what it has left bounds what a program gets
};

// One process as its creator sees it. The record lives on when the capability is closed.
class ProcessObject {
public:
    explicit ProcessObject(ProcessWorld const& world)
        : world_(world)
        , record_(make_ref<Record>())
    {
    }

    ProcessObject(ProcessObject const&) = delete;
    ~ProcessObject(); // one that is still held ends

    using Process = protocol::Process;
    Result<Process::AddText::Reply> on(Process::AddText const& request);
    Result<Process::Give::Reply> on(Process::Give request);
    void on(Process::Start const& request, Deferred<Process, Process::Start> deferred);
    void on(Process::Wait const& request, Deferred<Process, Process::Wait> deferred);
    Result<Process::Kill::Reply> on(Process::Kill const& request);
    Result<Process::Info::Reply> on(Process::Info const& request);
    Result<Process::Thread::Reply> on(Process::Thread const& request);
    Result<Process::Limit::Reply> on(Process::Limit const& request);
    Result<Process::Hold::Reply> on(Process::Hold const& request);
    Result<Process::LetGo::Reply> on(Process::LetGo const& request);

private:
    using Starter = Deferred<Process, Process::Start>;
    using Waiter = Deferred<Process, Process::Wait>;
    struct Record {
        protocol::ProcessState state = protocol::ProcessState::preparing;
        bool starting = false; // its file is being read
        bool held = false; // not let go yet
        bool forgotten = false; // nobody can let it go
        u8 status = 0;
        u8 threads = process_threads_max;
        ProcessTable::Number number = 0;
        std::vector<Waiter> waiters;
        std::string path;
        std::array<std::string, 3> unfinished; // by ProcessText
        usize text_bytes = 0;
        std::vector<std::string> arguments;
        std::vector<std::string> variables;
        std::vector<GivenCapability> capabilities;
    };
    bool preparing() const;
    void start_from_disk(Starter deferred);
    static TaskQuota quota(ProcessWorld const& world, u32 threads);
    static Result<Process::Start::Reply> launch(
        ProcessWorld const& world, Ref<Record> record, std::span<std::byte const> file);
    static void ended(Record& record, ProcessEnd const& how);

    ProcessWorld world_;
    Ref<Record> record_;
};

class ProcessesService {
public:
    explicit ProcessesService(ProcessWorld const& world)
        : world_(world)
    {
    }
    Result<protocol::Processes::Create::Reply> on(protocol::Processes::Create const& request);

private:
    ProcessWorld world_;
};

} // namespace gemel::init
