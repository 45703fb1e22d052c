// Signals: the tick, calls of other processors, and faults of task code. A handler switches
// nothing; it only makes the interrupted code call interrupted() when it goes on.
#include "core/base/assert.hpp"
#include "host.hpp"
#include "last_words.hpp"
#include "race.hpp"

#include <gemel/hosted/jail.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

extern "C" {
extern char __executable_start;
extern char etext;
}

namespace gemel::arch {

// A thread faults once at a time, so it needs one stack; who gets its id later finds it there, and
// what a thread that ended amid a fault left poisoned on it is forgotten.
u8* fault_stack(u32 thread)
{
    auto& stack = host.fault_stacks[thread];
    if (!stack) {
        auto* fresh = mmap(reinterpret_cast<void*>(fault_stack_of(thread)), fault_stack_bytes,
            PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        stack = fresh == MAP_FAILED ? nullptr : static_cast<u8*>(fresh);
    }
#if defined(__SANITIZE_ADDRESS__)
    if (stack)
        __asan_unpoison_memory_region(stack, fault_stack_bytes);
#endif
    return stack;
}

namespace {

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
        race::faults(me->id);
        kernel.on_fault(saved->fault);
        frame.stack_pointer() = top;
    } else if (!host.processors) {
        host.tick_place = hosted::TickPlace::task_code;
        host.system->machine().tick_arrived();
    }
    leave(me);
    if (saved->signal != SIGALRM)
        race::mended(me->id);
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

constexpr u64 below_saved = 256;

// Where processors call each other by signals, the next one may be there already: it must not find
// task code again before the kernel was entered.
void call_interrupted(Interrupted* saved, ucontext_t& context)
{
    if (host.processors)
        set_in_task(false);
    auto& registers = context.uc_mcontext.gregs;
    registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<u64>(&interrupted));
    registers[REG_RDI] = static_cast<greg_t>(reinterpret_cast<u64>(saved));
    registers[REG_RSP] = static_cast<greg_t>(reinterpret_cast<u64>(saved) - below_saved - 8);
    registers[REG_EFL] &= ~0x400; // direction flag
}

constexpr int no_such_flag = 0x100; // of sigaltstack(2)
constexpr u64 saved_alignment = 64;

// Makes the interrupted code call interrupted() on `stack_top` when the handler returns.
void redirect(int signal, FaultReport const& fault, ucontext_t& context, u64 stack_top)
{
    auto const bytes = fpu_bytes(context);
    auto* fpu = reinterpret_cast<u8*>(align_down<u64>(stack_top - bytes, saved_alignment));
    auto* saved = reinterpret_cast<Interrupted*>(
        align_down<u64>(reinterpret_cast<u64>(fpu) - sizeof(Interrupted), saved_alignment));
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

// Whether there is memory that can be written: futex(2) is to add nothing to it.
bool writable(u64 address)
{
    constexpr u32 add_nothing = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
    return ::syscall(SYS_futex, address, FUTEX_WAKE_OP_PRIVATE, 0, 0, address, add_nothing) >= 0;
}

// Below `top`, for what is saved of the interrupted code, and for the kernel.
bool has_room(ucontext_t const& context, u64 top)
{
    auto const bytes = fpu_bytes(context) + sizeof(Interrupted) + 2 * saved_alignment + below_saved
        + stack_bytes_min;
    if (top < bytes)
        return false;
    auto const bottom = align_down<u64>(top - bytes, page_bytes);
    for (auto page = bottom; page < top; page += page_bytes)
        if (!writable(page))
            return false;
    return true;
}

// Makes the interrupted code call interrupted() on its own stack, for a tick or a call; or on its
// stack for faults, where too little is left: having used it up is no fault yet.
void redirect_for_tick(ucontext_t& context)
{
    if (begin_anew(context))
        return;
    auto top = static_cast<u64>(context.uc_mcontext.gregs[REG_RSP]) - red_zone;
    if (!has_room(context, top)) {
        host.system->machine().show_kernel();
        auto* const stack = fault_stack(current_here().id);
        if (!stack)
            return; // the next tick may find it
        top = reinterpret_cast<u64>(stack) + fault_stack_bytes;
    }
    redirect(SIGALRM, {}, context, top);
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
        else
            tell_of_fault(signal, *info, context);
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

} // namespace

void install_handlers()
{
    give_signal_stack();
    struct sigaction action { };
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    action.sa_sigaction = on_tick;
    race::handle(SIGALRM, action);
    action.sa_flags |= SA_NODEFER;
    sigaddset(&action.sa_mask, SIGALRM); // a tick amid the handler would leave it half done
    action.sa_sigaction = on_fault_signal;
    for (auto const signal : fault_signals)
        race::handle(signal, action);
}

void edges_over_anywhere(u64 place)
{
    if (in_task_here())
        edges_over(place);
    else
        gemel_edges_left = hosted::edges_unlimited;
}

} // namespace gemel::arch

// From src/edges.S.
extern "C" void gemel_edges_over(gemel::u64 place)
{
    gemel::arch::edges_over_anywhere(place);
}
