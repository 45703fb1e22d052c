#include "frontends/travel/tracee.hpp"

#include "frontends/travel/inside.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace gemel::travel {

namespace {

constexpr long options = PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT;
constexpr usize state_bytes_max = 16 * 1024; // of the FPU and what came after it
constexpr u64 red_zone = 128;

[[noreturn]] void refuse(char const* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

int open_memory(int process)
{
    return ::open(("/proc/" + std::to_string(process) + "/mem").c_str(), O_RDWR | O_CLOEXEC);
}

int wait_status(int process)
{
    int status = 0;
    while (::waitpid(process, &status, __WALL) < 0)
        if (errno != EINTR)
            return 0; // as if it had exited
    return status;
}

constexpr usize debug_register(usize number)
{
    return offsetof(struct user, u_debugreg) + number * sizeof(u64);
}

bool is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
}

} // namespace

Tracee Tracee::start(std::function<void()> const& body)
{
    auto const process = ::fork();
    if (process < 0)
        refuse("fork");
    if (process == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        body();
        ::_exit(0);
    }
    Tracee tracee;
    tracee.process_ = process;
    auto const status = wait_status(process);
    if (!WIFSTOPPED(status) || ::ptrace(PTRACE_SETOPTIONS, process, nullptr, options) != 0)
        refuse("this process may not trace another (ptrace)");
    tracee.memory_ = open_memory(process);
    if (tracee.memory_ < 0)
        refuse("/proc/N/mem");
    return tracee;
}

// Its end takes a while, and nobody waits for it: who is gone is taken away at the next one's end.
void Tracee::end()
{
    static std::vector<int> leaving;
    if (memory_ >= 0)
        ::close(std::exchange(memory_, -1));
    if (process_ <= 0)
        return;
    ::kill(process_, SIGKILL);
    leaving.push_back(std::exchange(process_, -1));
    std::erase_if(leaving, [](int process) {
        int status = 0;
        auto const got = ::waitpid(process, &status, __WALL | WNOHANG);
        if (got == process && WIFSTOPPED(status)) // at its exit
            ::ptrace(PTRACE_CONT, process, nullptr, nullptr);
        return got < 0 || (got == process && !WIFSTOPPED(status));
    });
}

usize Tracee::read(u64 address, std::span<u8> to) const
{
    auto const got = ::pread(memory_, to.data(), to.size(), static_cast<off_t>(address));
    return got < 0 ? 0 : static_cast<usize>(got);
}

bool Tracee::write(u64 address, std::span<u8 const> from) const
{
    return ::pwrite(memory_, from.data(), from.size(), static_cast<off_t>(address))
        == static_cast<ssize_t>(from.size());
}

user_regs_struct Tracee::registers() const
{
    user_regs_struct registers {};
    ::ptrace(PTRACE_GETREGS, process_, nullptr, &registers);
    return registers;
}

user_fpregs_struct Tracee::float_registers() const
{
    user_fpregs_struct registers {};
    ::ptrace(PTRACE_GETFPREGS, process_, nullptr, &registers);
    return registers;
}

u64 Tracee::pc() const
{
    return static_cast<u64>(
        ::ptrace(PTRACE_PEEKUSER, process_, offsetof(user_regs_struct, rip), nullptr));
}

void Tracee::set_pc(u64 address) const
{
    ::ptrace(PTRACE_POKEUSER, process_, offsetof(user_regs_struct, rip), address);
}

void Tracee::watch(std::vector<Watch> const& watches)
{
    if (debug_registers_work())
        return set_debug_registers(watches);
    compared_ = watches;
    values_ = values(compared_);
}

// Intel SDM volume 3, 17.2.4 "Debug Control Register (DR7)".
void Tracee::set_debug_registers(std::vector<Watch> const& watches) const
{
    ::ptrace(PTRACE_POKEUSER, process_, debug_register(7), 0);
    u64 control = 0;
    for (usize i = 0; i < watches.size() && i < watches_max; ++i) {
        auto const& watch = watches[i];
        ::ptrace(PTRACE_POKEUSER, process_, debug_register(i), watch.address);
        u64 const length = watch.bytes == 8 ? 2 : watch.bytes - 1;
        u64 const condition = watch.access ? 3 : 1;
        control |= u64 { 1 } << (2 * i) | (condition | length << 2) << (16 + 4 * i);
    }
    ::ptrace(PTRACE_POKEUSER, process_, debug_register(6), 0);
    ::ptrace(PTRACE_POKEUSER, process_, debug_register(7), control);
}

Halted Tracee::judge(int status) const
{
    if (!WIFSTOPPED(status) || status >> 16 == PTRACE_EVENT_EXIT)
        return { Halt::ended };
    auto const signal = WSTOPSIG(status);
    if (signal != SIGTRAP)
        return { Halt::signal, 0, signal };
    auto const fired
        = static_cast<u64>(::ptrace(PTRACE_PEEKUSER, process_, debug_register(6), nullptr)) & 0xF;
    if (fired == 0)
        return {};
    ::ptrace(PTRACE_POKEUSER, process_, debug_register(6), 0);
    auto const number = static_cast<usize>(__builtin_ctzll(fired));
    auto const address = ::ptrace(PTRACE_PEEKUSER, process_, debug_register(number), nullptr);
    return { Halt::watch, static_cast<u64>(address) };
}

Halted Tracee::step()
{
    ::ptrace(PTRACE_SINGLESTEP, process_, nullptr, nullptr);
    auto halted = judge(wait_status(process_));
    if (halted.how == Halt::signal && is_fault(halted.signal)) {
        ::ptrace(PTRACE_SINGLESTEP, process_, nullptr, halted.signal);
        halted = judge(wait_status(process_));
    }
    return halted.how == Halt::trap && !compared_.empty() ? compare() : halted;
}

bool Tracee::steps(u64 count)
{
    for (u64 i = 0; i < count; ++i) {
        ::ptrace(PTRACE_SINGLESTEP, process_, nullptr, nullptr);
        auto const status = wait_status(process_);
        if (status == (SIGTRAP << 8 | 0x7F))
            continue;
        auto const halted = judge(status);
        if (halted.how == Halt::ended)
            return false;
        if (halted.how == Halt::signal && is_fault(halted.signal)) {
            ::ptrace(PTRACE_SINGLESTEP, process_, nullptr, halted.signal);
            if (judge(wait_status(process_)).how == Halt::ended)
                return false;
        }
    }
    return true;
}

void Tracee::go(int signal)
{
    ::ptrace(PTRACE_CONT, process_, nullptr, signal);
}

Halted Tracee::wait()
{
    return judge(wait_status(process_));
}

std::optional<Halted> Tracee::try_wait()
{
    int status = 0;
    auto const got = ::waitpid(process_, &status, __WALL | WNOHANG);
    if (got == 0)
        return std::nullopt;
    return judge(got < 0 ? 0 : status);
}

void Tracee::interrupt() const
{
    ::kill(process_, SIGSTOP);
}

// Runs a process that was made to call gemel_replay_fork to its int3.
bool Tracee::run_to_trap(int process) const
{
    ::ptrace(PTRACE_CONT, process, nullptr, nullptr);
    auto const status = wait_status(process);
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && status >> 16 == 0;
}

std::optional<Tracee> Tracee::twin()
{
    auto const before = registers();
    u8 state[state_bytes_max];
    iovec state_room { state, sizeof state };
    if (::ptrace(PTRACE_GETREGSET, process_, NT_X86_XSTATE, &state_room) != 0)
        return std::nullopt;
    auto jump = before;
    jump.rip = reinterpret_cast<u64>(&gemel_replay_fork);
    jump.rsp = reinterpret_cast<u64>(gemel_replay_stack) + stack_bytes - red_zone - 8;
    jump.orig_rax = ~0ull; // no system call is to be begun again
    jump.eflags &= ~0x500ull; // trap and direction
    ::ptrace(PTRACE_SETREGS, process_, nullptr, &jump);
    auto const put_back = [&](int process) {
        ::ptrace(PTRACE_SETREGS, process, nullptr, &before);
        ::ptrace(PTRACE_SETREGSET, process, NT_X86_XSTATE, &state_room);
    };
    set_debug_registers({});
    go();
    auto const status = wait_status(process_);
    Tracee twin;
    auto made = status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8);
    if (made) {
        unsigned long number = 0;
        ::ptrace(PTRACE_GETEVENTMSG, process_, nullptr, &number);
        twin.process_ = static_cast<int>(number);
        twin.memory_ = open_memory(twin.process_);
        made = run_to_trap(process_) && WIFSTOPPED(wait_status(twin.process_)) && twin.memory_ >= 0
            && run_to_trap(twin.process_) && twin.registers().rdx == 0;
        put_back(twin.process_);
    }
    put_back(process_);
    if (!made)
        return std::nullopt;
    return twin;
}

} // namespace gemel::travel
