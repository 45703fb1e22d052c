// What is over stays over: a token that was used, a capability that was revoked, an object that
// ended while another takes its place. Tried while the schedule and faults do what they like.
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

namespace gemel::rights_race {

namespace {

constexpr u16 question = 1;
constexpr usize stack_bytes = 16 * 1024;
constexpr u32 rounds = 4;

struct Caller {
    u64 port = 0;
    Notification const* finished = nullptr;
};

void call_twice(void* argument)
{
    auto& caller = *static_cast<Caller*>(argument);
    for (u32 i = 0; i < 2 * rounds; ++i)
        (void)system::port_call(caller.port, { .tag = tag_of(question) });
    (void)caller.finished->signal(1);
    for (;;)
        sleep_until(Deadline::none());
}

void expect_refused(Result<void> const& done, char const* what)
{
    if (done)
        system::debug_print(concatenate("FAIL rights-race: ", what, '\n'));
}

// While the caller waits for the answer to its next call.
Result<void> answer_twice(u64 port)
{
    auto const first = TRY(system::port_receive(port));
    TRY(system::port_send(first.token, {}));
    auto const second = TRY(system::port_receive(port));
    expect_refused(system::port_send(first.token, {}), "a reply token was taken twice");
    return system::port_send(second.token, {});
}

Result<void> use_after_revocation()
{
    Handle const port { TRY(system::port_allocate()) };
    auto const child = TRY(port.derive(Right::send | Right::derive));
    auto const grandchild = TRY(child.derive(static_cast<Rights>(Right::send)));
    TRY(port.revoke());
    expect_refused(
        system::port_send(grandchild.value(), { .tag = tag_of(question) }), "it was revoked");
    return {};
}

// The next port is likely to lie where the old one lay.
Result<void> use_after_end()
{
    Handle const old { TRY(system::port_allocate()) };
    auto ender = TRY(old.derive(Right::send | Right::destroy));
    TRY(ender.destroy());
    Handle const next { TRY(system::port_allocate()) };
    expect_refused(system::signal(old.value(), 1), "its object had ended");
    return {};
}

} // namespace

Result<void> server_main(Env&)
{
    Handle const port { TRY(system::port_allocate()) };
    auto const finished = TRY(Notification::create());
    Caller caller { port.value(), &finished };
    (void)TRY(spawn_thread(call_twice, &caller, stack_bytes, "caller"));
    for (u32 i = 0; i < rounds; ++i) {
        if (auto const done = answer_twice(port.value()); !done)
            system::exit(1); // at once: the caller's memory is this thread's
        (void)use_after_revocation();
        (void)use_after_end();
    }
    (void)TRY(finished.wait());
    return {};
}

} // namespace gemel::rights_race
