// Goal: no order of steps, however unlikely, brings the kernel's books out of balance.
// Method: every order of steps of a tiny system up to a depth, on the real kernel: each state that
// was not seen before is audited. GEMEL_EXPLORE_MORE adds steps.
#include "tests/model/snapshot.hpp"
#include "tests/model/tiny_system.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <unordered_set>

namespace gemel {
namespace {

class Exploration {
public:
    Exploration(std::vector<Act> acts, std::vector<Step> prelude)
        : acts_(std::move(acts))
    {
        for (auto const step : prelude)
            system_.take(step);
        start_.emplace(system_.kernel);
    }

    // Breadth first, so that what fails first fails on a shortest path.
    void run(unsigned depth)
    {
        states_.push_back({});
        seen_.insert(system_.fingerprint());
        usize begin = 0;
        for (unsigned level = 0; level < depth; ++level) {
            auto const end = states_.size();
            for (auto i = begin; i < end && trouble_.empty(); ++i)
                expand(static_cast<u32>(i));
            begin = end;
        }
    }

    usize states() const { return states_.size(); }
    u64 transitions() const { return transitions_; }
    std::string const& trouble() const { return trouble_; }

private:
    struct State {
        u32 before = 0;
        Step step { Act::tick, 0 };
    };

    void go_to(u32 state)
    {
        path_.clear();
        for (auto at = state; at != 0; at = states_[at].before)
            path_.push_back(states_[at].step);
        start_->restore();
        for (auto at = path_.rbegin(); at != path_.rend(); ++at)
            system_.take(*at);
    }

    void expand(u32 state)
    {
        go_to(state);
        system_.steps(acts_, steps_);
        auto const steps = steps_;
        for (auto const step : steps) {
            go_to(state);
            system_.take(step);
            ++transitions_;
            if (!seen_.insert(system_.fingerprint()).second)
                continue;
            states_.push_back({ state, step });
            auto const wrong = system_.kernel.audit();
            if (!wrong.empty())
                return tell(wrong, step);
        }
    }

    void tell(std::string const& wrong, Step last)
    {
        trouble_ = wrong + " after";
        for (auto at = path_.rbegin(); at != path_.rend(); ++at)
            append(*at);
        append(last);
    }
    void append(Step step)
    {
        trouble_ += " " + std::to_string(static_cast<unsigned>(step.act)) + "/"
            + std::to_string(step.capability);
    }

    TinySystem system_;
    std::vector<Act> acts_;
    std::optional<Snapshot> start_;
    std::vector<State> states_;
    std::unordered_set<u64> seen_;
    std::vector<Step> path_;
    std::vector<Step> steps_;
    u64 transitions_ = 0;
    std::string trouble_;
};

unsigned more_steps()
{
    auto const* text = std::getenv("GEMEL_EXPLORE_MORE");
    return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 0)) : 0;
}

void explore(std::vector<Act> acts, std::vector<Step> prelude, unsigned depth)
{
    depth += more_steps();
    Exploration exploration(std::move(acts), std::move(prelude));
    exploration.run(depth);
    EXPECT_EQ(exploration.trouble(), "");
    EXPECT_GT(exploration.states(), 100u);
    std::printf("depth %u: %zu states, %llu steps\n", depth, exploration.states(),
        static_cast<unsigned long long>(exploration.transitions()));
}

// The first thread makes a port and gives the other task a capability to it.
std::vector<Step> const one_shared_port { { Act::allocate, 0 }, { Act::derive_to_other, 1 } };

} // namespace

TEST(Explore, MessagesAndCalls)
{
    explore({ Act::send, Act::call, Act::call_for_a_tick, Act::receive, Act::receive_for_a_tick,
                Act::poll, Act::reply, Act::reply_and_receive, Act::signal, Act::yield, Act::tick },
        one_shared_port, 7);
}

TEST(Explore, Capabilities)
{
    explore({ Act::derive, Act::derive_to_other, Act::move_to_other, Act::revoke, Act::close,
                Act::destroy, Act::badge, Act::yield },
        one_shared_port, 5);
}

TEST(Explore, CapabilitiesInMessages)
{
    explore({ Act::send_capability, Act::receive, Act::poll, Act::close, Act::revoke, Act::destroy,
                Act::move_to_other, Act::yield },
        one_shared_port, 6);
}

TEST(Explore, LimitsAndWatches)
{
    explore({ Act::derive_to_other, Act::limit, Act::watch, Act::revoke, Act::close, Act::poll,
                Act::tick },
        one_shared_port, 7);
}

} // namespace gemel
