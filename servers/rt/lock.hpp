// Lock, Guarded<T>, Condition, Notification. A lock that is free costs one atomic; who finds it
// taken blocks on its own thread's notification, first come first served.
#pragma once

#include "servers/rt/deadline.hpp"
#include "servers/rt/handle.hpp"

#include <atomic>
#include <optional>
#include <utility>

namespace gemel {

struct Waiter;

class Lock {
public:
    constexpr Lock() = default;
    Lock(Lock const&) = delete;
    Lock& operator=(Lock const&) = delete;

    void lock()
    {
        u64 expected = 0;
        if (!state_.compare_exchange_strong(expected, locked, std::memory_order_acquire))
            lock_slow();
    }
    bool try_lock()
    {
        u64 expected = 0;
        return state_.compare_exchange_strong(expected, locked, std::memory_order_acquire);
    }
    void unlock()
    {
        u64 expected = locked;
        if (!state_.compare_exchange_strong(expected, 0, std::memory_order_release))
            unlock_slow();
    }

private:
    static constexpr u64 locked = 1;
    void lock_slow();
    void unlock_slow();
    // 0 free; 1 taken; otherwise 1 | the newest Waiter, who knows the next older one.
    std::atomic<u64> state_ { 0 };
};

// Data that is reached only with its lock held.
template <typename T>
class Guarded {
public:
    template <typename... Arguments>
    explicit Guarded(Arguments&&... arguments)
        : value_(std::forward<Arguments>(arguments)...)
    {
    }

    class Access {
    public:
        explicit Access(Guarded& guarded)
            : guarded_(&guarded)
        {
            guarded.lock_.lock();
        }
        Access(Access&& other) noexcept
            : guarded_(std::exchange(other.guarded_, nullptr))
        {
        }
        Access& operator=(Access&&) = delete;
        ~Access() { unlock(); }
        T& operator*() const { return guarded_->value_; }
        T* operator->() const { return &guarded_->value_; }
        // Early; the access is empty afterwards.
        void unlock()
        {
            if (guarded_)
                std::exchange(guarded_, nullptr)->lock_.unlock();
        }

    private:
        friend class Condition;
        Guarded* guarded_;
    };

    Access lock() { return Access(*this); }

private:
    friend class Condition;
    Lock lock_;
    T value_;
};

// Waiting for what a Guarded holds to change. One Condition belongs to one Guarded.
class Condition {
public:
    constexpr Condition() = default;
    Condition(Condition const&) = delete;

    // Gives the lock up while it waits and has it again when it returns. False: the deadline
    // passed. May return early: check the data in a loop.
    template <typename Access>
    bool wait(Access& access, Deadline deadline = Deadline::none())
    {
        return wait(access.guarded_->lock_, deadline);
    }
    // With the lock held.
    void wake_one();
    void wake_all();

private:
    bool wait(Lock& lock, Deadline deadline);
    bool remove(Waiter& waiter);
    Waiter* first_ = nullptr;
    Waiter* last_ = nullptr;
};

// A port used only for its notification word.
class Notification {
public:
    static Result<Notification> create();
    // Any thread with a capability to it may.
    Result<void> signal(u64 bits) const;
    // The bits that were set since; at least one.
    Result<u64> wait(Deadline deadline = Deadline::none()) const;
    // 0 when none is set.
    Result<u64> poll() const;
    Handle const& port() const { return port_; }

private:
    explicit Notification(Handle port)
        : port_(std::move(port))
    {
    }
    Handle port_;
};

} // namespace gemel
