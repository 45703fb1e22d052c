// Where a task's memory lies. A region by itself has a place by chance, so that who was led astray
// does not know where the heap and what is shared lie; a range of several regions comes down from
// the end of the task's addresses.
#pragma once

#include "servers/rt/heap.hpp"
#include "servers/rt/system.hpp"

namespace gemel {

// Any thread of the task may call.
class KernelRegions final : public RegionSource {
public:
    // The task's own addresses, multiples of region_bytes_max. `chance`: random bits; the same ones
    // give the same places.
    KernelRegions(u64 begin, u64 end, u64 chance);

    // Like system::vm_allocate and vm_map, at a place by chance; unmapped by unmap. no_memory:
    // there is no place either.
    Result<system::Mapping> allocate_anywhere(usize bytes);
    Result<system::Mapping> map_anywhere(u64 region, u16 flags);
    void unmap(u64 address, usize bytes);

    // `address` 0: anywhere. Otherwise it was reserved.
    Result<Region> allocate(u64 address, usize bytes) override;
    void release(Region const& region, usize bytes) override;
    u64 reserve(usize bytes) override;
    void unreserve(u64 address, usize bytes) override;

private:
    struct Range {
        u64 address = 0;
        u64 bytes = 0;
    };
    static constexpr usize ranges_max = 64;

    template <typename Map>
    Result<system::Mapping> anywhere(Map map);
    u64 place_by_chance();
    void forget(usize index);

    u64 places_begin_; // of single regions
    u64 places_end_; // ranges lie above
    std::atomic<u64> chance_;
    std::atomic<u64> placed_ { 0 }; // single regions that are mapped
    Lock lock_; // of what follows
    u64 low_; // lowest address in use by ranges
    std::array<Range, ranges_max> free_ {};
    usize free_count_ = 0;
};

} // namespace gemel
