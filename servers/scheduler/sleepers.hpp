// Who sleeps, in the order they wake up. Equal instants wake in the order they were asked for.
#pragma once

#include "core/abi/error.hpp"
#include "core/base/result.hpp"

#include <map>
#include <optional>

namespace gemel::scheduler {

inline constexpr usize sleepers_max = 10'000;

template <typename Waker>
class Sleepers {
public:
    // too_big: sleepers_max sleep already.
    Result<void> add(u64 wake_ns, Waker waker)
    {
        if (waiting_.size() == sleepers_max)
            return Error::too_big;
        waiting_.emplace(wake_ns, std::move(waker));
        return {};
    }

    // When the first wakes up.
    std::optional<u64> next_ns() const
    {
        if (waiting_.empty())
            return {};
        return waiting_.begin()->first;
    }

    // Takes the first whose time has come.
    std::optional<Waker> take_due(u64 now_ns)
    {
        if (waiting_.empty() || waiting_.begin()->first > now_ns)
            return {};
        auto node = waiting_.extract(waiting_.begin());
        return std::move(node.mapped());
    }

    usize count() const { return waiting_.size(); }

private:
    std::multimap<u64, Waker> waiting_;
};

} // namespace gemel::scheduler
