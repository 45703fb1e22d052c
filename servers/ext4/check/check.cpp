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

// What is met before the check itself begins is a problem too.
class FindingSink final : public ErrorSink {
public:
    explicit FindingSink(std::vector<Finding>& findings)
        : findings_(findings)
    {
    }
    void report(std::string_view sentence) override
    {
        findings_.push_back({ std::string(sentence) });
    }

private:
    std::vector<Finding>& findings_;
};

Result<CheckSummary> check_replayed(BlockReader& device, std::vector<Finding>& findings,
    MountReport& report, Superblock super, Totals totals)
{
    if ((super.read_only_compatible & uncheckable) != 0) {
        report.refusal = sentence("cannot check volumes with ",
            feature_names(
                FeatureWord::read_only_compatible, super.read_only_compatible & uncheckable));
        return Error::unsupported;
    }
    check::VolumeCheck check(device, findings, std::move(super));
    check.totals = totals;
    check.super_bytes.resize(superblock_bytes);
    TRY(device.read(superblock_offset, check.super_bytes));
    TRY(check_groups(check));
    TRY(find_orphans(check));
    TRY(check_inodes(check));
    check_values(check);
    TRY(check_directories(check));
    check_connections(check);
    TRY(check_bitmaps(check));
    check.summary.inodes_used = static_cast<u32>(check.facts.size());
    check.summary.directories = static_cast<u32>(check.directories.size());
    return check.summary;
}

} // namespace

std::string_view text_of(Remedy remedy)
{
    switch (remedy) {
    case Remedy::none:
        return "not repaired here: e2fsck may";
    case Remedy::field:
        return "repair: make it agree with what leads to it";
    case Remedy::bitmap:
        return "repair: mark what is in use";
    case Remedy::count:
        return "repair: write what was counted";
    case Remedy::checksum:
        return "repair: write the checksum that fits";
    case Remedy::reconnect:
        return "repair: give it a name in lost+found";
    }
    return {};
}

Patch patch16(u64 offset, u32 value)
{
    Patch patch { offset, std::vector<u8>(2) };
    store16(patch.bytes, 0, static_cast<u16>(value));
    return patch;
}

Patch patch32(u64 offset, u32 value)
{
    Patch patch { offset, std::vector<u8>(4) };
    store32(patch.bytes, 0, value);
    return patch;
}

Result<Examination> examine_volume(BlockReader& device, MountReport& report, Totals totals)
{
    Examination found;
    FindingSink sink(found.findings);
    auto opening = TRY(open_volume(device, sink, report));
    auto const before = found.findings.size();
    ReplayOverlay replayed(device, opening.super.block_bytes, std::move(opening.plan.copies));
    BlockReader& source = opening.needs_replay ? static_cast<BlockReader&>(replayed) : device;
    found.summary
        = TRY(check_replayed(source, found.findings, report, std::move(opening.super), totals));
    found.summary.problems += before;
    return found;
}

Result<CheckSummary> check_volume(BlockReader& device, ErrorSink& problems, MountReport& report)
{
    auto const found = TRY(examine_volume(device, report, Totals::when_clean));
    for (auto const& finding : found.findings)
        problems.report(finding.sentence);
    return found.summary;
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
