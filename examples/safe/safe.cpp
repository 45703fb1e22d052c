// A safe that six rare events in a row open. One thread turns the dial, another pulls the handle; a
// pin falls when the dial stands at that pin's number just then. Random schedules do not open it;
// but each pin that falls is a signal that was not seen before, and that is a path to follow.
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

#include <atomic>
#include <iterator>

namespace gemel::safe {

namespace {

constexpr u32 pins[] = { 17, 4, 21, 11, 2, 14 }; // where the dial has to stand
constexpr u32 numbers = 24; // on the dial
constexpr u32 turns = 500;
constexpr u32 pulls = 4; // for each pin: then the safe stays closed
constexpr u32 rest = 6; // calls to the kernel from one pull to the next
constexpr usize stack_bytes = 16 * 1024;
constexpr u64 dial_bit = 1, handle_bit = 2, first_pin_bit = 4;

struct Safe {
    std::atomic<u32> dial = 0;
    u32 fallen = 0;
    Notification pin_fell;
    Notification finished;
};

void turn_dial(void* argument)
{
    auto& safe = *static_cast<Safe*>(argument);
    for (u32 turn = 0; turn < turns; ++turn) {
        safe.dial = (safe.dial + 1) % numbers;
        (void)system::time_ns();
    }
    (void)safe.finished.signal(dial_bit);
    for (;;)
        sleep_until(Deadline::none());
}

void pull_handle(void* argument)
{
    auto& safe = *static_cast<Safe*>(argument);
    for (u32 left = pulls; left-- != 0 && safe.fallen < std::size(pins);) {
        for (u32 i = 0; i < rest; ++i)
            (void)system::time_ns(); // the other thread may go on here
        if (safe.dial != pins[safe.fallen])
            continue;
        (void)safe.pin_fell.signal(first_pin_bit << safe.fallen++);
        left = pulls;
    }
    (void)safe.finished.signal(handle_bit);
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

Result<void> server_main(Env&)
{
    Safe safe { .pin_fell = TRY(Notification::create()), .finished = TRY(Notification::create()) };
    (void)TRY(spawn_thread(turn_dial, &safe, stack_bytes, "dial"));
    if (!spawn_thread(pull_handle, &safe, stack_bytes, "handle"))
        system::exit(1); // at once: the other one's memory is this thread's
    for (u64 done = 0; done != (dial_bit | handle_bit);)
        done |= TRY(safe.finished.wait());
    if (safe.fallen == std::size(pins))
        system::debug_print("FAIL safe: it is open\n");
    return {};
}

} // namespace gemel::safe
