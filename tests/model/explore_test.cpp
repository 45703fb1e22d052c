// Goal: no order of steps, however unlikely, brings the kernel's books out of balance.
// Method: every order of steps of a tiny system up to a depth, on the real kernel: each state that
// was not seen before is audited. GEMEL_EXPLORE_MORE adds steps, GEMEL_EXPLORE_EVERYTHING is how
// many are taken with every act that there is: each meets about nine times as many states.
#include "tests/model/snapshot.hpp"
#include "tests/model/tiny_system.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <unordered_set>

namespace gemel {
namespace {

class Exploration {
public:
    Exploration(u64 rows_each, std::vector<Act> acts, std::vector<Step> prelude)
        : system_(rows_each)
        , acts_(std::move(acts))
    {
        for (auto const step : prelude)
            system_.take(step);
        start_.take(system_.kernel);
    }

    // Breadth first, so that what fails first fails on a shortest path. A line for each depth.
    void run(unsigned depth)
    {
        states_.push_back({});
        seen_.insert(system_.fingerprint());
        usize begin = 0;
        for (unsigned level = 1; level <= depth && trouble_.empty(); ++level) {
            auto const end = states_.size();
            for (auto i = begin; i < end && trouble_.empty(); ++i)
                expand(static_cast<u32>(i));
            begin = end;
            std::printf("depth %u: %zu states, %llu steps\n", level, states_.size(),
                static_cast<unsigned long long>(transitions_));
            std::fflush(stdout);
        }
    }

    usize states() const { return states_.size(); }
    std::string const& trouble() const { return trouble_; }
    // Acts that nothing came of, ever.
    std::vector<unsigned> fruitless() const
    {
        std::vector<unsigned> found;
        for (auto const act : acts_)
            if (!fruitful_[static_cast<u8>(act)])
                found.push_back(static_cast<unsigned>(act));
        return found;
    }

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
        start_.restore();
        for (auto at = path_.rbegin(); at != path_.rend(); ++at)
            system_.take(*at);
    }

    void expand(u32 state)
    {
        go_to(state);
        auto const before = system_.fingerprint();
        system_.steps(acts_, steps_);
        here_.take(system_.kernel);
        for (auto const step : steps_) {
            here_.restore();
            system_.take(step);
            ++transitions_;
            auto const after = system_.fingerprint();
            fruitful_[static_cast<u8>(step.act)] |= after != before;
            if (!seen_.insert(after).second)
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
    Snapshot start_;
    Snapshot here_;
    std::vector<State> states_;
    std::unordered_set<u64> seen_;
    std::vector<Step> path_;
    std::vector<Step> steps_;
    std::array<bool, acts_count> fruitful_ {};
    u64 transitions_ = 0;
    std::string trouble_;
};

unsigned number_from(char const* name, unsigned otherwise)
{
    auto const* text = std::getenv(name);
    return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 0)) : otherwise;
}

constexpr u64 wide = 6; // rows for each task
constexpr u64 narrow = 3; // six in all

unsigned more_steps()
{
    return number_from("GEMEL_EXPLORE_MORE", 0);
}

void explore(u64 rows_each, std::vector<Act> acts, std::vector<Step> prelude, unsigned depth)
{
    Exploration exploration(rows_each, std::move(acts), std::move(prelude));
    exploration.run(depth);
    EXPECT_EQ(exploration.trouble(), "");
    EXPECT_GT(exploration.states(), 100u);
    EXPECT_EQ(exploration.fruitless(), std::vector<unsigned> {});
}

// The first thread makes a port and gives the other task a capability to it.
std::vector<Step> const one_shared_port { { Act::allocate, 0 }, { Act::derive_to_other, 2 } };

} // namespace

TEST(Explore, MessagesAndCalls)
{
    explore(wide,
        { Act::send, Act::call, Act::call_for_a_tick, Act::receive, Act::receive_for_a_tick,
            Act::poll, Act::reply, Act::reply_and_receive, Act::signal, Act::yield, Act::tick },
        one_shared_port, 7 + more_steps());
}

TEST(Explore, Capabilities)
{
    explore(wide,
        { Act::derive, Act::derive_to_other, Act::move_to_other, Act::revoke, Act::close,
            Act::destroy, Act::badge, Act::yield },
        one_shared_port, 5 + more_steps());
}

TEST(Explore, CapabilitiesInMessages)
{
    explore(wide,
        { Act::send_capability, Act::receive, Act::poll, Act::close, Act::revoke, Act::destroy,
            Act::move_to_other, Act::yield },
        one_shared_port, 6 + more_steps());
}

TEST(Explore, LimitsAndWatches)
{
    explore(wide,
        { Act::derive_to_other, Act::limit, Act::watch, Act::revoke, Act::close, Act::poll,
            Act::tick },
        one_shared_port, 6 + more_steps());
}

TEST(Explore, ThreadsAndTasks)
{
    explore(wide,
        { Act::call, Act::receive, Act::reply, Act::spawn, Act::end, Act::fault, Act::stop,
            Act::run, Act::foreign, Act::native, Act::priority, Act::make_thread, Act::destroy,
            Act::reap, Act::yield, Act::tick },
        one_shared_port, 6 + more_steps());
}

TEST(Explore, Everything)
{
    std::vector<Act> all;
    for (u8 act = 0; act < acts_count; ++act)
        all.push_back(static_cast<Act>(act));
    explore(narrow, std::move(all), one_shared_port, number_from("GEMEL_EXPLORE_EVERYTHING", 5));
}

} // namespace gemel
