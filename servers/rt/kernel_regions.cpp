#include "servers/rt/kernel_regions.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace gemel {

namespace {

// What one page of the machine's tables maps: single regions fill one before they need the next.
constexpr u64 table_places = 512;
constexpr u64 table_bytes = table_places * region_bytes_max;
constexpr u64 first_tables = 64; // single regions begin at one of so many
constexpr u64 moved_places = 1024; // that ranges come down from lower at most
constexpr unsigned tries_max = 64;

// Sebastiano Vigna, splitmix64: its state is a counter, so that threads need no lock.
constexpr u64 chance_step = 0x9E37'79B9'7F4A'7C15;

u64 mixed(u64 state)
{
    state = (state ^ state >> 30) * 0xBF58'476D'1CE4'E5B9;
    state = (state ^ state >> 27) * 0x94D0'49BB'1331'11EB;
    return state ^ state >> 31;
}

// 0 to `choices` - 1; 0 when there is no choice.
u64 choose(std::atomic<u64>& chance, u64 choices)
{
    return choices == 0 ? 0 : mixed(chance.fetch_add(chance_step)) % choices;
}

// The object that the handle names, when it may be mapped so; else 0, and mapping it says why not.
u64 mappable(u64 region, u16 flags)
{
    auto needed = Right::read | Right::grant;
    if (flags & static_cast<u16>(VmFlag::write))
        needed = needed | Right::write;
    auto const told = system::cap_move(region, 0, CapOperation::inspect);
    return told && (needed & ~static_cast<Rights>(told->word2)) == 0 ? told->word4 : 0;
}

} // namespace

// Half of what lies behind the first place is for single regions, the rest for ranges. A small
// window has nothing to spare for chance.
KernelRegions::KernelRegions(u64 begin, u64 end, u64 chance)
    : places_begin_(begin)
    , chance_(chance)
    , low_(end)
{
    if (auto const tables = (end - begin) / table_bytes / 4)
        places_begin_ = align_up(begin, table_bytes)
            + choose(chance_, std::min(tables, first_tables)) * table_bytes;
    auto const spare = (end - begin) / region_bytes_max / 16;
    low_ -= choose(chance_, std::min(spare, moved_places)) * region_bytes_max;
    places_end_ = align_down(places_begin_ + (low_ - places_begin_) / 2, u64 { region_bytes_max });
}

// Half of the places that are tried stay empty: the second try succeeds, on average.
u64 KernelRegions::place_by_chance()
{
    auto const wanted = std::max(std::bit_ceil(2 * placed_.load()), table_places);
    auto const places = std::min(wanted, (places_end_ - places_begin_) / region_bytes_max);
    return places_begin_ + choose(chance_, places) * region_bytes_max;
}

template <typename Map>
Result<system::Mapping> KernelRegions::anywhere(Map map)
{
    for (unsigned tries = 0; tries != tries_max; ++tries) {
        auto const mapping = map(place_by_chance());
        if (mapping)
            ++placed_;
        if (mapping || mapping.error() != Error::exists)
            return mapping;
    }
    return Error::no_memory;
}

Result<system::Mapping> KernelRegions::allocate_anywhere(usize bytes)
{
    return anywhere([&](u64 address) {
        return system::vm_allocate(address, bytes, VmFlag::read | VmFlag::write);
    });
}

Result<system::Mapping> KernelRegions::map_anywhere(u64 region, u16 flags)
{
    return anywhere([&](u64 address) { return system::vm_map(address, region, flags); });
}

std::optional<system::Mapping> KernelRegions::share(u64 object, u16 flags)
{
    std::optional<system::Mapping> found;
    sharing_.lock();
    for (auto& one : std::span(shared_).first(shared_count_)) {
        if (one.object != object || one.flags != flags)
            continue;
        ++one.users;
        found = one.mapping;
        break;
    }
    sharing_.unlock();
    return found;
}

void KernelRegions::remember(u64 object, system::Mapping const& mapping, u16 flags)
{
    sharing_.lock();
    if (shared_count_ < shared_max)
        shared_[shared_count_++] = { object, mapping, flags, 1 };
    sharing_.unlock();
}

// One less has the mapping there. When it was the last it is forgotten, before it is gone.
bool KernelRegions::used_by_others(u64 address)
{
    bool used = false;
    sharing_.lock();
    for (auto& one : std::span(shared_).first(shared_count_)) {
        if (one.mapping.address != address)
            continue;
        used = --one.users != 0;
        if (!used)
            one = shared_[--shared_count_];
        break;
    }
    sharing_.unlock();
    return used;
}

// Only what lasts is shared: what its revocation cuts hangs on one capability. Of a region that
// grew meanwhile the mapping has what was there when it was made.
Result<system::Mapping> KernelRegions::map_shared(u64 region, u16 flags)
{
    flags = static_cast<u16>(flags | static_cast<u16>(VmFlag::lasting));
    auto const object = mappable(region, flags);
    if (auto const found = share(object, flags))
        return *found;
    auto const mapping = TRY(map_anywhere(region, flags));
    remember(object, mapping, flags);
    return mapping;
}

void KernelRegions::unmap(u64 address, usize bytes)
{
    if (used_by_others(address))
        return;
    if (system::vm_deallocate(address, bytes) && address >= places_begin_ && address < places_end_)
        --placed_;
}

Result<RegionSource::Region> KernelRegions::allocate(u64 address, usize bytes)
{
    auto const mapping
        = TRY(address == 0 ? allocate_anywhere(bytes)
                           : system::vm_allocate(address, bytes, VmFlag::read | VmFlag::write));
    return Region { mapping.address, mapping.region };
}

void KernelRegions::release(Region const& region, usize bytes)
{
    unmap(region.address, bytes);
    Handle handle { region.handle };
    (void)handle.destroy();
}

void KernelRegions::forget(usize index)
{
    free_[index] = free_[--free_count_];
}

// First fit in what was given back, else the next lower addresses.
u64 KernelRegions::reserve(usize bytes)
{
    lock_.lock();
    u64 address = 0;
    for (usize i = 0; i < free_count_ && address == 0; ++i) {
        auto& range = free_[i];
        if (range.bytes < bytes)
            continue;
        range.bytes -= bytes;
        address = range.address + range.bytes;
        if (range.bytes == 0)
            forget(i);
    }
    if (address == 0 && low_ >= places_end_ + bytes)
        address = low_ -= bytes;
    lock_.unlock();
    return address;
}

// With every place taken the range is lost: addresses only, of which there are plenty.
void KernelRegions::unreserve(u64 address, usize bytes)
{
    lock_.lock();
    for (usize i = 0; i < free_count_;) {
        auto const range = free_[i];
        if (range.address + range.bytes != address && address + bytes != range.address) {
            ++i;
            continue;
        }
        address = std::min(address, range.address);
        bytes += range.bytes;
        forget(i);
        i = 0;
    }
    if (address == low_)
        low_ += bytes;
    else if (free_count_ < ranges_max)
        free_[free_count_++] = { address, bytes };
    lock_.unlock();
}

} // namespace gemel
