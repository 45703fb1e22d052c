// One task of cap-storm: takes capabilities, and does with them what chance says.
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"
#include "tests/race/market.hpp"

namespace gemel::cap_storm {

namespace {

constexpr u32 rounds = 24;
constexpr usize held_max = 6;
constexpr u64 tick_ms = 10;
constexpr u64 short_ns = 1'000'000;
constexpr Rights some_rights[] = { Right::call | Right::derive, Right::send | Right::derive,
    static_cast<Rights>(Right::derive), Right::call | Right::send | Right::derive };

void expect(bool holds, char const* what)
{
    if (!holds)
        system::debug_print(concatenate("FAIL cap-storm: ", what, '\n'));
}

class Trader {
public:
    Trader(Client<Market> market, u64 number, u64 seed)
        : market_(std::move(market))
        , dice_(seed, number)
    {
    }

    void step()
    {
        (void)make_room();
        switch (dice_.below(9)) {
        case 0:
            return narrow();
        case 1:
            return badge();
        case 2:
            return revoke();
        case 3:
            return destroy();
        case 4:
            return expire();
        case 5:
            return move();
        case 6:
            return swap();
        case 7:
            return echo();
        default: // nobody may answer
            (void)system::port_call(any().value(), {}, Deadline::after_ms(tick_ms));
        }
    }

private:
    Handle& any() { return held_[dice_.below(held_.size())]; }

    // There is always one, and room for one more: which one goes is chance's.
    Result<void> make_room()
    {
        while (held_.size() >= held_max)
            held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(dice_.below(held_.size())));
        if (held_.empty())
            held_.push_back(Handle {});
        if (!any())
            any() = Handle { TRY(system::port_allocate()) };
        return {};
    }

    void keep(Result<Handle> made)
    {
        if (made)
            held_.push_back(std::move(*made));
    }

    void narrow()
    {
        auto const& from = any();
        auto const before = from.inspect();
        auto made = from.derive(some_rights[dice_.below(std::size(some_rights))]);
        auto const after = made ? made->inspect() : made.error();
        // send gives call as well
        if (before && after && (before->rights & rights_of(Right::send)) == 0)
            expect((after->rights & ~before->rights) == 0, "a derived capability may do more");
        if (before && after)
            expect(after->object == before->object && after->badge == before->badge,
                "a derived capability is another's");
        keep(std::move(made));
    }

    void badge()
    {
        auto const wanted = 1 + dice_.below(1000);
        auto made = any().badged(wanted, Right::call | Right::derive);
        if (auto const info = made ? made->inspect() : made.error())
            expect(info->badge == wanted, "a badge is another one");
        keep(std::move(made));
    }

    void revoke()
    {
        auto const& from = any();
        auto const child = from.derive(static_cast<Rights>(Right::derive));
        if (from.revoke() && child)
            expect(!child->inspect(), "a revoked capability is alive");
    }

    void destroy()
    {
        auto& victim = any();
        auto const other = victim.derive(Right::send | Right::derive);
        if (victim.destroy() && other)
            expect(!system::signal(other->value(), 1), "an object that ended was signalled");
    }

    void expire()
    {
        auto made = any().derive(Right::call | Right::derive);
        if (!made || !made->set_time_to_live(short_ns))
            return;
        auto const since = system::time_ns();
        sleep_until(Deadline::after_ms(3 * tick_ms));
        if (system::time_ns() - since > 2 * tick_ms * 1'000'000) // a fault may cut the sleep short
            expect(!made->derive(static_cast<Rights>(Right::derive)), "it outlived its time");
    }

    void move()
    {
        auto& from = any();
        auto const before = from.value();
        auto const moved = from.move_to(Handle {});
        if (!moved)
            return;
        Handle const stale { before };
        expect(!stale.inspect(), "a handle that was moved is alive");
        from = Handle { *moved };
    }

    // Through a capability derived from the task's own: the badge is the same.
    void swap()
    {
        auto goods = any().derive(Right::call | Right::derive);
        auto const info = market_.handle().inspect();
        if (!goods || !info)
            return;
        auto got = market_.call(Market::Swap { info->badge, std::move(*goods) });
        if (got)
            keep(std::move(got->capability));
    }

    // Another task may take the line away at any time: then the call ends, too.
    void echo()
    {
        auto got = market_.call(Market::Line {});
        if (!got)
            return;
        Client<Market> const line { std::move(got->line) };
        auto const nonce = dice_.below(1u << 30);
        auto const answer = line.call(Market::Echo { nonce });
        if (!answer)
            return;
        expect(answer->nonce == nonce, "an answer is another call's");
        if (answer->cut != 0)
            expect(!line.call(Market::Echo { nonce }), "a capability revoked in mid-call is alive");
    }

    Client<Market> market_;
    Dice dice_;
    std::vector<Handle> held_;
};

} // namespace

Result<void> trade(Client<Market> market, u64 number, u64 seed)
{
    Trader trader { std::move(market), number, seed };
    for (u32 round = 0; round < rounds; ++round)
        trader.step();
    return {};
}

} // namespace gemel::cap_storm
