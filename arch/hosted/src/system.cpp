// Fibers: each thread of the system is one, on the stack its task gave it. The kernel runs on the
// caller's stack; at its exit the chosen thread's fiber takes over. Signals never switch: the
// handler only makes the interrupted code call into the kernel when it goes on (see interrupted()).
#include "core/base/assert.hpp"
#include "processors.hpp"
#include "race.hpp"

#include <gemel/arch/user.hpp>
#include <gemel/hosted/edges.hpp>
#include <gemel/hosted/jail.hpp>
#include <gemel/hosted/system.hpp>

#include <boost/context/detail/fcontext.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

extern "C" {
extern char __executable_start;
extern char etext;

#if defined(__SANITIZE_ADDRESS__)
// A machine that is switched off leaves its tasks where they stood: what they hold is no leak. The
// allocator looks at the clock when it gives memory back, which the jail does not allow.
char const* __asan_default_options()
{
    return "detect_leaks=0:allocator_release_to_os_interval_ms=-1";
}
#endif
}

gemel::i64 gemel_edges_left = gemel::hosted::edges_unlimited;

namespace gemel::arch {

namespace context = boost::context::detail;

namespace {

using gemel::hosted::System;

// The process runs one system at a time; its signal handlers need to find it.
struct Host {
    System* system = nullptr;
    Processors* processors = nullptr; // null: all are on one host thread
    Processor alone; // that one
    bool isolated = false;
    bool unusual = false; // isolated, or with processors that are host threads
    hosted::TickPlace tick_place = hosted::TickPlace::kernel; // of the tick that is pending
    i64 edges_given = hosted::edges_unlimited; // to the thread whose turn it is
    i64 edges_spent = 0; // of these, when it last entered the kernel
    u8* fault_stacks[threads_max] = {};
};
Host host;

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

// The thread that the calling processor runs. Only in the kernel does the kernel know who calls.
Thread& current_here()
{
    auto& kernel = host.system->kernel();
    return *(host.processors ? kernel.cpu(own().number) : kernel.cpu()).current;
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
void before_task_code()
{
    if (host.isolated) [[unlikely]]
        host.system->machine().hide_all_but(host.system->kernel().cpu().current->root);
    count_on();
    if constexpr (race::watching)
        race::end_kernel(current_here().id);
}
[[gnu::noinline]] void go_on_unusually()
{
    before_task_code();
    set_in_task(true);
    if (host.processors)
        answer_calls();
}
void go_on()
{
    if (host.unusual) [[unlikely]]
        return go_on_unusually();
    before_task_code();
    set_in_task(true);
}

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

constexpr usize fault_stack_bytes = 64 * 1024;

// A thread faults once at a time, so it needs one stack; who gets its id later finds it there, and
// what a thread that ended amid a fault left poisoned on it is forgotten.
u8* fault_stack(u32 thread)
{
    auto& stack = host.fault_stacks[thread];
    if (!stack) {
        auto* fresh = mmap(
            nullptr, fault_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        stack = fresh == MAP_FAILED ? nullptr : static_cast<u8*>(fresh);
    }
#if defined(__SANITIZE_ADDRESS__)
    if (stack)
        __asan_unpoison_memory_region(stack, fault_stack_bytes);
#endif
    return stack;
}

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

// The kernel runs on its caller's stack, so a thread needs this much of one to begin, and below
// each system call.
constexpr u64 stack_bytes_min = 4096;
constexpr u64 fault_was_write = 2; // of a page fault's code, as the processor tells it

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
void switch_to(Frame::Fiber& from, Thread& thread)
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
    auto const transfer = context::jump_fcontext(to.context, &passage);
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

// Delivers what is pending, then leaves into a thread that the kernel chose.
void leave(Thread* me)
{
    auto& system = *host.system;
    auto& kernel = system.kernel();
    auto* world = system.machine().world();
    if (world) [[unlikely]]
        world->leaving(kernel);
    deliver_pending();
    next_turn(me);
    if (world) [[unlikely]]
        world->choosing(kernel);
    if (kernel.cpu().current != me)
        switch_to(me->frame.fiber, *kernel.cpu().current);
    leave_kernel();
}

[[maybe_unused]] void tell_of_race(std::string const& found, Thread const& thread)
{
    if (auto* world = host.system->machine().world())
        return world->raced(found, thread);
    std::fprintf(
        stderr, "gemel: a race, noticed in task %s: %s\n", thread.task->name, found.c_str());
}

// Into the kernel, as the thread whose turn it was.
Thread* begin()
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

// --- interrupted task code ---

// A copy of what the kernel's sigreturn needs, kept on the interrupted thread's stack.
struct Interrupted {
    int signal;
    FaultReport fault;
    ucontext_t context;
    // the FPU area follows, 64-byte aligned, as large as this processor's state
};

// What a function may expect of the FPU when it is called (System V ABI, x86-64, 3.2.3): whatever
// was interrupted may have the old unit's stack full, and a switch to another thread does not empty
// it.
void fpu_as_at_a_call()
{
    static constexpr u32 mxcsr = 0x1F80;
    asm volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
}

// Where the host put the code differs from run to run, and is told to nobody: what a fault handler
// prints is what addr2line takes.
u64 place_in_file(u64 instruction)
{
    Dl_info info {};
    if (::dladdr(reinterpret_cast<void*>(instruction), &info) == 0)
        return instruction;
    return instruction - reinterpret_cast<u64>(info.dli_fbase);
}

} // namespace

extern "C" {
void gemel_resume(Interrupted* saved, ucontext_t* context); // src/resume.S
extern char gemel_resume_end;
}

namespace {

// Runs as if the interrupted code had called it; goes back to that code with every register as it
// was. It never returns: a frame of its own that the sanitizer marked would stay marked, and the
// interrupted code's next calls lie over it.
[[gnu::no_sanitize_address, noreturn]] void interrupted(Interrupted* saved)
{
    fpu_as_at_a_call();
    if (host.processors)
        race::begin_kernel(own().fiber); // begin() finds no task code (call_interrupted)
    auto* me = begin();
    auto& kernel = host.system->kernel();
    auto& frame = me->frame;
    if (saved->signal != SIGALRM) {
        auto& registers = saved->context.uc_mcontext.gregs;
        auto const top = frame.stack_pointer();
        frame.instruction_pointer() = place_in_file(static_cast<u64>(registers[REG_RIP]));
        frame.stack_pointer() = static_cast<u64>(registers[REG_RSP]);
        auto& machine = host.system->machine();
        if (auto* world = machine.world()) {
            auto const address = saved->fault.address;
            if (machine.is_pagers(me->task->index, address))
                world->touched(*me);
            else
                world->faulted(*me, address);
        }
        kernel.on_fault(saved->fault);
        frame.stack_pointer() = top;
    } else if (!host.processors) {
        host.tick_place = hosted::TickPlace::task_code;
        host.system->machine().tick_arrived();
    }
    leave(me);
    for (;;) {
        before_task_code();
        gemel_resume(saved, &saved->context);
        race::begin_kernel(own().fiber);
        leave(begin());
    }
}

// The thread's edges are over, at `place`: unless its world wants it to go on, the tick comes right
// there, as the timer's would.
void edges_over(u64 place)
{
    auto* me = begin();
    auto* world = host.system->machine().world();
    if (world && world->preempts(*me, place - reinterpret_cast<u64>(&__executable_start))) {
        fpu_as_at_a_call();
        host.tick_place = hosted::TickPlace::task_code;
        host.system->machine().tick_arrived();
        leave(me);
    } else {
        host.system->kernel().leave();
    }
    go_on();
}

bool in_program_text(ucontext_t const& context)
{
    auto const at = static_cast<u64>(context.uc_mcontext.gregs[REG_RIP]);
    return at >= reinterpret_cast<u64>(&__executable_start) && at < reinterpret_cast<u64>(&etext);
}

usize fpu_bytes(ucontext_t const& context)
{
    // The extended area's size stands in the software-reserved bytes (sigcontext.h,
    // FP_XSTATE_MAGIC1).
    auto const* area = reinterpret_cast<u8 const*>(context.uc_mcontext.fpregs);
    u32 magic = 0;
    u32 extended = 0;
    std::memcpy(&magic, area + 464, sizeof magic);
    std::memcpy(&extended, area + 468, sizeof extended);
    return magic == 0x46505853 ? extended : 512;
}

// In a signal's handler: nobody is told of it who might have been interrupted himself (race.cpp).
void copy_in_handler(void* to, void const* from, usize bytes)
{
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

// Where processors call each other by signals, the next one may be there already: it must not find
// task code again before the kernel was entered.
void call_interrupted(Interrupted* saved, ucontext_t& context)
{
    if (host.processors)
        set_in_task(false);
    auto& registers = context.uc_mcontext.gregs;
    registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<u64>(&interrupted));
    registers[REG_RDI] = static_cast<greg_t>(reinterpret_cast<u64>(saved));
    registers[REG_RSP] = static_cast<greg_t>(reinterpret_cast<u64>(saved) - 256 - 8);
    registers[REG_EFL] &= ~0x400; // direction flag
}

constexpr int no_such_flag = 0x100; // of sigaltstack(2)

// Makes the interrupted code call interrupted() on `stack_top` when the handler returns.
void redirect(int signal, FaultReport const& fault, ucontext_t& context, u64 stack_top)
{
    auto const bytes = fpu_bytes(context);
    auto* fpu = reinterpret_cast<u8*>(align_down<u64>(stack_top - bytes, 64));
    auto* saved = reinterpret_cast<Interrupted*>(
        align_down<u64>(reinterpret_cast<u64>(fpu) - sizeof(Interrupted), 64));
    copy_in_handler(fpu, context.uc_mcontext.fpregs, bytes);
    saved->signal = signal;
    saved->fault = fault;
    saved->context = context;
    saved->context.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(fpu);
    // sigreturn(2) would give that stack for handlers to the host thread on which this goes on;
    // what makes no sense is left out without an error.
    saved->context.uc_stack.ss_flags = no_such_flag;
    call_interrupted(saved, context);
}

// A signal's, and still: its code is about to go on where it was interrupted. That begins anew.
bool begin_anew(ucontext_t& context)
{
    auto& registers = context.uc_mcontext.gregs;
    auto const at = static_cast<u64>(registers[REG_RIP]);
    if (at < reinterpret_cast<u64>(&gemel_resume) || at >= reinterpret_cast<u64>(&gemel_resume_end))
        return false;
    auto* const saved = reinterpret_cast<Interrupted*>(registers[REG_RDI]);
    saved->signal = SIGALRM;
    call_interrupted(saved, context);
    return true;
}

constexpr u64 red_zone = 128;

// Makes the interrupted code call interrupted() on its own stack, for a tick or a call.
void redirect_for_tick(ucontext_t& context)
{
    if (!begin_anew(context))
        redirect(
            SIGALRM, {}, context, static_cast<u64>(context.uc_mcontext.gregs[REG_RSP]) - red_zone);
}

// Of the processor's timer, or another processor's call.
void on_own_signal(siginfo_t const& info, ucontext_t& context)
{
    if (info.si_code == SI_TIMER)
        host.processors->ticked();
    if (in_task_here() && in_program_text(context))
        redirect_for_tick(context);
}

void on_tick(int, siginfo_t* info, void* raw)
{
    auto const saved_errno = errno;
    if (host.processors) {
        on_own_signal(*info, *static_cast<ucontext_t*>(raw));
    } else if (host.system) {
        auto& context = *static_cast<ucontext_t*>(raw);
        auto& machine = host.system->machine();
        auto* world = machine.world();
        auto const in_code = in_task_here() && in_program_text(context);
        auto const place = in_code ? hosted::TickPlace::task_code : hosted::TickPlace::kernel;
        if (!world || world->ticked(place)) {
            if (in_code)
                redirect_for_tick(context);
            else
                machine.tick_arrived();
        }
    }
    errno = saved_errno;
}

FaultReport report_of(int signal, siginfo_t const& info, ucontext_t const& context)
{
    FaultReport report;
    report.code = static_cast<u64>(context.uc_mcontext.gregs[REG_ERR]);
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
        report.kind = FaultKind::page;
        report.address = reinterpret_cast<u64>(info.si_addr);
        break;
    case SIGILL:
        report.kind = FaultKind::illegal_instruction;
        break;
    case SIGFPE:
        report.kind = FaultKind::arithmetic;
        break;
    case SIGTRAP:
        report.kind = FaultKind::breakpoint;
        break;
    default:
        report.kind = FaultKind::other;
        break;
    }
    return report;
}

// The first touch of a region since the last switch, by the task or by the kernel on its behalf.
bool shown_to_task(siginfo_t const& info, ucontext_t const& context)
{
    auto& machine = host.system->machine();
    machine.show_kernel();
    auto const* current = host.system->kernel().cpu().current;
    auto const write = (context.uc_mcontext.gregs[REG_ERR] & fault_was_write) != 0;
    if (!current
        || !machine.show(current->root, reinterpret_cast<u64>(info.si_addr),
            write ? Access::write : Access::read))
        return false;
    if (in_task_here())
        machine.hide_all_but(current->root);
    return true;
}

// A fault of task code becomes a call to its fault port. The stack it stood on may be the trouble,
// so the call is made on a fresh one. A fault anywhere else is a bug of ours: die as the host does.
void on_fault_signal(int signal, siginfo_t* info, void* raw)
{
    gemel::hosted::end_if_jail_trapped(raw);
    auto& context = *static_cast<ucontext_t*>(raw);
    if (host.isolated && signal == SIGSEGV && shown_to_task(*info, context))
        return; // the instruction runs again
    if (!host.system || !in_task_here()) {
        std::signal(signal, SIG_DFL);
        if (auto* world = host.system ? host.system->machine().world() : nullptr)
            world->broke("a fault in the kernel or a device model");
        return; // the instruction runs again and takes the default action
    }
    auto* stack = fault_stack(current_here().id);
    if (!stack) {
        std::signal(signal, SIG_DFL);
        return;
    }
    redirect(signal, report_of(signal, *info, context), context,
        reinterpret_cast<u64>(stack) + fault_stack_bytes);
}

constexpr int fault_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };

void handle(int signal, struct sigaction const& action)
{
    if constexpr (race::watching)
        race::handle(signal, action);
    else
        sigaction(signal, &action, nullptr);
}

void install_handlers()
{
    give_signal_stack();
    struct sigaction action { };
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    action.sa_sigaction = on_tick;
    handle(SIGALRM, action);
    action.sa_flags |= SA_NODEFER;
    sigaddset(&action.sa_mask, SIGALRM); // a tick amid the handler would leave it half done
    action.sa_sigaction = on_fault_signal;
    for (auto const signal : fault_signals)
        handle(signal, action);
}

} // namespace

void edges_over_anywhere(u64 place)
{
    if (in_task_here())
        edges_over(place);
    else
        gemel_edges_left = hosted::edges_unlimited;
}

void system_call(Registers& registers)
{
    // The kernel runs on this stack. If there is not enough of it, the fault is still the task's.
    asm volatile("testb $0, %c0(%%rsp)" : : "i"(-static_cast<i64>(stack_bytes_min)) : "cc");
    auto* me = begin();
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
    leave(me);
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
    auto const transfer = context::jump_fcontext(own().fiber.context, &passage);
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

} // namespace gemel::arch

// From src/edges.S.
extern "C" void gemel_edges_over(gemel::u64 place)
{
    gemel::arch::edges_over_anywhere(place);
}

namespace gemel::hosted {

System::System(Options const& options)
    : options_(options)
    , machine_(options.memory_bytes, options.isolation, options.memory)
    , pages_(machine_)
{
    machine_.kernel_is_at(&pages_, sizeof pages_);
}

System::~System() = default;

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
    arch::host.system = this;
    arch::host.isolated = machine_.isolated();
    arch::host.unusual = arch::host.isolated;
    arch::become(arch::host.alone);
    arch::enter();
    arch::race::begin_run(has_host_threads() ? HostThreads::one_each : HostThreads::one);
    arch::race::become(arch::own().fiber);
    arch::install_handlers();
    machine_.start_clock();
    if (has_host_threads())
        return go_in_on_many(info);
    kernel().enter();
    // The others come up, too, and find nothing to do: else the first tick would be their
    // beginning.
    for (u32 cpu = 1; cpu < options_.cpus; ++cpu)
        machine_.interrupt_cpu(cpu);
    return kernel().boot(info) ? go_in() : over(status_not_started);
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
    paused_ = true;
    arch::pause_here();
}

int System::resume()
{
    ASSERT(paused_);
    paused_ = false;
    return go_in();
}

int System::go_in()
{
    arch::switch_to(arch::own().fiber, *kernel().cpu().current);
    return paused_ ? 0 : over(machine_.exit_status());
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
