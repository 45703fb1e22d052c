#include "servers/ext4/metadata_places.hpp"

namespace gemel::ext4 {

void MetadataPlaces::complete()
{
    std::sort(runs_.begin(), runs_.end(),
        [](Run const& left, Run const& right) { return left.first < right.first; });
    usize kept = 0;
    for (auto const& run : runs_) {
        if (kept > 0 && run.first <= runs_[kept - 1].first + runs_[kept - 1].count) {
            auto& before = runs_[kept - 1];
            before.count = std::max(before.count, run.first + run.count - before.first);
        } else {
            runs_[kept++] = run;
        }
    }
    runs_.resize(kept);
    runs_.shrink_to_fit();
    known_ = true;
}

usize MetadataPlaces::first_behind(u64 block) const
{
    auto const found = std::partition_point(runs_.begin(), runs_.end(),
        [block](Run const& run) { return run.first + run.count <= block; });
    return static_cast<usize>(found - runs_.begin());
}

} // namespace gemel::ext4
