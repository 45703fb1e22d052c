#include "servers/ext4/replay_overlay.hpp"

#include <algorithm>
#include <array>

namespace gemel::ext4 {

void unescape(ReplayPlan::Copy const& copy, u64 skipped, std::span<u8> piece)
{
    if (!copy.escaped)
        return;
    std::array<u8, 4> magic {};
    journal::store_be32(magic, 0, journal::magic);
    for (u64 each = skipped; each < magic.size() && each - skipped < piece.size(); ++each)
        piece[each - skipped] = magic[each];
}

Result<void> ReplayOverlay::read(u64 byte_offset, std::span<u8> target)
{
    auto copy = std::lower_bound(copies_.begin(), copies_.end(), byte_offset / block_bytes_,
        [](ReplayPlan::Copy const& each, u64 block) { return each.target < block; });
    while (!target.empty()) {
        // Up to the next copied block, or to the end of the one that begins before here.
        auto const start = copy == copies_.end() ? ~0ull : copy->target * block_bytes_;
        bool const inside = start <= byte_offset;
        auto const end = inside ? start + block_bytes_ : start;
        auto const piece = target.first(std::min<u64>(target.size(), end - byte_offset));
        if (inside)
            TRY(read_copy(*copy++, byte_offset - start, piece));
        else
            TRY(device_.read(byte_offset, piece));
        byte_offset += piece.size();
        target = target.subspan(piece.size());
    }
    return {};
}

Result<void> ReplayOverlay::read_contents(u64 byte_offset, std::span<u8> target, u64 ahead)
{
    auto const copy = std::lower_bound(copies_.begin(), copies_.end(), byte_offset / block_bytes_,
        [](ReplayPlan::Copy const& each, u64 block) { return each.target < block; });
    u64 const start = copy == copies_.end() ? ~0ull : copy->target * block_bytes_;
    if (start < byte_offset + target.size())
        return read(byte_offset, target);
    u64 const behind = start - (byte_offset + target.size());
    return device_.read_contents(byte_offset, target, std::min(ahead, behind));
}

Result<void> ReplayOverlay::read_copy(
    ReplayPlan::Copy const& copy, u64 skipped, std::span<u8> target)
{
    TRY(device_.read(copy.source * block_bytes_ + skipped, target));
    unescape(copy, skipped, target);
    return {};
}

} // namespace gemel::ext4
