// mischief WHAT: one misdeed. What the kernel refuses is told on standard output; what ends the
// program is told by init.
#include "servers/fskit/client.hpp"
#include "servers/rt/rt.hpp"
#include "tests/mischief/refusals.hpp"

namespace gemel::mischief {

namespace {

// Loads and stores that the compiler cannot see through.
volatile u64 const low_address = 8;

void read_low()
{
    (void)*reinterpret_cast<u64 volatile*>(low_address);
}

void write_low()
{
    *reinterpret_cast<u64 volatile*>(low_address) = 1;
}

void jump_low()
{
    reinterpret_cast<void (*)()>(low_address)();
}

[[gnu::noinline]] u64 recurse(u64 depth)
{
    u64 volatile room[64];
    room[depth % 64] = depth;
    return depth == ~u64 { 0 } ? 0 : recurse(depth + 1) + room[depth % 64];
}

void overflow_the_stack()
{
    (void)recurse(1);
}

// Writes on behind a local array, over the guard and the return address, and returns.
// AddressSanitizer would say so first.
[[gnu::noinline, gnu::no_sanitize_address]] void smash_the_stack()
{
    char room[32];
    char volatile* volatile at = room;
    for (usize i = 0; i < 3 * sizeof room; ++i)
        at[i] = 'x';
}

void trap()
{
    __builtin_trap();
}

void loop()
{
    for (u64 volatile turns = 0;;)
        static_cast<void>(turns);
}

// Longer than a tick, and longer than a second on the machines that there are.
void compute()
{
    constexpr u64 turns = 12'000'000'000;
    for (u64 turn = 0; turn < turns; ++turn)
        asm volatile("" : "+r"(turn));
}

struct Misdeed {
    std::string_view name;
    void (*run)();
};
constexpr Misdeed ends[] = { { "read", read_low }, { "write", write_low }, { "jump", jump_low },
    { "stack", overflow_the_stack }, { "smash", smash_the_stack }, { "trap", trap },
    { "loop", loop }, { "compute", compute } };

struct Attempt {
    std::string_view name;
    std::string (*run)();
};
constexpr Attempt attempts[]
    = { { "handles", try_handles }, { "dead-port", try_dead_port }, { "places", show_places },
          { "memory", try_memory }, { "ports", try_ports }, { "threads", try_threads } };

} // namespace

Result<void> server_main(Env& env)
{
    auto const what = env.arguments().size() > 1 ? env.arguments()[1] : "loop";
    for (auto const& misdeed : ends)
        if (what == misdeed.name)
            misdeed.run();
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    auto out = TRY(files.attach(TRY(env.take<protocol::File>("stdout"))));
    for (auto const& attempt : attempts)
        if (what == attempt.name)
            return out.write(attempt.run());
    return Error::invalid;
}

} // namespace gemel::mischief
