// Programs started by programs (servers/protocols/process.hpp). A new program has what its creator
// gave it and nothing else.
#pragma once

#include "servers/init/bundle.hpp"
#include "servers/init/process_table.hpp"
#include "servers/protocols/process.hpp"
#include "servers/rt/object_server.hpp"

namespace gemel::init {

// What starting programs takes; outlives every process.
struct ProcessWorld {
    ProcessTable& table;
    Bundle const& bundle;
    ObjectServer& objects;
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

    using Process = protocol::Process;
    Result<Process::AddText::Reply> on(Process::AddText const& request);
    Result<Process::Give::Reply> on(Process::Give request);
    Result<Process::Start::Reply> on(Process::Start const& request);
    void on(Process::Wait const& request, Deferred<Process, Process::Wait> deferred);
    Result<Process::Kill::Reply> on(Process::Kill const& request);
    Result<Process::Info::Reply> on(Process::Info const& request);

private:
    using Waiter = Deferred<Process, Process::Wait>;
    struct Record {
        protocol::ProcessState state = protocol::ProcessState::preparing;
        u8 status = 0;
        ProcessTable::Number number = 0;
        std::vector<Waiter> waiters;
    };
    std::string& text_of(protocol::ProcessText kind);
    void finish_text(protocol::ProcessText kind);
    TaskQuota quota() const;
    Result<ProcessTable::Number> launch(std::span<std::byte const> file);
    static void ended(Record& record, ProcessEnd const& how);

    ProcessWorld world_;
    Ref<Record> record_;
    std::string path_;
    std::array<std::string, 3> unfinished_; // by ProcessText
    usize text_bytes_ = 0;
    std::vector<std::string> arguments_;
    std::vector<std::string> variables_;
    std::vector<GivenCapability> capabilities_;
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
