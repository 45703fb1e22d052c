// A whole hosted system: the machine, its kernel, and the fibers its threads are.
#pragma once

#include "core/kernel.hpp"

#include <gemel/arch/machine.hpp>

#include <functional>
#include <span>
#include <string>

namespace gemel::hosted {

// one: the processors are virtual and take turns on the caller's host thread. one_each: each is a
// host thread; only in the live world, without isolation.
enum class HostThreads : u8 { one, one_each };

struct Options {
    u64 memory_bytes = 256u << 20;
    std::shared_ptr<MachineMemory> memory; // of a machine that is gone; null: fresh
    u64 device_memory_bytes = 0; // pages at the memory's end that are a device's, not the kernel's
    u32 cpus = 1; // processors, at most cpus_max
    HostThreads host_threads = HostThreads::one; // for one processor always
    arch::Isolation isolation = arch::Isolation::off;
    std::span<u8 const> bundle; // the boot bundle; copied into the machine's memory
    u64 init_entry = 0; // address of init's `void(u64 startup)`
    std::string command_line; // key=value words: init's variables
};

class System {
public:
    explicit System(Options const& options);
    ~System();

    arch::Machine& machine() { return machine_; }
    Kernel& kernel() { return pages_.kernel; }
    Kernel const& kernel() const { return pages_.kernel; }
    // Physical address of the device memory.
    u64 device_memory() const { return machine_.memory_bytes() - options_.device_memory_bytes; }

    // Which virtual processor goes on at a kernel exit, of those that have a thread (bit n: number
    // n). All of them share the one host thread, so this choice is all there is to their timing.
    u32 choose_cpu(u32 ready);
    // A processor that computed until the tick gives way until the next: else every kernel entry of
    // the others would cost them a whole tick. Answers whose tick it is (bit n: number n): for one
    // that was held back no time has passed, and its next thread has not run yet.
    u32 tick_taken(TickPlace place);
    // Asked for each of choose_cpu's answers: for a simulated world. `usual` is one that has a
    // thread, and whose turn it would be.
    using ChooseCpu = std::function<u32(u32 ready, u32 usual)>;
    void on_choose_cpu(ChooseCpu choose) { choose_ = std::move(choose); }

    // Boots and runs to power_off; its status. 125: the kernel did not start. Throws
    // std::system_error when the host refuses a thread.
    int run();
    // Called in the kernel, by a device or the world, while a thread is current and all processors
    // are on one host thread: run() comes back
    // with the machine as it stands, and this call does when resume() is called. Whoever looks at
    // the machine or forks meanwhile stands on the host's own stack and not on a task's.
    void pause();
    // At the next kernel exit run(), or resume(), comes back in the same way; nothing of what is
    // around the machine is then on a task's stack, so that all that it is can be saved, and
    // another process can go on with it.
    void stand_still_at_exit();
    bool paused() const { return paused_ != Paused::no; }
    // What run() would have gone on with, and the same answer.
    int resume();
    // Of that exit, once `thread` leaves the kernel: it stands here until it goes on.
    void stand(Thread const& thread);

    // A machine that stands still at a kernel exit, beside its memory, world and devices. False:
    // it cannot be saved where it stands, but perhaps at another exit.
    bool save(StateWriter& to) const;
    // In a system that never ran, whose memory is in place: it stands there as the saved one did.
    // False: that cannot be.
    bool load(StateReader& from);
    // Whether this build, which runs where the linker put it, can save and load at all.
    static bool can_be_saved();

private:
    // Pages of its own, so that it can be hidden from the tasks, at the same place in every
    // process.
    struct alignas(page_bytes) KernelPages {
        explicit KernelPages(arch::Machine& machine)
            : kernel(machine)
        {
        }
        Kernel kernel;
    };

    static KernelPages& make_pages(arch::Machine& machine);
    template <typename Visitor>
    void visit_words(Visitor& visit);
    void save_fault_stacks(StateWriter& to) const;
    static bool load_fault_stacks(StateReader& from);
    void come_up();
    int go_in();
    int came_back();
    int go_in_on_many(BootInfo const& info);
    int over(int status);
    bool has_host_threads() const;

    Options options_;
    ChooseCpu choose_;
    enum class Paused : u8 { no, in_kernel, at_exit };
    Paused paused_ = Paused::no;
    u32 turn_ = 0; // the processor whose turn it is
    u32 rests_ = 0; // bit n: number n ran through to the last tick, and waits for the next one
    arch::Machine machine_;
    KernelPages& pages_; // at arch::Machine::kernel_address
    std::unique_ptr<arch::Processors> processors_; // null: all are on one host thread
};

// The system whose thread is running (one at a time on a host thread); null outside run().
System* running();
// Where a byte lies that is 1 while task code runs: for a process that traces this one.
void const* in_task_word();

} // namespace gemel::hosted
