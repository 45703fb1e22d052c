#include "servers/ext4/transaction.hpp"

#include "core/base/assert.hpp"

namespace gemel::ext4 {

Transaction::Slot* Transaction::find(u64 block)
{
    if (auto* const slot = find_running(block))
        return slot;
    auto const found = committed_.find(block);
    return found == committed_.end() ? nullptr : &found->second;
}

Transaction::Slot* Transaction::find_running(u64 block)
{
    auto const found = running_.find(block);
    return found == running_.end() ? nullptr : &found->second;
}

void Transaction::begin()
{
    ASSERT(!operating_ && undo_.empty());
    operating_ = true;
    ++operation_;
}

void Transaction::keep()
{
    ASSERT(operating_);
    operating_ = false;
    undo_.clear();
}

// Backwards, so that a block's oldest copy is the one that stays.
void Transaction::roll_back()
{
    ASSERT(operating_);
    operating_ = false;
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
        if (undo->slot)
            running_[undo->block] = std::move(*undo->slot);
        else
            running_.erase(undo->block);
        if (undo->revoked)
            revoked_.insert(undo->block);
        else
            revoked_.erase(undo->block);
    }
    undo_.clear();
}

void Transaction::remember(u64 block)
{
    ASSERT(operating_);
    auto const found = running_.find(block);
    undo_.push_back(
        { block, found == running_.end() ? std::optional<Slot>() : std::optional(found->second),
            revoked_.contains(block) });
}

Transaction::Slot& Transaction::change(u64 block, BlockRef const& now, u64 verified_as)
{
    auto* const slot = find_running(block);
    if (slot && slot->operation == operation_) {
        slot->verified_as = verified_as;
        return *slot;
    }
    remember(block);
    auto const base = slot ? slot->base : now;
    auto& changed = running_[block];
    changed = Slot { std::make_shared<std::vector<u8>>(*now), verified_as, operation_, base };
    return changed;
}

Transaction::Slot& Transaction::create(u64 block, usize bytes, u64 verified_as)
{
    remember(block);
    revoked_.erase(block);
    auto& created = running_[block];
    created = Slot { std::make_shared<std::vector<u8>>(bytes), verified_as, operation_, {} };
    return created;
}

void Transaction::forget(u64 block)
{
    remember(block);
    running_.erase(block);
    revoked_.insert(block);
}

void Transaction::committed_running()
{
    ASSERT(!operating_);
    for (auto const block : revoked_)
        committed_.erase(block);
    for (auto& [block, slot] : running_)
        committed_[block] = std::move(slot);
    running_.clear();
    revoked_.clear();
    freed_blocks_ = false;
}

} // namespace gemel::ext4
