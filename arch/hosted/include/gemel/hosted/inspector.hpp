// The simulator's way into the kernel: which threads could run, another one in place of the
// kernel's choice, and the books that must balance.
#pragma once

#include "core/kernel.hpp"

#include <string>
#include <vector>

namespace gemel {

class Inspector {
public:
    explicit Inspector(Kernel& kernel)
        : kernel_(kernel)
    {
    }

    static constexpr u32 ready_max = 64;

    // Ready threads of the processor that is in the kernel, by urgency, then by how long they wait;
    // at most ready_max. Answers how many.
    u32 ready(Thread* (&threads)[ready_max]) const;
    // The current thread goes behind the ready ones of its level and `thread`, which is ready,
    // runs: what the scheduler server's sched_switch may do at any time.
    void run_instead(Thread& thread);

    // Whether another thread wants the processor of the one that computes: one that is ready, runs
    // as another processor's, or waited until before `now_ns`. May be asked in a signal's handler
    // while task code runs.
    bool somebody_waits(u64 now_ns) const;

    // Of a page of the machine's memory: it is the kernel's to give away.
    bool is_free(void const* page) const;

    // What each task holds of its quota.
    struct Holding {
        u32 task = 0;
        std::string name;
        u32 rows = 0;
        u32 pages = 0;
    };
    std::vector<Holding> holdings() const;

    // One line for each thing that is wrong. At a kernel exit, or idle.
    std::vector<std::string> audit() const;
    // Who waits for what, one line a thread.
    std::vector<std::string> waits() const;

private:
    void audit_rows(std::vector<std::string>& wrong) const;
    void audit_row_quotas(std::vector<std::string>& wrong) const;
    void audit_ports(std::vector<std::string>& wrong) const;
    void audit_pages(std::vector<std::string>& wrong) const;
    void audit_threads(std::vector<std::string>& wrong) const;
    void audit_queues(std::vector<std::string>& wrong) const;
    void audit_queues_of(Cpu const& cpu, std::vector<std::string>& wrong) const;
    bool runs_somewhere(Thread const& thread) const;

    Kernel& kernel_;
};

} // namespace gemel
