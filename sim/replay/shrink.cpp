#include "sim/replay/shrink.hpp"

#include <algorithm>

namespace gemel::sim {

namespace {

class Search {
public:
    Search(std::vector<Decision> decisions, StillFails const& still_fails, u32 runs_max)
        : best_(std::move(decisions))
        , still_fails_(still_fails)
        , runs_max_(runs_max)
    {
    }

    Shrunk run()
    {
        if (attempt({}))
            return { best_, runs_ };
        remove_parts();
        lower_values();
        return { best_, runs_ };
    }

private:
    bool over() const { return runs_ >= runs_max_; }

    bool attempt(std::vector<Decision> candidate)
    {
        if (over())
            return false;
        ++runs_;
        if (!still_fails_(candidate))
            return false;
        best_ = std::move(candidate);
        return true;
    }

    std::vector<Decision> without(usize begin, usize end) const
    {
        auto rest = best_;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(begin),
            rest.begin() + static_cast<std::ptrdiff_t>(end));
        return rest;
    }

    // Parts of half the list, a quarter, ... one decision; again from large while it helps.
    void remove_parts()
    {
        for (auto part = (best_.size() + 1) / 2; part >= 1 && !best_.empty() && !over();) {
            auto removed = false;
            for (usize begin = 0; begin < best_.size() && !over();) {
                auto const end = std::min(begin + part, best_.size());
                if (attempt(without(begin, end)))
                    removed = true;
                else
                    begin = end;
            }
            if (part == 1 && !removed)
                return;
            part = part == 1 ? 1 : (part + 1) / 2;
        }
    }

    void lower_values()
    {
        for (usize i = 0; i < best_.size() && !over(); ++i) {
            // A schedule's value names a thread: smaller means nothing.
            auto const kind = best_[i].key.kind;
            auto const names_thread = kind == Kind::schedule || kind == Kind::preempt;
            while (!names_thread && best_[i].value > 1 && !over()) {
                auto candidate = best_;
                candidate[i].value /= 2;
                if (!attempt(std::move(candidate)))
                    break;
            }
        }
    }

    std::vector<Decision> best_;
    StillFails const& still_fails_;
    u32 runs_max_;
    u32 runs_ = 0;
};

} // namespace

Shrunk shrink(std::vector<Decision> decisions, StillFails const& still_fails, u32 runs_max)
{
    return Search { std::move(decisions), still_fails, runs_max }.run();
}

} // namespace gemel::sim
