// Waiters stand on their own stacks in lists that only the lock's owner takes from; the lock is
// handed to the one who waited longest. A thread sleeps on its parking port; one that has none (its
// quota is used up, or it is no task's thread) yields instead.
#include "servers/rt/lock.hpp"

#include "core/base/site.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

namespace gemel {

struct Waiter {
    std::atomic<bool> woken { false };
    u64 port = 0;
    Waiter* next = nullptr; // in a Lock the next older one, in a Condition the next younger one
};

namespace {

u64 parking_port()
{
    auto* const thread = self();
    if (!thread)
        return 0;
    if (!thread->parking_port) {
        auto const port = system::port_allocate();
        if (!port)
            return 0;
        thread->parking_port = *port;
    }
    return thread->parking_port;
}

// False: the deadline passed first.
bool sleep_until_woken(Waiter& waiter, Deadline deadline)
{
    while (!waiter.woken.load(std::memory_order_acquire)) {
        if (waiter.port) {
            auto const received = system::port_receive(waiter.port, deadline);
            if (!received && received.error() == Error::timed_out)
                return waiter.woken.load(std::memory_order_acquire);
        } else {
            system::sched_yield();
            if (!deadline.is_none() && system::time_ns() / 1000 >= deadline.us())
                return waiter.woken.load(std::memory_order_acquire);
        }
    }
    return true;
}

// The waiter's stack frame may be gone as soon as `woken` is set.
void wake(Waiter& waiter)
{
    auto const port = waiter.port;
    waiter.woken.store(true, std::memory_order_release);
    if (port)
        (void)system::signal(port, 1);
}

} // namespace

void Lock::lock_slow()
{
    SOMETIMES("lock.contended");
    Waiter waiter;
    waiter.port = parking_port();
    auto state = state_.load(std::memory_order_relaxed);
    for (;;) {
        if (state == 0) {
            if (state_.compare_exchange_weak(state, locked, std::memory_order_acquire))
                return;
            continue;
        }
        waiter.next = reinterpret_cast<Waiter*>(state & ~locked);
        auto const mine = reinterpret_cast<u64>(&waiter) | locked;
        if (state_.compare_exchange_weak(state, mine, std::memory_order_release))
            break;
    }
    (void)sleep_until_woken(waiter, Deadline::none());
}

void Lock::unlock_slow()
{
    auto state = state_.load(std::memory_order_acquire);
    for (;;) {
        if (state == locked) {
            if (state_.compare_exchange_weak(state, 0, std::memory_order_acq_rel))
                return;
            continue;
        }
        auto* newest = reinterpret_cast<Waiter*>(state & ~locked);
        if (!newest->next) {
            if (!state_.compare_exchange_weak(state, locked, std::memory_order_acq_rel))
                continue;
            return wake(*newest);
        }
        auto* before = newest;
        while (before->next->next)
            before = before->next;
        return wake(*std::exchange(before->next, nullptr));
    }
}

bool Condition::wait(Lock& lock, Deadline deadline)
{
    Waiter waiter;
    waiter.port = parking_port();
    (last_ ? last_->next : first_) = &waiter;
    last_ = &waiter;
    lock.unlock();
    (void)sleep_until_woken(waiter, deadline);
    lock.lock();
    if (waiter.woken.load(std::memory_order_acquire))
        return true;
    auto const removed = remove(waiter);
    ASSERT(removed);
    return false;
}

bool Condition::remove(Waiter& waiter)
{
    Waiter* before = nullptr;
    for (auto* at = first_; at; before = at, at = at->next) {
        if (at != &waiter)
            continue;
        (before ? before->next : first_) = at->next;
        if (last_ == at)
            last_ = before;
        return true;
    }
    return false;
}

void Condition::wake_one()
{
    if (!first_)
        return;
    auto* const waiter = std::exchange(first_, first_->next);
    if (!first_)
        last_ = nullptr;
    wake(*waiter);
}

void Condition::wake_all()
{
    while (first_)
        wake_one();
}

Result<Notification> Notification::create()
{
    return Notification(Handle(TRY(system::port_allocate())));
}

Result<void> Notification::signal(u64 bits) const
{
    return system::signal(port_.value(), bits);
}

Result<u64> Notification::wait(Deadline deadline) const
{
    for (;;) {
        auto const received = TRY(system::port_receive(port_.value(), deadline));
        if (static_cast<u16>(received.message.tag) == static_cast<u16>(KernelTag::notification))
            return received.message.words[0];
        // Somebody sent a message to a port that is for signals: it is dropped, its sender told.
        Incoming dropped { received.message };
        if (received.token)
            (void)system::port_send(received.token, Outgoing::failed(Error::bad_call).message());
    }
}

Result<u64> Notification::poll() const
{
    auto const received = system::port_poll(port_.value());
    if (!received && received.error() == Error::timed_out)
        return u64 { 0 };
    if (!received)
        return received.error();
    return received->message.words[0];
}

} // namespace gemel
