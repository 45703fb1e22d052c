// Fibers: each thread of the system is one, on the stack its task gave it. The kernel runs on the
// caller's stack; at its exit the chosen thread's fiber takes over. Signals never switch: the
// handler only makes the interrupted code call into the kernel when it goes on (signals.cpp).
#include "core/base/assert.hpp"
#include "host.hpp"
#include "jump.hpp"
#include "race.hpp"

#include <gemel/arch/user.hpp>
#include <gemel/hosted/edges.hpp>
#include <gemel/hosted/system.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <sched.h>
#include <sys/mman.h>
#include <system_error>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
extern "C" {
// A machine that is switched off leaves its tasks where they stood: what they hold is no leak. The
// allocator looks at the clock when it gives memory back, which the jail does not allow. A core
// file is as small as any other's, since the sanitizer's own memory is left out of it.
char const* __asan_default_options()
{
    return "detect_leaks=0:allocator_release_to_os_interval_ms=-1:disable_coredump=0";
}
}
#endif

gemel::i64 gemel_edges_left = gemel::hosted::edges_unlimited;

namespace gemel::arch {

namespace context = boost::context::detail;

Host host;

namespace {

// What the kernel and its world do is not counted, although they may hold counting copies of inline
// functions.
void stop_counting()
{
    if constexpr (hosted::counts_edges) {
        auto const left = std::exchange(gemel_edges_left, hosted::edges_unlimited);
        host.edges_spent = in_task_here() ? host.edges_given - left : 0;
    }
}
void count_on()
{
    if constexpr (hosted::counts_edges) {
        auto* world = host.system->machine().world();
        host.edges_given = world ? world->edges_ahead(*host.system->kernel().cpu().current)
                                 : hosted::edges_unlimited;
        gemel_edges_left = host.edges_given;
    }
}

void answer_calls();

[[gnu::noinline]] void enter_unusually()
{
    if (host.isolated)
        host.system->machine().show_kernel();
    if (host.processors)
        host.processors->take();
}
void enter()
{
    stop_counting();
    if (in_task_here())
        race::begin_kernel(own().fiber);
    set_in_task(false);
    if (host.unusual) [[unlikely]]
        enter_unusually();
}
} // namespace

void before_task_code()
{
    auto const thread = race::watching ? current_here().id : 0; // which may be hidden soon
    if (host.isolated) [[unlikely]]
        host.system->machine().hide_all_but(host.system->kernel().cpu().current->root);
    count_on();
    race::end_kernel(thread);
}
namespace {

[[gnu::noinline]] void go_on_unusually()
{
    before_task_code();
    set_in_task(true);
    if (host.processors)
        answer_calls();
}
} // namespace

void go_on()
{
    if (host.unusual) [[unlikely]]
        return go_on_unusually();
    before_task_code();
    set_in_task(true);
}

namespace {

#if defined(__SANITIZE_ADDRESS__)
void* begin_switch(Frame::Fiber& from, void const* bottom, usize bytes)
{
    __sanitizer_start_switch_fiber(&from.fake_stack, bottom, bytes);
    return nullptr;
}
void end_switch(Frame::Fiber& to, Frame::Fiber const& from)
{
    void const* bottom = nullptr;
    usize bytes = 0;
    __sanitizer_finish_switch_fiber(to.fake_stack, &bottom, &bytes);
    if (&from == &own().fiber) {
        own().stack_bottom = const_cast<void*>(bottom);
        own().stack_bytes = bytes;
    }
}
#else
void begin_switch(Frame::Fiber&, void const*, usize) { }
void end_switch(Frame::Fiber&, Frame::Fiber const&) { }
#endif

void fiber_main(context::transfer_t from);
void begin_on_no_stack(context::transfer_t from);

// What a switch hands to the other side.
struct Passage {
    Frame::Fiber* from;
};

void arrive(context::transfer_t transfer, Frame::Fiber& me)
{
    auto* passage = static_cast<Passage*>(transfer.data);
    passage->from->context = transfer.fctx;
    end_switch(me, *passage->from);
}

void save(Frame::Fiber& fiber)
{
    auto* const exceptions = exceptions_here();
    fiber.exceptions[0] = exceptions[0];
    fiber.exceptions[1] = exceptions[1];
    fiber.thread_pointer = thread_pointer();
    fiber.error_number = *error_number_here();
}

void restore(Frame::Fiber const& fiber)
{
    auto* const exceptions = exceptions_here();
    exceptions[0] = fiber.exceptions[0];
    exceptions[1] = fiber.exceptions[1];
    set_thread_pointer(fiber.thread_pointer);
    *error_number_here() = fiber.error_number;
}

bool has_stack(Thread const& thread, u64 top)
{
    auto& machine = host.system->machine();
    return top >= stack_bytes_min && machine.allows(thread.root, top - 1, Access::write)
        && machine.allows(thread.root, top - stack_bytes_min, Access::write);
}

// What is on the thread's own stack can be read from here on: where it stands, or its first frame.
void show_stack(Thread const& thread, void const* at)
{
    if (host.isolated) [[unlikely]]
        host.system->machine().show(thread.root, reinterpret_cast<u64>(at), Access::write);
}

// A stack that is none is the thread's own fault, and it makes that fault on another one.
void make_fiber(Thread& thread)
{
    auto& to = thread.frame.fiber;
    auto const top = thread.frame.stack_pointer();
    if (has_stack(thread, top)) {
        show_stack(thread, reinterpret_cast<void*>(top - 1));
        show_stack(thread, reinterpret_cast<void*>(top - stack_bytes_min));
        to.context = context::make_fcontext(
            reinterpret_cast<void*>(top), top % region_bytes_max, fiber_main);
        return;
    }
    auto* stack = fault_stack(thread.id);
    ASSERT(stack);
    to.context
        = context::make_fcontext(stack + fault_stack_bytes, fault_stack_bytes, begin_on_no_stack);
}

struct Stack {
    u64 bottom;
    u64 bytes;
};

// Where a thread that is not running stands: on its own stack, or amid a fault on another one.
Stack stack_of(Thread const& thread)
{
    auto const at = reinterpret_cast<u64>(thread.frame.fiber.context);
    auto const other = reinterpret_cast<u64>(host.fault_stacks[thread.id]);
    if (other != 0 && at - other < fault_stack_bytes)
        return { other, fault_stack_bytes };
    auto const top = thread.frame.stack_pointer();
    auto const bottom = align_down<u64>(top - 1, region_bytes_max);
    return { bottom, top - bottom };
}

// The one place where stacks change.
[[gnu::always_inline]] inline void switch_to(Frame::Fiber& from, Thread& thread)
{
    auto& to = thread.frame.fiber;
    save(from);
    if (!to.context)
        make_fiber(thread);
    show_stack(thread, to.context);
    auto const stack = stack_of(thread);
    begin_switch(from, reinterpret_cast<void*>(stack.bottom), stack.bytes);
    Passage passage { &from };
    race::prepare(thread.id);
    auto const transfer = jump(to.context, &passage);
    arrive(transfer, from);
    restore(from);
}

// The kernel goes on as another virtual processor.
void turn_to(u32 cpu)
{
    auto& kernel = host.system->kernel();
    kernel.leave();
    host.system->machine().turn_to(cpu);
    kernel.enter();
}

// The tick is every processor's; lines are the first one's.
void deliver(u32 line)
{
    auto& kernel = host.system->kernel();
    if (host.processors)
        return kernel.on_interrupt(line); // a device's; whoever is here takes it
    auto const cpus = line == tick_line ? kernel.cpu_count() : 1;
    auto whose = ~u32 { 0 };
    if (line == tick_line)
        whose = host.system->tick_taken(std::exchange(host.tick_place, hosted::TickPlace::kernel));
    for (u32 cpu = 0; cpu < cpus; ++cpu) {
        if ((whose >> cpu & 1) == 0)
            continue;
        if (kernel.cpu_count() != 1)
            turn_to(cpu);
        kernel.on_interrupt(line);
    }
}

void deliver_pending()
{
    auto& machine = host.system->machine();
    while (machine.interrupt_pending())
        [[unlikely]] deliver(machine.take_interrupt());
}

void deliver_calls()
{
    auto& machine = host.system->machine();
    while (auto called = machine.take_called_cpus())
        for (u32 cpu = 0; called != 0; ++cpu, called >>= 1)
            if ((called & 1) != 0) {
                turn_to(cpu);
                host.system->kernel().on_interrupt(interrupt_lines_max);
            }
}

// The processors that have a thread.
u32 ready_cpus()
{
    auto const& kernel = host.system->kernel();
    u32 ready = 0;
    for (u32 cpu = 0; cpu < kernel.cpu_count(); ++cpu)
        if (kernel.cpu(cpu).current)
            ready |= 1u << cpu;
    return ready;
}

void switch_to_host(Frame::Fiber& from);

// Out of the kernel, on the stack of the thread that goes on.
void leave_kernel()
{
    auto& kernel = host.system->kernel();
    if (kernel.cpu_count() == 1) [[likely]]
        return;
    kernel.leave();
    if (host.processors)
        host.processors->give();
}

// A processor that is a host thread hears of what concerns it; it cannot take another's turn.
void deliver_own()
{
    u32 line = 0;
    while (host.processors->take_interrupt(line))
        host.system->kernel().on_interrupt(line);
}

// The thread that goes on on this processor. With nothing to run, or at the machine's end, it goes
// on on its own stack: while it sleeps, `me` may go on elsewhere.
void own_turn(Thread* me)
{
    deliver_own();
    if (!host.processors->ended() && host.system->kernel().cpu().current)
        return;
    save(me->frame.fiber);
    switch_to_host(me->frame.fiber);
    restore(me->frame.fiber);
}

void next_turn(Thread* me)
{
    auto& kernel = host.system->kernel();
    if (kernel.cpu_count() == 1 && kernel.cpu().current) [[likely]]
        return; // nobody else has a turn
    if (host.processors)
        return own_turn(me);
    for (;;) {
        deliver_calls();
        if (auto const ready = ready_cpus(); ready != 0) {
            if (kernel.cpu_count() != 1)
                turn_to(host.system->choose_cpu(ready));
            return;
        }
        turn_to(0);
        kernel.rest();
        deliver_pending();
    }
}

// In the kernel, on the stack that the host gave, until the machine has ended.
void run_processor()
{
    auto& kernel = host.system->kernel();
    for (;;) {
        deliver_own();
        if (host.processors->ended())
            return;
        if (auto* next = kernel.cpu().current)
            switch_to(own().fiber, *next); // comes back when there is none
        else
            kernel.rest();
    }
}

// Another host thread than the first begins as a processor, in the kernel.
void processor_main()
{
    auto& kernel = host.system->kernel();
    kernel.enter();
    kernel.on_interrupt(interrupt_lines_max); // it finds that there is nothing to do
    run_processor();
    kernel.leave();
}

// Where the thread stands still, another process may go on: nothing of the machine's surroundings
// is remembered here.
[[gnu::noinline]] void leave_in_world(Thread const& me)
{
    auto& system = *host.system;
    system.machine().world()->leaving(system.kernel());
    if (host.stands_next) [[unlikely]]
        system.stand(me);
}

[[gnu::noinline]] void leave_slowly(Thread* me)
{
    if (host.system->machine().world()) [[unlikely]]
        leave_in_world(*me);
    auto& system = *host.system;
    auto& kernel = system.kernel();
    deliver_pending();
    next_turn(me);
    if (auto* world = system.machine().world()) [[unlikely]]
        world->choosing(kernel);
    if (kernel.cpu().current != me)
        switch_to(me->frame.fiber, *kernel.cpu().current);
    leave_kernel();
}

// Most often there is nothing to deliver, nobody to ask and one processor.
[[gnu::always_inline]] inline void leave_here(Thread* me)
{
    auto& system = *host.system;
    auto& machine = system.machine();
    auto& kernel = system.kernel();
    auto* const next = kernel.cpu().current;
    if (machine.world() || machine.interrupt_pending() || kernel.cpu_count() != 1 || !next)
        [[unlikely]]
        return leave_slowly(me);
    if (next != me)
        switch_to(me->frame.fiber, *next);
}

} // namespace

void leave(Thread* me)
{
    leave_here(me);
}

namespace {

[[maybe_unused]] void tell_of_race(std::string const& found, Thread const& thread)
{
    if (auto* world = host.system->machine().world())
        return world->raced(found, thread);
    std::fprintf(
        stderr, "gemel: a race, noticed in task %s: %s\n", thread.task->name, found.c_str());
}

[[gnu::always_inline]] inline Thread* begin_here()
{
    enter();
    auto& kernel = host.system->kernel();
    kernel.enter();
    auto* me = kernel.cpu().current;
    if constexpr (hosted::counts_edges)
        if (auto* world = host.system->machine().world())
            world->computed(*me, static_cast<u64>(host.edges_spent));
    if constexpr (race::watching)
        if (auto const found = race::take_found(); !found.empty())
            tell_of_race(found, *me);
    return me;
}

} // namespace

Thread* begin()
{
    return begin_here();
}

namespace {

// The processor was called before those who call could see that it is in task code: no signal came.
void answer_calls()
{
    std::atomic_thread_fence(std::memory_order_seq_cst);
    while (host.processors->was_called()) {
        leave(begin());
        before_task_code();
        set_in_task(true);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }
}

[[noreturn]] void ended_without_exit()
{
    auto& kernel = host.system->kernel();
    for (;;) {
        auto* me = begin();
        kernel.on_fault({ FaultKind::illegal_instruction, 0, 0 });
        leave(me);
        go_on();
    }
}

// The thread has no stack to begin on: a fault, as at its first push. Whoever answers it may have
// given it one.
void begin_on_no_stack(context::transfer_t transfer)
{
    auto& kernel = host.system->kernel();
    auto& thread = *kernel.cpu().current;
    auto& fiber = thread.frame.fiber;
    race::first_turn(thread.id);
    arrive(transfer, fiber);
    restore(fiber);
    auto const top = thread.frame.stack_pointer();
    do {
        if (auto* world = host.system->machine().world())
            world->faulted(thread, top - sizeof(u64));
        kernel.on_fault({ FaultKind::page, top - sizeof(u64), fault_was_write });
        leave(&thread);
        begin();
    } while (!has_stack(thread, top));
    Frame::Fiber abandoned;
    fiber.context = nullptr;
    fiber.fake_stack = nullptr;
    switch_to(abandoned, thread);
    __builtin_unreachable();
}

void fiber_main(context::transfer_t transfer)
{
    auto& kernel = host.system->kernel();
    auto& frame = kernel.cpu().current->frame;
    race::first_turn(kernel.cpu().current->id);
    arrive(transfer, frame.fiber);
    restore(frame.fiber);
    leave_kernel();
    auto const entry = reinterpret_cast<void (*)(u64)>(frame.instruction_pointer());
    auto const argument = frame.argument();
    go_on();
    entry(argument);
    ended_without_exit();
}

} // namespace

void system_call(Registers& registers)
{
    // The kernel runs on this stack. If there is not enough of it, the fault is still the task's.
    asm volatile("testb $0, %c0(%%rsp)" : : "i"(-static_cast<i64>(stack_bytes_min)) : "cc");
    auto* me = begin_here();
    auto& frame = me->frame;
    std::memcpy(frame.words(), registers.words, sizeof registers.words);
    frame.port() = registers.port;
    frame.status() = registers.number;
    auto const* const from = race::sends(host.system->kernel(), *me, registers);
    auto* world = host.system->machine().world();
    if (world && world->entering(*me) == gemel::hosted::Fate::faults) [[unlikely]] {
        frame.instruction_pointer() = 0; // nowhere: where the host put the code is no news
        host.system->kernel().on_fault({ FaultKind::other, 0, 0 });
    } else {
        host.system->kernel().on_system_call();
    }
    leave_here(me);
    while (frame.take_restart())
        [[unlikely]]
        {
            if (host.processors)
                ::sched_yield(); // the processor that is in the way may wait for this one's
            begin();
            host.system->kernel().on_system_call();
            leave(me);
        }
    race::received(me->id, registers.number, from);
    std::memcpy(registers.words, frame.words(), sizeof registers.words);
    registers.port = frame.port();
    registers.number = frame.status();
    go_on();
}

namespace {

// Back to run()'s stack; comes back when that switches here again.
void switch_to_host(Frame::Fiber& from)
{
    begin_switch(from, own().stack_bottom, own().stack_bytes);
    Passage passage { &from };
    auto const transfer = jump(own().fiber.context, &passage);
    arrive(transfer, from);
}

} // namespace

// Back to run(); whoever was running never goes on. Where processors are host threads, each finds
// that out when it leaves the kernel.
void Machine::power_off(u8 status) noexcept
{
    powered_off_ = true;
    exit_status_ = status;
    if (processors_)
        return processors_->end();
    stop_timer();
    flush_console();
    if (idle_)
        idle_();
    auto* current = host.system ? host.system->kernel().cpu().current : nullptr;
    static Frame::Fiber abandoned;
    switch_to_host(current ? current->frame.fiber : abandoned);
    __builtin_unreachable();
}

void pause_here()
{
    auto* current = host.system->kernel().cpu().current;
    ASSERT(current);
    auto& fiber = current->frame.fiber;
    save(fiber);
    switch_to_host(fiber);
    restore(fiber);
}

// Its own thread may not be the one that runs next, which is saved elsewhere.
void stand_here()
{
    save(host.standing);
    switch_to_host(host.standing);
    restore(host.standing);
}

void go_on_standing()
{
    auto& from = own().fiber;
    save(from);
    Passage passage { &from };
    auto const transfer = jump(host.standing.context, &passage);
    arrive(transfer, from);
    restore(from);
}

} // namespace gemel::arch

namespace gemel::hosted {

System::System(Options const& options)
    : options_(options)
    , machine_(options.memory_bytes, options.isolation, options.memory)
    , pages_(make_pages(machine_))
{
    machine_.kernel_is_at(&pages_, sizeof pages_);
}

System::~System()
{
    ::munmap(&pages_, sizeof pages_);
}

System::KernelPages& System::make_pages(arch::Machine& machine)
{
    auto* const wanted = reinterpret_cast<void*>(arch::Machine::kernel_address);
    auto* const at = ::mmap(wanted, sizeof(KernelPages), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "cannot map the kernel's pages");
    return *new (at) KernelPages { machine };
}

// One after the other: the next number behind the one whose turn it was. (The kernel's own number
// is no measure: a tick is delivered as every processor, the last of them last.)
u32 System::choose_cpu(u32 ready)
{
    auto const rested = (ready & ~rests_) != 0 ? ready & ~rests_ : ready;
    auto const behind = rested & ~((2u << turn_) - 1);
    auto const usual = static_cast<u32>(__builtin_ctz(behind != 0 ? behind : rested));
    turn_ = choose_ ? choose_(ready, usual) : usual;
    return turn_;
}

u32 System::tick_taken(TickPlace place)
{
    auto const turn = 1u << turn_;
    auto const held_back = rests_ & ~turn;
    rests_ = place == TickPlace::task_code ? turn : 0;
    return ~held_back;
}

System* running()
{
    return arch::host.system;
}

bool in_task()
{
    return arch::in_task_here();
}

void const* in_task_word()
{
    return &gemel_in_task;
}

namespace {

constexpr int status_not_started = 125;
constexpr int status_raced = 66; // ThreadSanitizer's own

} // namespace

int System::run()
{
    auto const bundle_bytes = align_up<u64>(options_.bundle.size(), page_bytes);
    auto const memory_end = device_memory() - bundle_bytes;
    if (!options_.bundle.empty())
        std::memcpy(
            machine_.at_physical(memory_end), options_.bundle.data(), options_.bundle.size());
    MemoryRange const memory[] = { { arch::Machine::first_physical, memory_end } };
    BootInfo info;
    info.memory = memory;
    info.bundle = { memory_end, memory_end + bundle_bytes };
    info.bundle_bytes = options_.bundle.size();
    info.init_entry = options_.init_entry;
    info.command_line = options_.command_line.c_str();
    info.cpus = options_.cpus;
    come_up();
    if (has_host_threads())
        return go_in_on_many(info);
    kernel().enter();
    // The others come up, too, and find nothing to do: else the first tick would be their
    // beginning.
    for (u32 cpu = 1; cpu < options_.cpus; ++cpu)
        machine_.interrupt_cpu(cpu);
    return kernel().boot(info) ? go_in() : over(status_not_started);
}

// The process is this machine's.
void System::come_up()
{
    arch::host.system = this;
    arch::host.isolated = machine_.isolated();
    arch::host.unusual = arch::host.isolated;
    arch::become(arch::host.alone);
    arch::enter();
    arch::race::begin_run(has_host_threads() ? HostThreads::one_each : HostThreads::one);
    arch::race::become(arch::own().fiber);
    arch::install_handlers();
    machine_.start_clock();
}

bool System::has_host_threads() const
{
    return options_.host_threads == HostThreads::one_each && options_.cpus != 1;
}

int System::go_in_on_many(BootInfo const& info)
{
    ASSERT(!machine_.world() && !machine_.isolated() && !counts_edges);
    processors_ = std::make_unique<arch::Processors>(machine_, options_.cpus, arch::processor_main);
    arch::host.processors = processors_.get();
    arch::host.unusual = true;
    machine_.run_on(processors_.get());
    processors_->take();
    kernel().enter();
    auto const started = kernel().boot(info);
    if (started) {
        processors_->start();
        arch::run_processor();
    }
    kernel().leave();
    processors_->give();
    if (started)
        processors_->join();
    arch::host.processors = nullptr;
    arch::host.unusual = false;
    arch::become(arch::host.alone);
    machine_.run_on(nullptr);
    if (arch::race::found_count() != 0) {
        over(status_raced);
        return status_raced;
    }
    return over(started ? machine_.exit_status() : status_not_started);
}

void System::pause()
{
    ASSERT(!processors_);
    paused_ = Paused::in_kernel;
    arch::pause_here();
}

void System::stand_still_at_exit()
{
    ASSERT(!processors_);
    arch::host.stands_next = true;
}

// Of a thread that has ended nobody knows how long its stack lasts: not at this exit, then.
void System::stand(Thread const& thread)
{
    if (kernel().thread(thread.id) != &thread)
        return;
    arch::host.stands_next = false;
    paused_ = Paused::at_exit;
    arch::stand_here();
}

int System::resume()
{
    ASSERT(paused());
    if (std::exchange(paused_, Paused::no) == Paused::in_kernel)
        return go_in();
    arch::go_on_standing();
    return came_back();
}

int System::go_in()
{
    arch::switch_to(arch::own().fiber, *kernel().cpu().current);
    return came_back();
}

int System::came_back()
{
    return paused() ? 0 : over(machine_.exit_status());
}

int System::over(int status)
{
    arch::enter();
    arch::host.isolated = false;
    arch::host.unusual = false;
    arch::race::end_run();
    arch::host.system = nullptr;
    machine_.stop_timer();
    machine_.flush_console();
    return status;
}

} // namespace gemel::hosted
