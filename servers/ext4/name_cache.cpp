#include "servers/ext4/name_cache.hpp"

#include "core/base/assert.hpp"

#include <algorithm>
#include <bit>

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
    return entries_.data() + (hash ^ hash >> 32) % (entries_max_ / ways) * ways;
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
    if (entries_.empty())
        entries_.resize(entries_max_);
    auto* entry = entry_of(directory, name);
    if (!entry) {
        auto* const set = set_of(directory, name);
        entry = std::min_element(set, set + ways,
            [](Entry const& left, Entry const& right) { return left.last_use < right.last_use; });
    }
    *entry = Entry { directory, ++uses_, std::string(name), meaning };
}

void NameCache::forget(u32 directory, std::string_view name)
{
    if (auto* const entry = entry_of(directory, name))
        *entry = Entry {};
}

} // namespace gemel::ext4
