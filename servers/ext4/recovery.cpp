// The order of writes is what makes it safe: copies, flush, the volume's superblock if the journal
// says that there was an error, flush, the journal's superblock (nothing to replay any more),
// flush, the volume's superblock (needs_recovery taken away), flush. Until the journal says that it
// is empty a new start finds the whole log and does the same again; it never changes.
//
// Errors were written into the superblock past the journal: the log's copy of it, which is older,
// must not take them away.
#include "servers/ext4/recovery.hpp"

#include "core/base/site.hpp"
#include "servers/ext4/replay_overlay.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr usize incompatible_offset = 0x60;
constexpr usize state_offset = 0x3A;
constexpr u8 state_errors = 0x2;
// Copies that follow each other are written by one call.
constexpr u64 run_bytes_max = 1 << 20;

struct Failing {
    MountReport& report;

    // Adds where it happened to a device's error.
    template <typename... Parts>
    Result<void> at(Result<void> done, Parts const&... parts) const
    {
        if (!done) {
            report.refusal = sentence(
                "journal recovery was interrupted: cannot ", parts..., ": ", name_of(done.error()));
        }
        return done;
    }
};

Result<SuperblockBytes> superblock_on(BlockDevice& device, Failing failing)
{
    SuperblockBytes bytes {};
    TRY(failing.at(device.read(superblock_offset, bytes), "read the superblock"));
    return bytes;
}

bool has_errors(Bytes super)
{
    return (super[state_offset] & state_errors) != 0;
}

// Being cut in two while it is written does no harm to a superblock that the log has.
void keep_errors(std::span<u8> super, Bytes before)
{
    if (!has_errors(before))
        return;
    super[state_offset] |= state_errors;
    for (usize at = error_state::count; at < error_state::end; ++at)
        super[at] = before[at];
    super[error_state::first_code] = before[error_state::first_code];
    super[error_state::last_code] = before[error_state::last_code];
    seal_superblock_behind(super);
}

Result<void> copy_blocks(
    BlockDevice& device, u32 block_bytes, ReplayPlan const& plan, Failing failing)
{
    auto const super = TRY(superblock_on(device, failing));
    std::vector<u8> run;
    auto const& copies = plan.copies;
    LongWork work(failing.report.listener, "replaying the journal", copies.size());
    if (!copies.empty())
        SOMETIMES("ext4.journal_replayed");
    for (usize index = 0; index < copies.size();) {
        work.at(index);
        auto const first = copies[index].target;
        run.clear();
        while (index < copies.size() && copies[index].target == first + run.size() / block_bytes
            && run.size() < run_bytes_max) {
            auto const& copy = copies[index++];
            run.resize(run.size() + block_bytes);
            auto const target = std::span(run).last(block_bytes);
            TRY(failing.at(device.read(copy.source * block_bytes, target), "read journal block ",
                copy.journal_block));
            unescape(copy, 0, target);
            if (copy.target == superblock_offset / block_bytes)
                keep_errors(
                    target.subspan(superblock_offset % block_bytes, superblock_bytes), super);
        }
        TRY(failing.at(device.write(first * block_bytes, run), "write block ", first));
    }
    return failing.at(device.flush(), "flush");
}

Result<void> write_superblock(BlockDevice& device, SuperblockBytes& bytes, Failing failing)
{
    seal_superblock(bytes);
    TRY(failing.at(device.write(superblock_offset, bytes), "write the superblock"));
    return failing.at(device.flush(), "flush");
}

// An error that only the journal could take note of.
Result<void> take_over_error(BlockDevice& device, Journal const& journal, Failing failing)
{
    auto bytes = TRY(superblock_on(device, failing));
    if (journal.super().error == 0 || has_errors(bytes))
        return {};
    bytes[state_offset] |= state_errors;
    return write_superblock(device, bytes, failing);
}

// Says in the journal that there is nothing to replay.
Result<void> empty_journal(
    BlockDevice& device, Journal const& journal, ReplayPlan const& plan, Failing failing)
{
    if (journal.super().start == 0 && journal.super().error == 0)
        return {};
    auto const block = journal.place(0);
    auto const offset = block * journal.disk().super().block_bytes;
    std::array<u8, journal::super::bytes> bytes {};
    TRY(failing.at(device.read(offset, bytes), "read block ", block));
    journal::store_be32(bytes, journal::super::start, 0);
    journal::store_be32(bytes, journal::super::sequence, plan.next_sequence);
    journal::store_be32(bytes, journal::super::error, 0);
    if (journal.super().has_tails()) {
        journal::store_be32(bytes, journal::super::checksum, 0);
        journal::store_be32(bytes, journal::super::checksum, journal_super_checksum(bytes));
    }
    TRY(failing.at(device.write(offset, bytes), "write block ", block));
    return failing.at(device.flush(), "flush");
}

// Takes needs_recovery from the volume's superblock, as the replay left it.
Result<void> finish(BlockDevice& device, Failing failing)
{
    auto bytes = TRY(superblock_on(device, failing));
    auto const features = load32(bytes, incompatible_offset);
    store32(bytes, incompatible_offset, features & ~static_cast<u32>(Incompatible::needs_recovery));
    return write_superblock(device, bytes, failing);
}

// Whether both describe the same places.
bool same_shape(Superblock const& left, Superblock const& right)
{
    return left.block_bytes == right.block_bytes && left.blocks == right.blocks
        && left.inodes == right.inodes && left.inode_bytes == right.inode_bytes
        && left.blocks_per_group == right.blocks_per_group
        && left.descriptor_bytes == right.descriptor_bytes
        && left.journal_inode == right.journal_inode;
}

Result<Journal> open_journal(Disk& disk, MountReport& report)
{
    auto journal = Journal::open(disk, report);
    if (journal || journal.error() != Error::not_found)
        return journal;
    report.refusal = "corrupt: the volume needs its journal replayed and has none";
    return Error::corrupt;
}

} // namespace

Result<Opening> open_volume(BlockReader& device, ErrorSink& errors, MountReport& report)
{
    auto found = load_superblock(device, report);
    bool const torn = !found && found.error() == Error::corrupt;
    MountReport ignored;
    if (torn)
        found = load_superblock(device, ignored, SuperblockSum::ignored);
    if (!found || (torn && !found->has(Incompatible::needs_recovery)))
        return found ? Error::corrupt : found.error();
    if (!found->has(Incompatible::needs_recovery))
        return Opening { std::move(*found), false, {} };

    Disk disk(device, errors, *found);
    auto const journal = open_journal(disk, torn ? ignored : report);
    if (!journal)
        return journal.error();
    auto plan = TRY(plan_replay(*journal, torn ? ignored : report));
    ReplayOverlay replayed(device, found->block_bytes, plan.copies);
    // The superblock will be read again: what it has to say is said once.
    report.notes.clear();
    auto super = TRY(load_superblock(replayed, report));
    if (!same_shape(super, *found)) {
        report.refusal
            = "corrupt: the superblock and its copy in the journal contradict each other";
        return Error::corrupt;
    }
    return Opening { std::move(super), true, std::move(plan) };
}

Result<Recovery> recover(BlockDevice& device, ErrorSink& errors, MountReport& report)
{
    auto const opening = TRY(open_volume(device, errors, report));
    if (!opening.needs_replay)
        return Recovery {};
    Disk disk(device, errors, opening.super);
    auto const journal = TRY(open_journal(disk, report));
    auto const& plan = opening.plan;
    Failing const failing { report };
    TRY(copy_blocks(device, opening.super.block_bytes, plan, failing));
    TRY(take_over_error(device, journal, failing));
    TRY(empty_journal(device, journal, plan, failing));
    TRY(finish(device, failing));
    return Recovery { true, plan.transactions, plan.copies.size(), plan.revoked };
}

} // namespace gemel::ext4
