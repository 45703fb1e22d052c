// The system's threads, as a debugger wants them: read out of the kernel's own tables in a process
// that is traced. One look, of no use once that process has gone on.
#pragma once

#include "core/kernel.hpp"
#include "frontends/travel/tracee.hpp"

#include <gemel/hosted/traced.hpp>

#include <optional>
#include <string>
#include <vector>

namespace gemel::travel {

// Where a certain thread comes by: others, which are at the same instruction, have other stacks.
struct Passage {
    u64 pc = 0;
    u64 stack_low = 0; // of the stack pointer, both included
    u64 stack_high = ~0ull;

    bool is_at(u64 at, u64 stack) const
    {
        return at == pc && stack_low <= stack && stack <= stack_high;
    }
    bool operator==(Passage const&) const = default;
};

class Threads {
public:
    // The number of whoever is on a stack of no thread: the machine's own, before, after and
    // between. Where there are no threads at all it is 1, as the system's first will be, so that a
    // debugger does not see its only thread end.
    static constexpr u32 machine_id = threads_max;

    explicit Threads(Tracee const& process);

    // Whose stack the processor is on.
    u32 live() const { return live_; }
    // Their numbers, rising.
    std::vector<u32> ids() const;
    bool contains(u32 id) const;
    // Its task's name, and its own where that is another one. Printable ASCII.
    std::string name(u32 id) const;
    // "running", "receiving", "awaiting a reply of console" ...
    std::string state(u32 id) const;

    // What a thread that is not live goes on with; null: nobody knows, or it is live.
    std::optional<hosted::SavedContext> saved(u32 id) const;
    // Its stack pointer then.
    u64 stack_of(u32 id) const;
    // Where it will go on.
    std::optional<Passage> ahead(u32 id) const;
    // The last instruction that it ran; null where it has run none.
    std::optional<Passage> behind(u32 id) const;

private:
    struct Entry {
        u64 address = 0; // of the thread in that process
        Thread thread;
    };

    void read_table();
    Entry const* find(u32 id) const;
    u32 owner_of(u64 stack_pointer) const;
    bool has_stack_at(Entry const& entry, u64 pointer) const;
    u64 context_of(Entry const& entry) const;
    Kernel const& kernel() const { return *reinterpret_cast<Kernel const*>(kernel_.data()); }
    std::string task_name(u32 index) const;
    std::string receiver_name(Thread const& thread) const;

    Tracee const& process_;
    user_regs_struct registers_;
    bool in_task_code_;
    std::vector<u8> kernel_; // a copy: its words are good, what they point at is not here
    std::vector<Entry> entries_;
    u32 live_ = machine_id;
};

} // namespace gemel::travel
