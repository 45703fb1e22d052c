#include "servers/ext4/check/repair.hpp"

#include "servers/ext4/check/backup_superblock.hpp"
#include "servers/ext4/recovery.hpp"
#include "servers/ext4/volume.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

// Each round sees what the one before uncovered: a patch makes a checksum wrong, a name in
// lost+found changes what its directory counts.
constexpr int rounds_max = 16;
constexpr usize state_offset = 0x3A;
constexpr u16 state_clean = 0x1;
constexpr u16 state_errors = 0x2;

class SilentSink final : public ErrorSink {
public:
    void report(std::string_view) override { }
};

class Repairer {
public:
    Repairer(BlockDevice& device, MountReport& report, WriteOptions const& options)
        : device_(device)
        , report_(report)
        , options_(options)
    {
    }

    Result<Repair> run()
    {
        auto const restored = TRY(restore_superblock(device_, report_));
        auto const recovery = TRY(recover(device_, sink_, report_));
        repair_.changed = recovery.was_needed || restored;
        repair_.before = TRY(examine());
        repair_.after = repair_.before;
        for (int round = 0; round < rounds_max; ++round) {
            if (!TRY(improve()))
                break;
            repair_.changed = true;
            repair_.after = TRY(examine());
        }
        if (repair_.after.findings.empty())
            TRY(mark_clean());
        else if (repair_.changed)
            TRY(mark_damaged());
        if (restored) {
            report_.notes.push_back(sentence(
                "the superblock was damaged; its copy in block ", *restored, " took its place"));
        }
        return std::move(repair_);
    }

private:
    Result<Examination> examine() { return examine_volume(device_, report_, Totals::always); }

    bool found(Remedy remedy) const
    {
        auto const& findings = repair_.after.findings;
        return std::any_of(findings.begin(), findings.end(),
            [&](Finding const& each) { return each.remedy == remedy; });
    }

    // One round; false when there is nothing that it can do.
    Result<bool> improve()
    {
        if (found(Remedy::none))
            return false;
        if (found(Remedy::field)) {
            TRY(apply(Remedy::field, Remedy::field));
            return true;
        }
        if (found(Remedy::bitmap) || found(Remedy::count) || found(Remedy::checksum)) {
            TRY(apply(Remedy::bitmap, Remedy::checksum));
            return true;
        }
        if (found(Remedy::reconnect))
            return work_on_volume([&](Volume& volume) { return reconnect(volume); });
        if (repair_.after.summary.orphans == 0)
            return false;
        repair_.orphans += repair_.after.summary.orphans;
        return work_on_volume([](Volume&) { return Result<void> {}; });
    }

    Result<void> apply(Remedy first, Remedy last)
    {
        for (auto const& finding : repair_.after.findings) {
            if (finding.remedy < first || finding.remedy > last)
                continue;
            for (auto const& patch : finding.patches)
                TRY(device_.write(patch.offset, patch.bytes));
        }
        return edit_superblock([](std::span<u8>) {});
    }

    template <typename Edit>
    Result<void> edit_superblock(Edit const& edit)
    {
        SuperblockBytes bytes {};
        TRY(device_.read(superblock_offset, bytes));
        edit(std::span<u8>(bytes));
        seal_superblock(bytes);
        TRY(device_.write(superblock_offset, bytes));
        return device_.flush();
    }

    // Mounting frees the orphans; orphans that cannot be worked off are let go, and what was among
    // them is found as deleted in the next round.
    template <typename Work>
    Result<bool> work_on_volume(Work const& work)
    {
        TRY(edit_superblock([](std::span<u8> bytes) {
            auto const sound = (load16(bytes, state_offset) | state_clean) & ~u32 { state_errors };
            store16(bytes, state_offset, static_cast<u16>(sound));
        }));
        MountReport mounting;
        auto volume = Volume::mount_claimed(device_, sink_, mounting, options_);
        if (!volume)
            return volume.error();
        if (volume->writer()) {
            TRY(work(*volume));
            TRY(volume->writer()->unmount());
            return true;
        }
        report_.notes.insert(report_.notes.end(), mounting.notes.begin(), mounting.notes.end());
        if (repair_.after.summary.orphans == 0 || list_cleared_)
            return false;
        list_cleared_ = true;
        TRY(recover(device_, sink_, report_));
        TRY(edit_superblock([](std::span<u8> bytes) {
            constexpr auto present = static_cast<u32>(ReadOnlyCompatible::orphan_present);
            store32(bytes, 0xE8, 0);
            store32(bytes, 0x64, load32(bytes, 0x64) & ~present);
        }));
        return true;
    }

    Result<void> reconnect(Volume& volume)
    {
        auto const shelter = TRY(lost_and_found(volume));
        for (auto const& finding : repair_.after.findings) {
            if (finding.remedy != Remedy::reconnect || finding.inode == 0)
                continue;
            TRY(volume.writer()->reconnect(
                finding.inode, { shelter, "#" + std::to_string(finding.inode) }));
        }
        return {};
    }

    Result<u32> lost_and_found(Volume& volume)
    {
        constexpr std::string_view name = "lost+found";
        constexpr u16 mode = 0x4000 | 0700;
        auto const found = volume.lookup(TRY(volume.inode(root_inode)), name);
        if (found)
            return found->inode;
        return volume.writer()->create({ root_inode, name }, { .mode = mode });
    }

    Result<void> mark_clean()
    {
        SuperblockBytes bytes {};
        TRY(device_.read(superblock_offset, bytes));
        auto const state = load16(bytes, state_offset);
        if (!repair_.changed && (state & (state_clean | state_errors)) == state_clean)
            return {};
        repair_.changed = true;
        auto const seconds = static_cast<u32>(options_.now_ns() / 1'000'000'000);
        return edit_superblock([&](std::span<u8> super) {
            auto const sound = (load16(super, state_offset) | state_clean) & ~u32 { state_errors };
            store16(super, state_offset, static_cast<u16>(sound));
            store16(super, 0x34, 0); // mounts since the last check
            store32(super, 0x40, seconds); // when that was
        });
    }

    Result<void> mark_damaged()
    {
        return edit_superblock([](std::span<u8> bytes) {
            store16(bytes, state_offset,
                static_cast<u16>(
                    (load16(bytes, state_offset) | state_errors) & ~u32 { state_clean }));
        });
    }

    BlockDevice& device_;
    MountReport& report_;
    WriteOptions const& options_;
    SilentSink sink_;
    Repair repair_;
    bool list_cleared_ = false;
};

} // namespace

Result<Repair> repair_volume(BlockDevice& device, MountReport& report, WriteOptions const& options)
{
    auto const guard = TRY(MountGuard::claim(device, { options.now_ns, options.wait_ns }, report));
    if (!guard)
        return Repairer(device, report, options).run();
    auto repair = Repairer(*guard, report, options).run();
    TRY(guard->release());
    return repair;
}

} // namespace gemel::ext4
