#include "servers/ext4/waiting_blocks.hpp"

#include "core/base/assert.hpp"

#include <algorithm>

namespace gemel::ext4 {

u64 WaitingBlocks::blocks_of(u32 inode) const
{
    auto const found = files_.find(inode);
    return found == files_.end() ? 0 : found->second.blocks;
}

std::optional<u32> WaitingBlocks::first_inode() const
{
    for (auto const& [inode, file] : files_) {
        if (file.blocks > 0)
            return inode;
    }
    return std::nullopt;
}

// Blocks go into the tree in ascending order. At each of its levels a stretch meets one full node,
// which is split once; another split in the same place needs half a node of new entries. Each level
// may be a new one. See docs/decisions/0034.
u64 WaitingBlocks::map_blocks(u64 blocks, u64 stretches) const
{
    constexpr u64 levels = 6; // five of them below the root
    constexpr u64 head_bytes = 12;
    constexpr u64 entry_bytes = 12;
    auto const half_node = (block_bytes_ - head_bytes) / entry_bytes / 2 - 1;
    return blocks == 0 ? 0 : levels * (stretches + 1) + 2 * blocks / half_node;
}

u64 WaitingBlocks::promised() const
{
    auto const placed = files_.find(placing_);
    return promised_ - (placed == files_.end() ? 0 : promised_for(placed->second));
}

u64 WaitingBlocks::growth(u32 inode, u64 first, u64 count) const
{
    auto const found = files_.find(inode);
    if (found == files_.end())
        return count + map_blocks(count, 1);
    auto const& file = found->second;
    auto const blocks = file.blocks + count;
    auto const stretches = file.stretches + 1 - neighbours(file, first, first + count);
    auto const after = blocks + map_blocks(blocks, stretches);
    return after - std::min(after, promised_for(file));
}

WaitingBlocks::Runs::const_iterator WaitingBlocks::find(File const& file, u64 block) const
{
    auto next = file.runs.upper_bound(block);
    if (next != file.runs.begin() && end_of(*std::prev(next)) > block)
        --next;
    return next;
}

WaitingBlocks::Stretch WaitingBlocks::at(u32 inode, u64 block) const
{
    auto const found = files_.find(inode);
    if (found == files_.end())
        return { false, ~u64 { 0 } };
    auto const run = find(found->second, block);
    if (run == found->second.runs.end())
        return { false, ~u64 { 0 } };
    if (run->first > block)
        return { false, run->first - block };
    return { true, end_of(*run) - block };
}

WaitingBlocks::Range WaitingBlocks::first_of(u32 inode) const
{
    auto const found = files_.find(inode);
    if (found == files_.end() || found->second.runs.empty())
        return {};
    auto const& runs = found->second.runs;
    auto const first = runs.begin()->first;
    auto end = first;
    for (auto run = runs.begin(); run != runs.end() && run->first == end; ++run)
        end = end_of(*run);
    return { first, end - first };
}

std::span<u8 const> WaitingBlocks::bytes_at(u32 inode, u64 block) const
{
    auto const& file = files_.at(inode);
    auto const run = find(file, block);
    ASSERT(run != file.runs.end() && run->first <= block);
    return std::span(run->second).subspan((block - run->first) * block_bytes_);
}

void WaitingBlocks::read(u32 inode, u64 offset, std::span<u8> target) const
{
    while (!target.empty()) {
        auto const bytes = bytes_at(inode, offset / block_bytes_).subspan(offset % block_bytes_);
        auto const count = std::min(bytes.size(), target.size());
        std::copy_n(bytes.begin(), count, target.begin());
        target = target.subspan(count);
        offset += count;
    }
}

void WaitingBlocks::overwrite(u32 inode, u64 offset, std::span<u8 const> source)
{
    auto& file = files_.at(inode);
    while (!source.empty()) {
        auto const run = find(file, offset / block_bytes_);
        ASSERT(run != file.runs.end() && run->first <= offset / block_bytes_);
        auto& bytes = file.runs.find(run->first)->second;
        auto const start = offset - run->first * block_bytes_;
        auto const count = std::min<u64>(bytes.size() - start, source.size());
        std::copy_n(source.begin(), count, bytes.begin() + static_cast<std::ptrdiff_t>(start));
        source = source.subspan(count);
        offset += count;
    }
}

void WaitingBlocks::count_out(File const& file)
{
    blocks_ -= file.blocks;
    promised_ -= promised_for(file);
}

void WaitingBlocks::count_in(File const& file)
{
    blocks_ += file.blocks;
    promised_ += promised_for(file);
}

u64 WaitingBlocks::neighbours(File const& file, u64 first, u64 end) const
{
    auto const right = file.runs.lower_bound(end);
    bool const touches_right = right != file.runs.end() && right->first == end;
    auto const left = file.runs.lower_bound(first);
    bool const touches_left = left != file.runs.begin() && end_of(*std::prev(left)) == first;
    return u64 { touches_left } + u64 { touches_right };
}

WaitingBlocks::Undo& WaitingBlocks::remember(u32 inode, File const& file)
{
    undo_.push_back(Undo { .inode = inode, .size = file.size, .disk_size = file.disk_size });
    return undo_.back();
}

// What follows a run goes on in it until it is long enough. It has the memory to grow by as much.
WaitingBlocks::Runs::iterator WaitingBlocks::run_for(File& file, u64 block, u64 bytes)
{
    auto const next = file.runs.lower_bound(block);
    ASSERT(next == file.runs.end() || next->first > block);
    if (next != file.runs.begin()) {
        auto const before = std::prev(next);
        ASSERT(end_of(*before) <= block);
        auto const held = before->second.size();
        if (end_of(*before) == block && held < run_bytes_max) {
            before->second.reserve(std::min<u64>(std::max(held + bytes, 2 * held), run_bytes_max));
            return before;
        }
    }
    std::vector<u8> made;
    made.reserve(std::min<u64>(bytes, run_bytes_max));
    return file.runs.try_emplace(next, block, std::move(made));
}

void WaitingBlocks::add(u32 inode, u64 size, Range range, u64 skipped, std::span<u8 const> part)
{
    auto const end = range.blocks * block_bytes_;
    undo_.reserve(undo_.size() + end / run_bytes_max + 3); // none of them is in need of memory then
    auto const [place, is_new] = files_.try_emplace(inode);
    auto& file = place->second;
    if (is_new)
        file.size = file.disk_size = size;
    remember(inode, file);
    for (u64 at = 0; at < end;) { // bytes of the range
        auto const block = range.first + at / block_bytes_;
        auto const run = run_for(file, block, end - at);
        auto& bytes = run->second;
        auto const before = bytes.size();
        auto const count = std::min<u64>(end - at, run_bytes_max - before);
        auto const touching = neighbours(file, block, block + count / block_bytes_);
        remember(inode, file).added = { block, count / block_bytes_ };
        bytes.resize(before + count);
        count_out(file);
        file.stretches += 1 - touching;
        file.blocks += count / block_bytes_;
        file.noted = false;
        count_in(file);
        auto const from = std::max(at, skipped);
        auto const to = std::min(at + count, skipped + part.size());
        if (from < to) {
            std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(from - skipped), to - from,
                bytes.begin() + static_cast<std::ptrdiff_t>(before + from - at));
        }
        at += count;
    }
}

void WaitingBlocks::split(File& file, u64 block)
{
    auto const found = find(file, block);
    if (found == file.runs.end() || found->first >= block)
        return;
    auto& bytes = file.runs.find(found->first)->second;
    auto const kept = (block - found->first) * block_bytes_;
    file.runs.try_emplace(block, bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end());
    bytes.resize(kept);
}

void WaitingBlocks::drop(u32 inode, u64 first, u64 end)
{
    auto const found = files_.find(inode);
    if (found == files_.end())
        return;
    auto& file = found->second;
    split(file, first);
    split(file, end);
    for (auto run = file.runs.lower_bound(first); run != file.runs.end() && run->first < end;) {
        auto const run_end = end_of(*run);
        auto const next = std::next(run);
        auto& undo = remember(inode, file);
        count_out(file);
        file.blocks -= run_end - run->first;
        file.stretches += neighbours(file, run->first, run_end);
        file.stretches -= 1;
        file.noted = false;
        undo.dropped = file.runs.extract(run);
        count_in(file);
        run = next;
    }
}

u64 WaitingBlocks::note_inode(u32 inode, u64 size)
{
    auto const found = files_.find(inode);
    if (found == files_.end())
        return size;
    auto& file = found->second;
    if (!file.noted || file.size != size) {
        remember(inode, file);
        file.noted = true;
        file.size = size;
    }
    if (file.runs.empty())
        file.disk_size = size;
    else
        file.disk_size
            = std::min(size, std::max(file.disk_size, file.runs.begin()->first * block_bytes_));
    return file.disk_size;
}

std::optional<u64> WaitingBlocks::size_of(u32 inode) const
{
    auto const found = files_.find(inode);
    return found == files_.end() ? std::nullopt : std::optional(found->second.size);
}

void WaitingBlocks::keep()
{
    for (auto const& undo : undo_) {
        auto const found = files_.find(undo.inode);
        if (found == files_.end())
            continue;
        ASSERT(found->second.noted);
        if (found->second.runs.empty())
            files_.erase(found);
    }
    undo_.clear();
}

void WaitingBlocks::take_back(Undo& undo)
{
    auto& file = files_.at(undo.inode);
    file.size = undo.size;
    file.disk_size = undo.disk_size;
    file.noted = true;
    count_out(file);
    if (undo.dropped) {
        auto const first = undo.dropped.key();
        auto const blocks = blocks_in(undo.dropped.mapped());
        file.stretches += 1;
        file.stretches -= neighbours(file, first, first + blocks);
        file.blocks += blocks;
        file.runs.insert(std::move(undo.dropped));
    } else if (undo.added.blocks > 0) {
        // They may lie in several runs by now, of which the first had others before.
        auto const [first, blocks] = undo.added;
        auto run = file.runs.upper_bound(first);
        --run;
        run->second.resize((first - run->first) * block_bytes_);
        run = run->second.empty() ? file.runs.erase(run) : std::next(run);
        while (run != file.runs.end() && run->first < first + blocks)
            run = file.runs.erase(run);
        file.blocks -= blocks;
        file.stretches += neighbours(file, first, first + blocks);
        file.stretches -= 1;
    }
    count_in(file);
}

void WaitingBlocks::roll_back()
{
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo)
        take_back(*undo);
    for (auto const& undo : undo_) {
        auto const found = files_.find(undo.inode);
        if (found != files_.end() && found->second.runs.empty())
            files_.erase(found);
    }
    undo_.clear();
}

} // namespace gemel::ext4
