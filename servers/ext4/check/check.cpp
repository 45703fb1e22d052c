#include "servers/ext4/check/check.hpp"

#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/recovery.hpp"
#include "servers/ext4/replay_overlay.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

// What the check does not know how to count.
constexpr u32 uncheckable = static_cast<u32>(ReadOnlyCompatible::bigalloc) | 0x80 /* snapshot */
    | 0x100 /* quota */ | 0x800 /* replica */ | 0x4000 /* shared_blocks */ | 0x8000 /* verity */;

Result<CheckSummary> check_replayed(
    BlockReader& device, ErrorSink& problems, MountReport& report, Superblock super)
{
    if ((super.read_only_compatible & uncheckable) != 0) {
        report.refusal = sentence("cannot check volumes with ",
            feature_names(
                FeatureWord::read_only_compatible, super.read_only_compatible & uncheckable));
        return Error::unsupported;
    }
    check::VolumeCheck check(device, problems, std::move(super));
    check.super_bytes.resize(superblock_bytes);
    TRY(device.read(superblock_offset, check.super_bytes));
    TRY(check_groups(check));
    TRY(find_orphans(check));
    TRY(check_inodes(check));
    TRY(check_directories(check));
    check_connections(check);
    TRY(check_bitmaps(check));
    check.summary.inodes_used = static_cast<u32>(check.facts.size());
    check.summary.orphans = static_cast<u32>(check.orphans.size());
    check.summary.directories = static_cast<u32>(check.directories.size());
    return check.summary;
}

} // namespace

Result<CheckSummary> check_volume(BlockReader& device, ErrorSink& problems, MountReport& report)
{
    auto opening = TRY(open_volume(device, problems, report));
    if (!opening.needs_replay)
        return check_replayed(device, problems, report, std::move(opening.super));
    ReplayOverlay replayed(device, opening.super.block_bytes, std::move(opening.plan.copies));
    return check_replayed(replayed, problems, report, std::move(opening.super));
}

namespace check {

Facts* VolumeCheck::find(u32 number)
{
    auto const found = std::lower_bound(facts.begin(), facts.end(), number,
        [](Facts const& each, u32 wanted) { return each.number < wanted; });
    return found != facts.end() && found->number == number ? &*found : nullptr;
}

} // namespace check

} // namespace gemel::ext4
