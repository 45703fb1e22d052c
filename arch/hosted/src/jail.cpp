#include "race.hpp"

#include <gemel/hosted/jail.hpp>

#include <asm/prctl.h>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <unistd.h>

namespace gemel::hosted {

namespace {

// One jail a process, closed for ever: handlers have to find it.
void (*caught)(char const* what) = nullptr;
bool closed = false;

struct Named {
    int number;
    char const* name;
};
constexpr Named named[] = {
    { SYS_read, "read" },
    { SYS_open, "open" },
    { SYS_openat, "openat" },
    { SYS_getpid, "getpid" },
    { SYS_gettid, "gettid" },
    { SYS_clone, "clone" },
    { SYS_clone3, "clone3" },
    { SYS_fork, "fork" },
    { SYS_vfork, "vfork" },
    { SYS_clock_gettime, "clock_gettime" },
    { SYS_gettimeofday, "gettimeofday" },
    { SYS_time, "time" },
    { SYS_getrandom, "getrandom" },
    { SYS_nanosleep, "nanosleep" },
    { SYS_clock_nanosleep, "clock_nanosleep" },
    { SYS_getcpu, "getcpu" },
    { SYS_socket, "socket" },
    { SYS_epoll_wait, "epoll_wait" },
    { SYS_write, "write" },
    { SYS_futex, "futex" },
};

char const* name_of(int number)
{
    for (auto const& call : named)
        if (call.number == number)
            return call.name;
    return "?";
}

// Where a frame is, for addr2line: the file that holds it and the place in it.
int describe(void const* frame, char* text, usize bytes)
{
    Dl_info info {};
    if (::dladdr(frame, &info) == 0)
        return std::snprintf(text, bytes, "\n    %p", frame);
    auto const* base = info.dli_sname ? info.dli_saddr : info.dli_fbase;
    auto const offset = static_cast<u8 const*>(frame) - static_cast<u8 const*>(base);
    return std::snprintf(text, bytes, "\n    %s(%s+%#tx)", info.dli_fname,
        info.dli_sname ? info.dli_sname : "", offset);
}

// Allocates nothing: what was caught may have been the allocator, with its lock held. Nor may the
// address sanitizer get a word in, which looks for the stack in a file when a function does not
// return.
[[gnu::no_sanitize_address, noreturn]] void end_with(char const* what)
{
    char text[2048];
    auto length = static_cast<usize>(std::snprintf(text, sizeof text, "%s", what));
    void* frames[24];
    auto const count = ::backtrace(frames, 24);
    // The first frames are the handler's own.
    for (int i = 2; i < count && length < sizeof text - 1; ++i)
        length += static_cast<usize>(describe(frames[i], text + length, sizeof text - length));
    if (caught)
        caught(text);
    ::syscall(SYS_exit_group, jail_exit_status); // a sanitizer's _exit takes locks
    __builtin_unreachable();
}

// ThreadSanitizer, about to tell of a race, asks for the time, and once more which modules there
// are. It is told none: nothing that it says has the time in it, and it goes on with the modules
// that it read before the jail closed (race::before_jail).
bool answered_sanitizer(siginfo_t const& info, ucontext_t& context)
{
    auto& registers = context.uc_mcontext.gregs;
    Dl_info asker {};
    if (!arch::watches_races || ::dladdr(reinterpret_cast<void*>(registers[REG_RIP]), &asker) == 0
        || !std::strstr(asker.dli_fname, "/libtsan.so"))
        return false;
    if (info.si_syscall == SYS_gettimeofday) {
        std::memset(reinterpret_cast<void*>(registers[REG_RDI]), 0, sizeof(timeval));
        registers[REG_RAX] = 0;
        return true;
    }
    registers[REG_RAX] = -EACCES;
    return info.si_syscall == SYS_open;
}

__attribute__((no_sanitize_address)) void on_stray_call(int, siginfo_t* info, void* raw)
{
    auto& context = *static_cast<ucontext_t*>(raw);
    if (answered_sanitizer(*info, context))
        return;
    char text[96];
    std::snprintf(
        text, sizeof text, "system call %s (%d)", name_of(info->si_syscall), info->si_syscall);
    end_with(text);
}

// What memory and the end of a process need. Anything else could tell something.
constexpr int allowed[] = {
    SYS_sigaltstack,
    SYS_memfd_create, // a machine that is switched on again
    SYS_ftruncate,
    SYS_lseek, // where its memory was touched
    SYS_epoll_create1,
    SYS_timer_create,
    SYS_timer_delete,
    SYS_close,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_rt_sigreturn,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_exit_group,
    SYS_exit,
    SYS_tgkill,
#if defined(__SANITIZE_ADDRESS__) || defined(GEMEL_TSAN)
    SYS_getpid,
    SYS_gettid,
    SYS_futex,
    SYS_sched_yield,
    // Whether an object can be read at all is asked by writing it into a pipe.
    SYS_pipe2,
    SYS_write,
#endif
};
constexpr usize allowed_count = sizeof allowed / sizeof *allowed;

bool install_filter(int const* writable, usize writable_count)
{
    sock_filter code[allowed_count + 16];
    usize at = 0;
    auto const add = [&](u16 operation, u32 value, u8 yes, u8 no) {
        code[at++] = sock_filter { operation, yes, no, value };
    };
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch), 0, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr), 0, 0);
    // The last two instructions are: trap, allow.
    auto const end = 4 + allowed_count + 2 + writable_count + 2;
    for (auto const number : allowed) {
        auto const jump = static_cast<u8>(end - 1 - at - 1);
        add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(number), jump, 0);
    }
    add(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, static_cast<u8>(1 + writable_count));
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args), 0, 0);
    for (usize i = 0; i < writable_count; ++i) {
        auto const jump = static_cast<u8>(end - 1 - at - 1);
        add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(writable[i]), jump, 0);
    }
    add(BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    sock_fprog const program { static_cast<unsigned short>(at), code };
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

sigjmp_buf past_the_trap;

void on_trap(int)
{
    siglongjmp(past_the_trap, 1);
}

// As the kernel has it. sigaction(2) of ThreadSanitizer knows nothing of handlers that are not its
// own (race::handle), and would put none back.
struct KernelAction {
    void (*handler)(int);
    u64 flags;
    void (*restorer)();
    u64 mask;
};

void act_on_fault(KernelAction const* action, KernelAction* before)
{
    ::syscall(SYS_rt_sigaction, SIGSEGV, action, before, sizeof action->mask);
}

// Some virtual machines' kernels accept the request and let RDTSC pass all the same.
bool trap_rdtsc()
{
    if (::prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0)
        return false;
    constexpr u64 has_restorer = 0x400'0000; // or no signal comes; it is not used: nobody returns
    KernelAction const probing { on_trap, has_restorer, ::abort, 0 };
    KernelAction before {};
    act_on_fault(&probing, &before);
    bool volatile passed = false;
    if (sigsetjmp(past_the_trap, 1) == 0) {
        asm volatile("rdtsc" : : : "rax", "rdx");
        passed = true;
    }
    act_on_fault(&before, nullptr);
    return !passed;
}

} // namespace

Unjailed close_jail(JailOptions const& options)
{
    void* frames[2];
    (void)::backtrace(frames, 2); // loads what it needs while that is possible
    arch::race::before_jail();
    caught = options.caught;
    struct sigaction action { };
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    action.sa_sigaction = on_stray_call;
    arch::race::handle(SIGSYS, action);
    Unjailed missing;
    if (!trap_rdtsc())
        missing.instructions = "RDTSC";
    if (::syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0)
        missing.instructions += missing.instructions.empty() ? "CPUID" : ", CPUID";
    int const writable[]
        = { STDERR_FILENO, options.writable[0], options.writable[1], options.writable[2] };
    closed = true;
    if (!install_filter(writable, sizeof writable / sizeof *writable))
        missing.calls = std::string { "seccomp: " } + std::strerror(errno);
    return missing;
}

__attribute__((no_sanitize_address)) void end_if_jail_trapped(void const* raw)
{
    if (!closed)
        return;
    auto const& context = *static_cast<ucontext_t const*>(raw);
    constexpr greg_t general_protection = 13;
    if (context.uc_mcontext.gregs[REG_TRAPNO] != general_protection)
        return;
    u8 code[3];
    std::memcpy(code, reinterpret_cast<void const*>(context.uc_mcontext.gregs[REG_RIP]), 3);
    if (code[0] != 0x0F)
        return;
    if (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xF9))
        end_with("the time stamp counter (RDTSC)");
    if (code[1] == 0xA2)
        end_with("the processor's identity (CPUID)");
}

// Their places in the thread control block: glibc, sysdeps/x86_64/nptl/tls.h.
void fix_protector_words()
{
    constexpr u64 value = 0x5EED'5EED'5EED'5E00;
    asm volatile("movq %0, %%fs:0x28\n\tmovq %0, %%fs:0x30" : : "r"(value) : "memory");
}

FixedProtectorWords::FixedProtectorWords()
{
    asm volatile("movq %%fs:0x28, %0\n\tmovq %%fs:0x30, %1"
                 : "=r"(before_[0]), "=r"(before_[1])
                 :
                 : "memory");
    fix_protector_words();
}

FixedProtectorWords::~FixedProtectorWords()
{
    asm volatile("movq %0, %%fs:0x28\n\tmovq %1, %%fs:0x30"
                 :
                 : "r"(before_[0]), "r"(before_[1])
                 : "memory");
}

} // namespace gemel::hosted
