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
    only_times_ = false;
    freed_before_ = freed_blocks_;
    ++operation_;
}

void Transaction::keep()
{
    ASSERT(operating_);
    operating_ = false;
    beyond_times_ |= !undo_.empty() && !only_times_;
    undo_.clear();
}

// Backwards, so that a block's oldest copy is the one that stays. Called when memory has ended,
// too.
void Transaction::roll_back()
{
    ASSERT(operating_);
    operating_ = false;
    freed_blocks_ = freed_before_;
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) {
        if (undo->slot) {
            running_.find(undo->block)->second = std::move(*undo->slot);
        } else {
            running_.erase(undo->block);
            if (undo->forgotten)
                running_.insert(std::move(undo->forgotten));
        }
        if (undo->revocation)
            revoked_.insert(std::move(undo->revocation));
        else if (!undo->was_revoked)
            revoked_.erase(undo->block);
    }
    undo_.clear();
}

Transaction::Undo& Transaction::remember(u64 block)
{
    ASSERT(operating_);
    return undo_.emplace_back(Undo { .block = block, .was_revoked = revoked_.contains(block) });
}

Transaction::Slot& Transaction::change(u64 block, BlockRef const& now, u64 verified_as)
{
    auto* const slot = find_running(block);
    if (slot && slot->operation == operation_) {
        slot->verified_as = verified_as;
        return *slot;
    }
    auto bytes = std::make_shared<std::vector<u8>>(*now);
    auto& undo = remember(block);
    if (slot)
        undo.slot = *slot;
    auto& changed = running_[block];
    changed
        = Slot { std::move(bytes), verified_as, operation_, slot ? undo.slot->base : BlockRef() };
    return changed;
}

Transaction::Slot& Transaction::create(u64 block, usize bytes, u64 verified_as)
{
    auto made = std::make_shared<std::vector<u8>>(bytes);
    auto& undo = remember(block);
    undo.forgotten = running_.extract(block);
    undo.revocation = revoked_.extract(block);
    auto& created = running_[block];
    created = Slot { std::move(made), verified_as, operation_, {} };
    return created;
}

void Transaction::forget(u64 block)
{
    auto& undo = remember(block);
    undo.forgotten = running_.extract(block);
    revoked_.insert(block); // memory may end here: what was taken out can be put back
}

void Transaction::committed_running()
{
    ASSERT(!operating_);
    for (auto const block : revoked_)
        committed_.erase(block);
    while (!running_.empty()) {
        auto node = running_.extract(running_.begin());
        node.mapped().base.reset();
        committed_.erase(node.key());
        committed_.insert(std::move(node));
    }
    revoked_.clear();
    freed_blocks_ = 0;
    beyond_times_ = false;
}

} // namespace gemel::ext4
