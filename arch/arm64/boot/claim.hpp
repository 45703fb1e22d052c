// Whether a processor that starts is in or out: it and the one that waits for it may be late at the
// same time, and both must see the same. Plain data, so that its test runs hosted.
#pragma once

#include "core/base/types.hpp"

namespace gemel::arch {

class StartClaim {
public:
    // Before the processor `number` is turned on. Number 0 starts nowhere.
    void begin(u32 number) { __atomic_store_n(&word_, number, __ATOMIC_SEQ_CST); }
    // By the processor itself, once all is prepared. False: nobody counts with it any more.
    bool answer(u32 number) { return exchange(number, answered); }
    // By the one that waited too long. False: it has answered after all.
    bool give_up(u32 number) { return exchange(number, given_up); }

    bool is_answered() const { return load() == answered; }
    // Then it may still come at any time, and boot code must stay where it is.
    bool is_given_up() const { return load() == given_up; }

private:
    static constexpr u32 answered = 0;
    static constexpr u32 given_up = ~u32 { 0 };

    u32 load() const { return __atomic_load_n(&word_, __ATOMIC_SEQ_CST); }
    bool exchange(u32 expected, u32 wanted)
    {
        return __atomic_compare_exchange_n(
            &word_, &expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }

    u32 word_ = answered;
};

} // namespace gemel::arch
