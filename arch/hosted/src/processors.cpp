#include "processors.hpp"

#include "core/base/assert.hpp"
#include "race.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace gemel::arch {

namespace {

[[noreturn]] void refuse(int error, char const* what)
{
    throw std::system_error(error, std::generic_category(), what);
}

constexpr i64 nanoseconds_in_second = 1'000'000'000;

} // namespace

Processors::Processors(Machine& machine, u32 count, void (*main)())
    : machine_(machine)
    , count_(count)
    , main_(main)
    , all_(std::make_unique<One[]>(count))
{
    for (u32 number = 0; number < count; ++number) {
        auto& one = all_[number];
        one.all = this;
        one.number = number;
        one.bell = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (one.bell < 0)
            refuse(errno, "eventfd");
    }
    come_up(all_[0]);
    all_[0].in_task = &gemel_in_task;
}

Processors::~Processors()
{
    for (u32 number = 0; number < count_; ++number) {
        auto& one = all_[number];
        if (one.timer)
            ::timer_delete(one.timer);
        ::close(one.bell);
    }
}

// The calling host thread becomes it.
void Processors::come_up(One& one)
{
    become(one);
    one.thread_id = static_cast<int>(::syscall(SYS_gettid));
    race::become(one.fiber);
    give_signal_stack();
    struct sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGALRM;
    event._sigev_un._tid = one.thread_id;
    timer_t timer {};
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        refuse(errno, "timer_create");
    one.timer = timer;
}

void* Processors::begin(void* raw)
{
    auto& one = *static_cast<One*>(raw);
    auto& all = *one.all;
    all.come_up(one);
    all.take();
    one.in_task = &gemel_in_task;
    all.main_();
    one.in_task = nullptr; // it goes with this host thread
    all.give();
    take_signal_stack();
    return nullptr;
}

// Not in line: whoever is compiled for ThreadSanitizer has it see the lock.
void Processors::take()
{
    lock_.take();
    machine_.turn_to(own().number);
}

void Processors::give()
{
    lock_.give();
}

void Processors::start()
{
    for (u32 number = 1; number < count_; ++number)
        if (auto const error
            = ::pthread_create(&all_[number].thread, nullptr, begin, &all_[number]))
            refuse(error, "pthread_create");
}

void Processors::join()
{
    for (u32 number = 1; number < count_; ++number)
        ::pthread_join(all_[number].thread, nullptr);
}

// Who sleeps, or is about to, has said so under the lock that we hold, and the bell's sound lasts.
// Who goes into a task's code says so first and then looks whether it was called
// (was_called); who was in it already hears the signal.
void Processors::call(u32 number)
{
    auto& other = all_[number];
    other.called.store(true, std::memory_order_seq_cst);
    if (other.asleep) {
        u64 const once = 1;
        auto const rang = ::write(other.bell, &once, sizeof once);
        ASSERT(rang == sizeof once);
    } else if (other.in_task && __atomic_load_n(other.in_task, __ATOMIC_SEQ_CST)) {
        ::syscall(SYS_tgkill, ::getpid(), other.thread_id, SIGALRM);
    }
}

void Processors::end()
{
    ended_ = true;
    for (u32 number = 0; number < count_; ++number)
        call(number);
}

bool Processors::take_interrupt(u32& line)
{
    auto& own = one();
    if (own.tick.exchange(false, std::memory_order_relaxed)) {
        machine_.poll_descriptors(0); // a busy system still hears its devices
        line = tick_line;
    } else if (own.called.exchange(false, std::memory_order_relaxed)) {
        line = interrupt_lines_max;
    } else if (machine_.interrupt_pending()) {
        line = machine_.take_interrupt();
    } else {
        return false;
    }
    return true;
}

u32 Processors::wait()
{
    auto& own = one();
    for (;;) {
        u32 line = 0;
        if (ended_)
            return interrupt_lines_max;
        if (take_interrupt(line))
            return line;
        auto const now = machine_.now_ns();
        if (own.wake_ns <= now)
            return tick_line;
        machine_.before_idle();
        sleep(own, now);
    }
}

// As the one host thread of a machine without us (Machine::sleep): the timer runs on until it ticks
// once while nothing runs here.
void Processors::sleep(One& own, u64 now)
{
    auto const left = own.wake_ns - now;
    timespec const limit { static_cast<time_t>(left / nanoseconds_in_second),
        static_cast<long>(left % nanoseconds_in_second) };
    pollfd sources[] = { { own.bell, POLLIN, 0 }, { machine_.poll_descriptor(), POLLIN, 0 } };
    own.asleep = true;
    give();
    auto const ready = ::ppoll(sources, 2, own.wake_ns == ~0ull ? nullptr : &limit, nullptr);
    take();
    own.asleep = false;
    if (was_called()) { // since it said that it sleeps: so the bell has rung, or nothing would have
        u64 count = 0;
        auto const heard = ::read(own.bell, &count, sizeof count);
        ASSERT(heard == sizeof count);
    }
    if (ready < 0) {
        stop_timer(own);
        own.tick.store(false, std::memory_order_relaxed); // nobody ran whose turn could be over
        return;
    }
    if (sources[1].revents != 0)
        machine_.poll_descriptors(0);
}

void Processors::wake_at(u64 nanoseconds)
{
    auto& own = one();
    own.wake_ns = nanoseconds;
    if (own.timer_armed || nanoseconds == ~0ull)
        return;
    itimerspec const every { { 0, static_cast<long>(tick_ns) }, { 0, static_cast<long>(tick_ns) } };
    ::timer_settime(own.timer, 0, &every, nullptr);
    own.timer_armed = true;
}

void Processors::stop_timer(One& own)
{
    if (!own.timer_armed)
        return;
    itimerspec const never {};
    ::timer_settime(own.timer, 0, &never, nullptr);
    own.timer_armed = false;
}

} // namespace gemel::arch
