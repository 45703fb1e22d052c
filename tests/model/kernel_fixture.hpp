// The real kernel with threads that are only registers: a test writes a call into the frame of the
// thread that is current, enters the kernel, and looks at whoever is current then. No fibers, and
// time is the test's own.
#pragma once

#include "core/kernel.hpp"

#include <array>
#include <string>
#include <vector>

namespace gemel {

// One thing that a caller could come to see, as a number.
struct Fact {
    char const* what;
    u32 index;
    u64 value;
    bool operator==(Fact const&) const = default;
};
using Facts = std::vector<Fact>;

// The first fact that is another, in words; empty: none.
std::string difference(Facts const& before, Facts const& after);

struct KernelFixture {
    explicit KernelFixture(u64 memory_bytes = 16u << 20, u32 cpus = 1,
        arch::Isolation isolation = arch::Isolation::off);

    // The entries that follow are this processor's.
    void on_processor(u32 number);
    bool idles() { return kernel.cpu().current == nullptr; }

    // Enters the kernel as the current thread.
    void trap(std::initializer_list<u64> words, u64 number, u64 port = 0);
    void trap(u64 const* words, u64 number, u64 port = 0);
    void operate(u64 broker, Operation operation, std::initializer_list<u64> arguments);
    // The two halves of it: a call into the registers, and the entry.
    void load(std::initializer_list<u64> words, u64 number, u64 port = 0);
    void load(u64 const* words, u64 number, u64 port = 0);
    void load(u64 broker, Operation operation, std::initializer_list<u64> arguments);
    void enter();
    u64 word(unsigned index) { return current().frame.words()[index]; }
    u64 status() { return current().frame.status(); }
    Thread& current() { return *kernel.cpu().current; }
    u64 capability(char const* name);
    // What a region's leaf holds for one of its pages.
    u64 page_entry(u64 region, u32 page)
    {
        return kernel.object_of<u64>(kernel.rows_[region & 0xFFFF'FFFF])[page];
    }
    // The row behind a handle, and what is known of its object's page: to be worn out.
    Row& row_of(u64 handle) { return kernel.rows_[handle & 0xFFFF'FFFF]; }
    PageInfo& page_of(u64 handle) { return kernel.pages_[row_of(handle).object]; }
    u32 tasks() const { return kernel.task_count_; }
    u32 number_of_page(void const* page) { return kernel.number_of(page); }
    // Which of the threads that ever had its page this one is.
    u32 life_of(Thread const& thread) { return kernel.info_of(&thread).generation; }
    // The scheduler's task, and the handles of its port and of an interrupt's.
    std::array<u64, 3> registrations(u32 line) const
    {
        auto const& bound = kernel.interrupts_[line];
        return { kernel.scheduler_task_,
            u64 { kernel.scheduler_generation_ } << 32 | kernel.scheduler_row_,
            u64 { bound.row_generation } << 32 | bound.row };
    }
    Thread const* first_in_queue(Row const& port)
    {
        auto const& queue = kernel.object_of<Port>(port)->queue;
        return queue.empty() ? nullptr : static_cast<Thread const*>(queue.next);
    }
    void* page_at(u32 number) { return kernel.page_at(number); }
    // What answers the call that thread `id` waits in now.
    u64 reply_token(u32 id) const { return kernel.reply_tokens_[id]; }

    // The books (audit.cpp): rows form a forest with right counts, every page in use is somebody's,
    // quotas balance, nobody waits in vain. Empty: all is well.
    std::string audit();
    // Every so many calls (0: none) are checked: one that fails changes nothing. What one changed
    // is said by audit().
    u64 failures_checked_every = 0;
    // The next one is. Before it, whoever waits by a right that has ended hears so.
    bool is_checked_next() const
    {
        return failures_checked_every != 0 && calls_ % failures_checked_every == 0;
    }
    // All of the kernel's state (facts.cpp) but for what nobody can see: free lists, stamps, the
    // count of calls, and the status of the thread that runs.
    Facts facts();

    u64 now_ns = 0;
    arch::Machine machine;
    Kernel kernel;
    Startup const* startup = nullptr;

private:
    class Audit; // audit.cpp
    struct Amounts {
        u64 pages = 0;
        u64 rows = 0;
        u64 threads = 0;
    };
    // What an audit counts: kept, so that counting after each step costs no allocation.
    struct Scratch {
        u32 rows_end = 1; // no row from here on was ever used; nor page
        u32 pages_end = 1;
        u64 audits = 0;
        std::vector<u32> children; // of each row
        std::vector<u32> links; // of each page: entries of last tables that point at it
        std::vector<u32> held; // leaf entries that hold it
        std::vector<u32> named; // first capabilities to it
        std::vector<u32> reached; // tables that point at this one
        std::array<Amounts, tasks_max> owned;
        std::array<Amounts, tasks_max> given; // to tasks that it made
    };
    u64 thread_fact(Thread const& thread);
    u64 content_fact(PageInfo const& page, void const* at);
    bool may_change(u64 number);

    u64 calls_ = 0;
    std::string changed_by_failure_;
    Scratch scratch_;
};

} // namespace gemel
