// Threads that do what they are told, in tasks of their own: each makes the system call that stands
// in its mailbox, leaves the results there, and reports. So one program decides every call of
// several tasks, in the order it wants, on every face.
#pragma once

#include "tests/native/raw.hpp"

namespace gemel {

inline constexpr u64 tasks_in_round = 2;
inline constexpr u64 puppets_in_task = 2;
inline constexpr u64 puppets_max = tasks_in_round * puppets_in_task;

// What a puppet runs, and where its task must map what (region 0: nothing need be mapped).
struct PuppetCode {
    u64 region = 0;
    u64 entry = 0;
};
// `address`: where the code will lie. Natively a copy is mapped there; hosted, all programs share
// the host's code (puppet_native.cpp, puppet_hosted.cpp).
PuppetCode puppet_code(u64 address);

// The puppet itself: in one piece, without data.
void puppet(u64 mailbox);

struct Puppet {
    u64 thread = 0; // our capability to it
    u64 id = 0; // its number, known from its first report
    u64 task = 0; // 0 or 1
    raw::Registers* box = nullptr;
    u64 token = 0; // what answers its report; 0: it has not reported
    bool gone = false; // it faulted, and stays where it is
};

struct PuppetTask {
    u64 handle = 0;
    u64 begin = 0; // of its addresses
    u64 end = 0;
    u64 base = 0; // where its code, stacks and mailbox lie; free behind `free_base`
    u64 free_base = 0;
    u64 spare_stacks = 0; // for threads that puppets make
};

class Puppets {
public:
    explicit Puppets(Startup const& startup);

    // Fresh tasks and threads, each of which has reported. False: the kernel refused.
    bool begin();
    // Ends and reaps the tasks and closes every capability to them.
    bool end();

    Puppet& puppet(u64 number) { return puppets_[number]; }
    PuppetTask const& task(u64 number) const { return tasks_[number]; }
    // A capability of task `number`, derived from one of ours; 0: refused.
    u64 give(u64 number, u64 handle, Rights rights);

    u64 entry() const { return code_.entry; }
    // A stack that no other thread of this round has, and a mailbox for those who have one; 0: no
    // stack is left.
    u64 spare_stack(u64 number);
    u64 spare_box(u64 number) const;

    // The puppet makes the call in its mailbox.
    void tell(Puppet& puppet);
    // Takes a report, of whatever puppet; waits for it until then (0: only looks). False: none.
    bool collect(u64 deadline_us);
    // Faults seen so far, and foreign calls.
    u64 faults() const { return faults_; }
    u64 foreign_calls() const { return foreign_calls_; }

private:
    bool make_task(u64 number);
    bool make_puppet(u64 number);
    bool end_task(PuppetTask& task);
    bool map(u64 task, u64 region, u64 address, u16 flags);
    void release(raw::Registers const& message, u64 answer);

    Startup const& startup_;
    u64 task_broker_;
    u64 memory_broker_;
    u64 reports_; // port of all puppets' reports and faults
    PuppetCode code_;
    raw::Memory stacks_[tasks_in_round];
    raw::Memory boxes_;
    Puppet puppets_[puppets_max];
    PuppetTask tasks_[tasks_in_round];
    u64 badges_[puppets_max]; // capabilities to the port, one for each puppet
    u64 faults_ = 0;
    u64 foreign_calls_ = 0;
};

} // namespace gemel
