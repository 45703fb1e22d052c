// What names were found to mean, and which were not there: bounded, the least recently used of a
// set gives way. Whoever changes a directory forgets the name first.
#pragma once

#include "servers/ext4/file_type.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::ext4 {

class NameCache {
public:
    static constexpr usize entries_max_default = 4096;
    static constexpr usize name_bytes_max = 62; // longer ones are looked up each time

    // At most so many names, a power of two of at least 4; all that are known are forgotten.
    void allow(usize entries_max);

    // What a search would give: an entry, or the word that there is none.
    using Meaning = std::optional<Found>;

    // Null: not known. Valid until the next put.
    Meaning const* find(u32 directory, std::string_view name);
    void put(u32 directory, std::string_view name, Meaning meaning);
    void forget(u32 directory, std::string_view name);
    // After changes that were taken back.
    void clear() { entries_.clear(); }

private:
    static constexpr usize ways = 4;
    static constexpr usize entries_first = 64;

    struct Entry {
        u32 directory = 0; // 0: the place is free
        u64 last_use = 0;
        std::string name;
        Meaning meaning;
    };
    Entry* set_of(u32 directory, std::string_view name);
    Entry* entry_of(u32 directory, std::string_view name);
    void grow();

    usize entries_max_ = entries_max_default;
    u64 uses_ = 0;
    std::vector<Entry> entries_; // as many as are needed: a volume is often mounted for a few names
};

} // namespace gemel::ext4
