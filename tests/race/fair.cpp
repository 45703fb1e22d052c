// Four threads that call one port as often as they can: whoever waits there is served in its turn.
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

namespace gemel::fair {

namespace {

constexpr u16 question = 1;
constexpr usize stack_bytes = 16 * 1024;
constexpr u32 caller_count = 4;
constexpr u64 answers = 3000; // then it is over
// In its turn a call waits for one of each other caller. A thread that is stopped inside its code
// (gemel sim --preempt) may have read the count long before it called: after being passed over
// 1,024 times it goes on (docs/simulator.md, "Strategies").
constexpr u64 wait_max = 1000;

struct Counter {
    u64 port = 0;
    std::atomic<u64> answered = 0;
    Notification finished;
};

struct Caller {
    Counter* counter = nullptr;
    u64 bit = 0;
};

// Between reading the count and the call there is no kernel entry.
void call_on(void* argument)
{
    auto& caller = *static_cast<Caller*>(argument);
    auto& counter = *caller.counter;
    while (counter.answered < answers)
        (void)system::port_call(
            counter.port, { .tag = tag_of(question), .words = { counter.answered } });
    (void)counter.finished.signal(caller.bit);
    for (;;)
        sleep_until(Deadline::none());
}

// Until every caller is told that it is over.
void serve(void* argument)
{
    auto& counter = *static_cast<Counter*>(argument);
    auto in = system::port_receive(counter.port);
    while (in) {
        auto const waited = counter.answered - in->message.words[0];
        if (waited > wait_max)
            system::debug_print(
                "FAIL fair: a call waited while others were answered again and again\n");
        ++counter.answered;
        in = system::port_reply_receive(in->token, {}, counter.port);
    }
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

Result<void> server_main(Env&)
{
    Handle const port { TRY(system::port_allocate()) };
    Counter counter { port.value(), 0, TRY(Notification::create()) };
    Caller callers[caller_count];
    (void)TRY(spawn_thread(serve, &counter, stack_bytes, "server"));
    u64 waited_for = 0;
    for (u32 i = 0; i < caller_count; ++i) {
        callers[i] = { &counter, u64 { 1 } << i };
        if (spawn_thread(call_on, &callers[i], stack_bytes, "caller"))
            waited_for |= callers[i].bit; // the others call all the same
    }
    for (u64 done = 0; done != waited_for;)
        if (auto const more = counter.finished.wait())
            done |= *more;
        else
            system::exit(1); // at once: the callers' memory is this thread's
    system::exit(0); // and the server's
}

} // namespace gemel::fair
