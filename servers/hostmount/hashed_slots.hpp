// Many small things in few bytes: slots that stay where they are and are named by their index, and
// a hash table over those of them that are to be found.
#pragma once

#include "core/base/types.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace gemel::hostmount {

// `Item` is default-constructible, has a `u32 chained` of `none` for the table's use, and
// `u64 hash() const`, which does not change while the item is linked.
template <typename Item>
class HashedSlots {
public:
    static constexpr u32 none = ~u32 { 0 };
    static constexpr usize item_bytes
        = sizeof(Item) + 2 * sizeof(u32); // with its place in the table

    // A slot with an item as new; one that was erased is used again.
    u32 add()
    {
        auto slot = free_;
        if (slot != none) {
            free_ = (*this)[slot].chained;
            (*this)[slot].chained = none;
        } else {
            if (used_ % piece_items == 0)
                pieces_.push_back(std::make_unique<Piece>());
            slot = used_++;
        }
        ++count_;
        return slot;
    }
    // One that is not linked.
    void erase(u32 slot)
    {
        (*this)[slot].chained = free_;
        free_ = slot;
        --count_;
    }
    Item& operator[](u32 slot) { return (*pieces_[slot / piece_items])[slot % piece_items]; }
    Item const& operator[](u32 slot) const
    {
        return (*pieces_[slot / piece_items])[slot % piece_items];
    }
    // Whether there ever was such a slot.
    bool has(u32 slot) const { return slot < used_; }
    usize count() const { return count_; }

    // `find` finds it from now on, until it is unlinked.
    void link(u32 slot)
    {
        if (linked_ == heads_.size())
            spread(std::max<usize>(16, 2 * heads_.size()));
        auto& head = head_of((*this)[slot].hash());
        (*this)[slot].chained = head;
        head = slot;
        ++linked_;
    }
    void unlink(u32 slot)
    {
        auto* at = &head_of((*this)[slot].hash());
        while (*at != slot)
            at = &(*this)[*at].chained;
        *at = (*this)[slot].chained;
        (*this)[slot].chained = none;
        --linked_;
    }
    // The linked item of this hash for which `matches` says yes, or none.
    template <typename Matches>
    u32 find(u64 hash, Matches const& matches) const
    {
        if (heads_.empty())
            return none;
        auto slot = heads_[hash & (heads_.size() - 1)];
        while (slot != none && !matches((*this)[slot]))
            slot = (*this)[slot].chained;
        return slot;
    }

private:
    static constexpr usize piece_items = 128;
    using Piece = std::array<Item, piece_items>;

    u32& head_of(u64 hash) { return heads_[hash & (heads_.size() - 1)]; }
    void spread(usize heads)
    {
        std::vector<u32> const before(std::exchange(heads_, std::vector<u32>(heads, none)));
        for (auto slot : before) {
            while (slot != none) {
                auto const next = (*this)[slot].chained;
                auto& head = head_of((*this)[slot].hash());
                (*this)[slot].chained = head;
                head = slot;
                slot = next;
            }
        }
    }

    std::vector<std::unique_ptr<Piece>> pieces_;
    std::vector<u32> heads_; // a power of two of them
    u32 used_ = 0; // slots that were ever given out
    u32 free_ = none; // chained
    usize count_ = 0;
    usize linked_ = 0;
};

} // namespace gemel::hostmount
