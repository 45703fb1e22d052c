#include "servers/ext4/access_list.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr u32 program_version = 2;
constexpr u32 disk_version = 1;
constexpr usize version_bytes = 4;
constexpr usize entry_bytes = 8;
constexpr usize short_entry_bytes = 4;
constexpr u32 no_id = ~0u;
constexpr u16 permission_bits = 07;

enum Tag : u16 { owner = 1, user = 2, owning_group = 4, group = 8, mask = 16, others = 32 };

bool is_named(u16 tag)
{
    return tag == user || tag == group;
}

} // namespace

// In the order of their tags; named ones by id, once each; a mask where there are named ones.
bool AccessList::is_sound() const
{
    usize single = 0;
    bool named = false;
    bool has_mask = false;
    for (usize index = 0; index < entries_.size(); ++index) {
        auto const& each = entries_[index];
        bool const known = each.tag == owner || each.tag == owning_group || each.tag == mask
            || each.tag == others || is_named(each.tag);
        if (!known || each.permissions > permission_bits)
            return false;
        named = named || is_named(each.tag);
        has_mask = has_mask || each.tag == mask;
        single += each.tag == owner || each.tag == owning_group || each.tag == others;
        if (index == 0)
            continue;
        auto const& before = entries_[index - 1];
        if (before.tag > each.tag || (before.tag == each.tag && !is_named(each.tag))
            || (before.tag == each.tag && before.id == each.id))
            return false;
    }
    return single == 3 && (has_mask || !named) && entries_.size() <= entries_max;
}

Result<AccessList> AccessList::from_program(Bytes bytes)
{
    AccessList list;
    if (bytes.size() < version_bytes || load32(bytes, 0) != program_version
        || (bytes.size() - version_bytes) % entry_bytes != 0
        || bytes.size() > version_bytes + entries_max * entry_bytes)
        return Error::invalid;
    for (auto rest = bytes.subspan(version_bytes); !rest.empty(); rest = rest.subspan(entry_bytes))
        list.entries_.push_back({ load16(rest, 0), load16(rest, 2), load32(rest, 4) });
    return list.is_sound() ? Result<AccessList>(std::move(list)) : Error::invalid;
}

Result<AccessList> AccessList::from_disk(Bytes bytes)
{
    AccessList list;
    if (bytes.size() < version_bytes || load32(bytes, 0) != disk_version)
        return Error::corrupt;
    for (auto rest = bytes.subspan(version_bytes); !rest.empty();) {
        if (rest.size() < short_entry_bytes)
            return Error::corrupt;
        auto const tag = load16(rest, 0);
        auto const size = is_named(tag) ? entry_bytes : short_entry_bytes;
        if (rest.size() < size)
            return Error::corrupt;
        list.entries_.push_back({ tag, load16(rest, 2), is_named(tag) ? load32(rest, 4) : no_id });
        rest = rest.subspan(size);
    }
    return list.is_sound() ? Result<AccessList>(std::move(list)) : Error::corrupt;
}

std::vector<u8> AccessList::for_program() const
{
    std::vector<u8> bytes(version_bytes + entries_.size() * entry_bytes);
    store32(bytes, 0, program_version);
    auto at = std::span(bytes).subspan(version_bytes);
    for (auto const& each : entries_) {
        store16(at, 0, each.tag);
        store16(at, 2, each.permissions);
        store32(at, 4, each.id);
        at = at.subspan(entry_bytes);
    }
    return bytes;
}

std::vector<u8> AccessList::for_disk() const
{
    std::vector<u8> bytes(version_bytes + entries_.size() * entry_bytes);
    store32(bytes, 0, disk_version);
    auto at = std::span(bytes).subspan(version_bytes);
    for (auto const& each : entries_) {
        store16(at, 0, each.tag);
        store16(at, 2, each.permissions);
        if (is_named(each.tag))
            store32(at, 4, each.id);
        at = at.subspan(is_named(each.tag) ? entry_bytes : short_entry_bytes);
    }
    bytes.resize(bytes.size() - at.size());
    return bytes;
}

template <typename Change>
void AccessList::change_classes(u16 mode, Change change)
{
    bool const has_mask = std::any_of(
        entries_.begin(), entries_.end(), [](Entry const& each) { return each.tag == mask; });
    for (auto& each : entries_) {
        if (each.tag == owner)
            change(each.permissions, static_cast<u16>(mode >> 6 & permission_bits));
        else if (each.tag == (has_mask ? mask : owning_group))
            change(each.permissions, static_cast<u16>(mode >> 3 & permission_bits));
        else if (each.tag == others)
            change(each.permissions, static_cast<u16>(mode & permission_bits));
    }
}

u16 AccessList::permissions() const
{
    auto copy = *this;
    u16 mode = 0;
    copy.change_classes(0, [&](u16 bits, u16) { mode = static_cast<u16>(mode << 3 | bits); });
    return mode;
}

void AccessList::set_permissions(u16 mode)
{
    change_classes(mode, [](u16& bits, u16 wanted) { bits = wanted; });
}

void AccessList::restrict_to(u16 mode)
{
    change_classes(mode, [](u16& bits, u16 most) { bits = bits & most; });
}

} // namespace gemel::ext4
