// Page faults of programs that have a pager: sent to it, and answered when it says what became of
// them. init waits for nothing: the faulted thread is a call that is answered later. Where the
// pager's memory comes from, too: what no program has yet is init's.
#pragma once

#include "servers/init/process_table.hpp"
#include "servers/protocols/faults.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/dispatch.hpp"

#include <deque>

namespace gemel::init {

class FaultRouter {
public:
    using Faults = protocol::Faults;

    struct World {
        ProcessTable& table;
        MachineBroker const& machine;
        AuditBroker const& audit;
        u32 own_task; // init's id
    };

    explicit FaultRouter(World const& world)
        : world_(world)
    {
    }
    FaultRouter(FaultRouter const&) = delete;

    // True: the fault is a pager's to mend, and its token is kept.
    bool on_message(KernelMessage const& message, ReplyToken& token);
    // A process is no more.
    void ended(ProcessTable::Number number);
    // The pager is no more: programs that wait for it end, and others when they need it.
    void pager_ended();

    Result<Faults::Adopt::Reply> on(Faults::Adopt request);
    Result<Faults::Settle::Reply> on(Faults::Settle const& request);
    Result<Faults::Take::Reply> on(Faults::Take const& request);
    Result<Faults::GiveBack::Reply> on(Faults::GiveBack const& request);

private:
    struct Adopted {
        Client<protocol::FaultSink> sink;
        PagedRange range;
    };
    struct Pending {
        ProcessTable::Number process = 0;
        KernelMessage message;
        u64 token = 0;
    };
    void deliver();
    Result<void> deliver(u64 number, Pending const& fault);
    void fail(u64 number, std::string_view why);

    World world_;
    std::map<ProcessTable::Number, Adopted> adopted_;
    std::map<u64, Pending> pending_; // by number
    std::deque<u64> undelivered_; // the pager has more messages than its port holds
    u64 next_ = 1;
    std::map<u64, Handle> taken_; // regions, by object
};

} // namespace gemel::init
