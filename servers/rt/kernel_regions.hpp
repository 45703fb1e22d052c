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
    // The same, but who asks again with the same access while it is mapped is given that mapping:
    // it goes with as many unmaps.
    Result<system::Mapping> map_shared(u64 region, u16 flags);
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
    // A mapping that map_shared made. While it is there no other region has the object's number.
    struct Shared {
        u64 object = 0;
        system::Mapping mapping;
        u16 flags = 0;
        u32 users = 0;
    };
    static constexpr usize shared_max = 64; // more are mapped once for each who asks

    template <typename Map>
    Result<system::Mapping> anywhere(Map map);
    u64 place_by_chance();
    void forget(usize index);
    std::optional<system::Mapping> share(u64 object, u16 flags);
    void remember(u64 object, system::Mapping const& mapping, u16 flags);
    bool used_by_others(u64 address);

    u64 places_begin_; // of single regions
    u64 places_end_; // ranges lie above
    std::atomic<u64> chance_;
    std::atomic<u64> placed_ { 0 }; // single regions that are mapped
    Lock lock_; // of what follows
    u64 low_; // lowest address in use by ranges
    std::array<Range, ranges_max> free_ {};
    usize free_count_ = 0;
    Lock sharing_; // of what follows
    std::array<Shared, shared_max> shared_ {};
    usize shared_count_ = 0;
};

} // namespace gemel
