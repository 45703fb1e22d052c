#include "servers/ext4/name_cache.hpp"

#include "core/base/assert.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace gemel::ext4 {

void NameCache::allow(usize entries_max)
{
    ASSERT(std::has_single_bit(entries_max) && entries_max >= ways);
    clear();
    entries_max_ = entries_max;
}

NameCache::Entry* NameCache::set_of(u32 directory, std::string_view name)
{
    constexpr u64 prime = 0x100'0000'01B3; // FNV-1a
    u64 hash = 0xCBF2'9CE4'8422'2325 ^ directory;
    for (auto const each : name)
        hash = (hash ^ static_cast<u8>(each)) * prime;
    return entries_.data() + (hash ^ hash >> 32) % (entries_.size() / ways) * ways;
}

NameCache::Entry* NameCache::entry_of(u32 directory, std::string_view name)
{
    if (entries_.empty() || name.size() > name_bytes_max)
        return nullptr;
    auto* const set = set_of(directory, name);
    auto* const entry = std::find_if(set, set + ways,
        [&](Entry const& each) { return each.directory == directory && each.name == name; });
    return entry == set + ways ? nullptr : entry;
}

NameCache::Meaning const* NameCache::find(u32 directory, std::string_view name)
{
    auto* const entry = entry_of(directory, name);
    if (!entry)
        return nullptr;
    entry->last_use = ++uses_;
    return &entry->meaning;
}

void NameCache::put(u32 directory, std::string_view name, Meaning meaning)
{
    if (name.size() > name_bytes_max)
        return;
    auto* entry = entry_of(directory, name);
    while (!entry) {
        if (entries_.empty())
            entries_.resize(std::min(entries_first, entries_max_));
        auto* const set = set_of(directory, name);
        entry = std::min_element(set, set + ways,
            [](Entry const& left, Entry const& right) { return left.last_use < right.last_use; });
        if (entry->directory != 0 && entries_.size() < entries_max_) {
            grow();
            entry = nullptr;
        }
    }
    *entry = Entry { directory, ++uses_, std::string(name), meaning };
}

// The names of a set are spread over two: none of them is without a place.
void NameCache::grow()
{
    auto before = std::exchange(entries_, std::vector<Entry>(2 * entries_.size()));
    for (auto& each : before) {
        if (each.directory == 0)
            continue;
        auto* const set = set_of(each.directory, each.name);
        *std::find_if(set, set + ways, [](Entry const& other) { return other.directory == 0; })
            = std::move(each);
    }
}

void NameCache::forget(u32 directory, std::string_view name)
{
    if (auto* const entry = entry_of(directory, name))
        *entry = Entry {};
}

} // namespace gemel::ext4
