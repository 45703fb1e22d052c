// Where the bitmaps and inode tables of all groups lie. A group's may lie in another one (flex_bg),
// so whoever asks about one group would have to look at all of them.
#pragma once

#include "core/base/types.hpp"

#include <algorithm>
#include <vector>

namespace gemel::ext4 {

class MetadataPlaces {
public:
    struct Run {
        u64 first = 0;
        u64 count = 0;
    };

    // Whether all were added.
    bool known() const { return known_; }
    void add(Run run) { runs_.push_back(run); }
    // All are: from now on they can be asked for. What lies beside each other is one run.
    void complete();

    // Calls visit(Run) for what lies in [first, end).
    template <typename Visit>
    void each(u64 first, u64 end, Visit const& visit) const
    {
        for (auto at = first_behind(first); at < runs_.size() && runs_[at].first < end; ++at) {
            auto const& run = runs_[at];
            auto const from = std::max(run.first, first);
            visit(Run { from, std::min(run.first + run.count, end) - from });
        }
    }

private:
    // The first run that ends behind the block.
    usize first_behind(u64 block) const;

    std::vector<Run> runs_; // by place, without overlaps
    bool known_ = false;
};

} // namespace gemel::ext4
