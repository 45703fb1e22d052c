// Requests that go by path hold the names still; those that move what paths lead through have them
// alone. Nobody overtakes who waits to move names, so neither side starves.
#pragma once

#include "servers/rt/lock.hpp"

namespace gemel::hostmount {

class NamesLock {
public:
    class Shared {
    public:
        explicit Shared(NamesLock& lock)
            : lock_(lock)
        {
            auto state = lock.state_.lock();
            while (state->alone || state->waiting_alone != 0)
                (void)lock.changed_.wait(state);
            ++state->shared;
        }
        Shared(Shared const&) = delete;
        ~Shared()
        {
            auto const state = lock_.state_.lock();
            if (--state->shared == 0)
                lock_.changed_.wake_all();
        }

    private:
        NamesLock& lock_;
    };

    class Alone {
    public:
        explicit Alone(NamesLock& lock)
            : lock_(lock)
        {
            auto state = lock.state_.lock();
            ++state->waiting_alone;
            while (state->alone || state->shared != 0)
                (void)lock.changed_.wait(state);
            --state->waiting_alone;
            state->alone = true;
        }
        Alone(Alone const&) = delete;
        ~Alone()
        {
            auto const state = lock_.state_.lock();
            state->alone = false;
            lock_.changed_.wake_all();
        }

    private:
        NamesLock& lock_;
    };

private:
    struct State {
        u32 shared = 0;
        u32 waiting_alone = 0;
        bool alone = false;
    };
    Guarded<State> state_;
    Condition changed_;
};

} // namespace gemel::hostmount
