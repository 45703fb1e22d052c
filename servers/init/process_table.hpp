// What runs, and how it ends. A process's faults and its exit arrive as calls to init's port, with
// the process's number as the badge.
#pragma once

#include "servers/init/loader.hpp"
#include "servers/rt/message.hpp"

#include <functional>
#include <optional>

namespace gemel::init {

inline constexpr usize processes_max = 240;

struct PagedRange {
    u64 begin = 0;
    u64 end = 0;
};

enum class EndReason : u8 { exited, faulted, killed };

// A fault or an exit, as it came.
struct KernelMessage {
    u64 badge = 0;
    u64 tag = 0;
    system::Words words {};
};

struct ProcessEnd {
    EndReason reason = EndReason::exited;
    u8 status = 0; // a fault is 128 + 11
    std::optional<Error> error; // exited: it did not choose to, its main failed with this
};

using EndHandler = std::move_only_function<void(ProcessEnd const&)>;

class ProcessTable {
public:
    using Number = u64;

    // `port` is where faults and exits arrive; it must outlive the table.
    ProcessTable(Loader& loader, Handle const& port)
        : loader_(loader)
        , port_(port)
    {
    }

    // Runs it. `ended` is called once, when nothing is left of the process; it may launch another.
    Result<Number> launch(Launch launch, EndHandler ended);
    // A held one (Launch::held) runs from now on. unavailable: it is not held.
    Result<void> let_go(Number number);
    // Of one that has ended: nothing happens.
    void kill(Number number, u8 status);
    // 0 when it has ended.
    u32 task_of(Number number) const;
    // Of its first thread, to be scheduled. unavailable: it has ended.
    Result<Handle> thread_of(Number number) const;
    // The scheduler is gone: what it has stopped or kept to one processor goes on.
    void run_all(SchedBroker const& scheduling);
    usize count() const { return processes_.size(); }

    // True: the message was a fault or an exit of a process, and is dealt with.
    bool on_message(KernelMessage const& message);
    // Whose page fault a message is; nothing: it is none.
    static std::optional<Number> page_fault_of(KernelMessage const& message);
    // By its task. invalid: it is none of these.
    Result<Number> owner_of(Handle const& task) const;
    // The addresses that are its pager's. dead: it has ended.
    Result<PagedRange> paged_range(Number number) const;
    // Ends it for a fault that its pager could not mend: `why`.
    void end_unmended(Number number, u64 address, std::string_view why);
    // Who is told when a process has ended, whatever the reason.
    void on_any_end(std::move_only_function<void(Number)> told) { told_ = std::move(told); }

private:
    static constexpr u64 badge_bit = 1ull << 62; // no object of init's has such a badge
    struct Process {
        Task task;
        std::string name;
        EndHandler ended;
        bool held = false;
    };
    void end(Number number, ProcessEnd const& how);
    void report_fault(Process const& process, u64 tag, system::Words const& words) const;

    Loader& loader_;
    Handle const& port_;
    std::move_only_function<void(Number)> told_;
    std::map<Number, Process> processes_;
    Number next_ = 1;
};

} // namespace gemel::init
