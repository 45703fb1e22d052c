// cap-storm [SEED]: several tasks do to capabilities all that can be done to them, at once:
// derived, badged, moved, revoked, closed, destroyed, short-lived, handed from task to task. What
// they must never see is said here; that the kernel's books agree is the audit's, at the end of the
// run.
//   cap-storm child NUMBER SEED    one of the tasks, which has a capability "market"
#include "servers/protocols/process.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/serve.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"
#include "tests/race/market.hpp"

#include <charconv>

namespace gemel::cap_storm {

namespace {

using protocol::Process;
using protocol::ProcessText;

constexpr u32 children = 3;
constexpr usize stack_bytes = 32 * 1024;
constexpr u32 left_tries = 100; // of 10 ms, until what ended tasks held is gone

u64 number_of(std::string_view text)
{
    u64 value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// The market: where the tasks' capabilities change hands.
class Stall final : public Service {
public:
    Stall(Handle const& port, u64 seed)
        : port_(port)
        , dice_(seed, 0)
    {
    }

    Disposition dispatch(u64 badge, Incoming& in, ReplyToken& token) override
    {
        badge_ = badge;
        return gemel::dispatch<Market>(*this, in, token);
    }
    void notified(u64) override { }

    // What comes through a child's capability bears its badge, whoever sends it by now.
    Result<Market::Swap::Reply> on(Market::Swap request)
    {
        if (request.badge != badge_)
            system::debug_print("FAIL cap-storm: a message came with another badge\n");
        auto& place = board_[dice_.below(std::size(board_))];
        std::swap(place, request.capability);
        if (request.capability)
            return Market::Swap::Reply { std::move(request.capability) };
        return Market::Swap::Reply { TRY(port_.derive(Right::call | Right::derive)) };
    }

    Result<Market::Line::Reply> on(Market::Line const&)
    {
        line_ = TRY(port_.badged(line_badge, Right::call | Right::derive));
        return Market::Line::Reply { TRY(line_.derive(static_cast<Rights>(Right::call))) };
    }

    // A capability is taken away in mid-call: its caller waits for the answer.
    Result<Market::Echo::Reply> on(Market::Echo const& request)
    {
        auto const cut = badge_ == line_badge && dice_.below(2) == 0;
        if (cut)
            TRY(line_.revoke());
        return Market::Echo::Reply { request.nonce, static_cast<u8>(cut ? 1 : 0) };
    }

    Result<Market::Close::Reply> on(Market::Close const&)
    {
        for (auto& place : board_)
            place = {};
        line_ = {};
        return Market::Close::Reply {};
    }

private:
    static constexpr u64 line_badge = 1'000'000;

    Handle const& port_;
    Dice dice_;
    u64 badge_ = 0;
    Handle board_[4];
    Handle line_; // the last that was given out; with it go all before
};

Result<void> add_text(Client<Process> const& process, ProcessText kind, std::string_view text)
{
    TRY(process.call(Process::AddText { kind, text })); // shorter than a piece
    return {};
}

Result<Client<Process>> start_child(
    Client<protocol::Processes> const& processes, Handle market, u64 number, std::string_view seed)
{
    auto process
        = Client<Process>(std::move(TRY(processes.call(protocol::Processes::Create {})).process));
    TRY(add_text(process, ProcessText::path, "/gemel/bin/cap-storm"));
    for (auto const argument : { std::string_view { "cap-storm" }, std::string_view { "child" } })
        TRY(add_text(process, ProcessText::argument, argument));
    TRY(add_text(process, ProcessText::argument, concatenate(number)));
    TRY(add_text(process, ProcessText::argument, seed));
    TRY(process.call(Process::Give { std::string_view { "market" }, std::move(market) }));
    TRY(process.call(Process::Start {}));
    return process;
}

struct Stand {
    Handle const& port;
    Stall& stall;
};

void serve_market(void* argument)
{
    auto& stand = *static_cast<Stand*>(argument);
    (void)serve_with(stand.port, stand.stall);
    for (;;)
        sleep_until(Deadline::none());
}

Result<void> run_children(
    Handle const& port, Client<protocol::Processes> const& processes, std::string_view seed)
{
    std::vector<Client<Process>> running;
    for (u64 number = 1; number <= children; ++number) {
        auto market = TRY(port.badged(number, Right::call | Right::derive));
        running.push_back(TRY(start_child(processes, std::move(market), number, seed)));
    }
    for (auto const& process : running)
        TRY(process.call(Process::Wait {}));
    return {};
}

// What ended tasks held dies with them: one capability is left, the caller's own.
void expect_no_other(Handle const& port)
{
    for (u32 tries = 0; tries < left_tries; ++tries) {
        auto const info = port.inspect();
        if (!info || info->children <= 1)
            return;
        sleep_until(Deadline::after_ms(10));
    }
    system::debug_print("FAIL cap-storm: capabilities of tasks that ended are alive\n");
}

Result<void> run_market(Env& env, std::string_view seed)
{
    auto const processes = TRY(env.take<protocol::Processes>("process"));
    Handle const port { TRY(system::port_allocate()) };
    Stall stall { port, number_of(seed) };
    Stand stand { port, stall };
    auto const own = Client<Market> { TRY(port.derive(Right::call | Right::derive)) };
    (void)TRY(spawn_thread(serve_market, &stand, stack_bytes, "market"));
    auto const done = run_children(port, processes, seed);
    if (done && own.call(Market::Close {}))
        expect_no_other(port);
    system::exit(done ? 0 : 1); // at once: the market stands on this thread's memory
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const& words = env.arguments();
    if (words.size() == 4 && words[1] == "child")
        return trade(TRY(env.take<Market>("market")), number_of(words[2]), number_of(words[3]));
    return run_market(env, words.size() > 1 ? words[1] : std::string_view { "1" });
}

} // namespace gemel::cap_storm
