// The life of a volume that is written: mount, commit, failure, unmount (see volume_writer.hpp).
#include "servers/ext4/volume_writer.hpp"

#include "core/base/site.hpp"
#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/file_edit.hpp"
#include "servers/ext4/group_table.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr i64 ns_per_second = 1'000'000'000;
constexpr u16 state_clean = 0x1;
constexpr u16 state_errors = 0x2;
constexpr u32 block_bytes_max = 32'768; // larger ones have entries of another shape

// What a writer must know and this one does not; the reader may.
constexpr u32 writable_read_only_compatible = static_cast<u32>(ReadOnlyCompatible::sparse_super)
    | static_cast<u32>(ReadOnlyCompatible::large_file)
    | static_cast<u32>(ReadOnlyCompatible::huge_file)
    | static_cast<u32>(ReadOnlyCompatible::uninit_bg)
    | static_cast<u32>(ReadOnlyCompatible::dir_nlink)
    | static_cast<u32>(ReadOnlyCompatible::extra_isize)
    | static_cast<u32>(ReadOnlyCompatible::metadata_csum)
    | static_cast<u32>(ReadOnlyCompatible::project);

Error refuse(MountReport& report, std::string_view why)
{
    report.refusal = sentence("the volume can only be read: ", why);
    return Error::unsupported;
}

Result<void> check_writable(Superblock const& super, u16 state, MountReport& report)
{
    if (!super.has(Compatible::has_journal) && (state & (state_clean | state_errors)) == 0) {
        return refuse(
            report, "it was not unmounted cleanly and has no journal; run gemel fsck -y or e2fsck");
    }
    auto const others = super.read_only_compatible & ~writable_read_only_compatible
        & ~static_cast<u32>(ReadOnlyCompatible::orphan_present);
    if (others != 0)
        return refuse(report, feature_names(FeatureWord::read_only_compatible, others));
    if (super.block_bytes > block_bytes_max)
        return refuse(report, "its blocks have 64 KiB");
    if ((state & state_errors) != 0)
        return refuse(report, "it is marked as having errors; run e2fsck");
    return {};
}

// Where the superblock keeps what was wrong.
struct ErrorFields {
    usize seconds;
    usize inode;
    usize block;
    usize function;
    usize line;
};
constexpr ErrorFields first_error { 0x198, 0x19C, 0x1A0, 0x1A8, 0x1C8 };
constexpr ErrorFields last_error { 0x1CC, 0x1D0, 0x1D8, 0x1E0, 0x1D4 };

void store_error(std::span<u8> bytes, ErrorFields const& fields, Damage const& damage, i64 now_ns)
{
    constexpr usize function_bytes = 32;
    store32(bytes, fields.seconds, static_cast<u32>(now_ns / ns_per_second));
    store32(bytes, fields.inode, damage.inode);
    store32(bytes, fields.block, static_cast<u32>(damage.block));
    store32(bytes, fields.block + 4, static_cast<u32>(damage.block >> 32));
    store32(bytes, fields.line, 0);
    auto const function = bytes.subspan(fields.function, function_bytes);
    std::fill(function.begin(), function.end(), u8 { 0 });
    std::copy_n(
        damage.where.begin(), std::min(damage.where.size(), function_bytes - 1), function.begin());
}

// The codes lie in the superblock's second sector: they are written before the rest, by themselves,
// so that no power cut leaves a superblock whose checksum is wrong.
Result<void> write_error_codes(BlockDevice& device, u8 code)
{
    SuperblockBytes bytes {};
    TRY(device.read(superblock_offset, bytes));
    if (load32(bytes, first_error.seconds) == 0)
        store8(bytes, error_state::first_code, code);
    store8(bytes, error_state::last_code, code);
    seal_superblock_behind(bytes);
    TRY(device.write(superblock_offset, bytes));
    return device.flush();
}

// Writes the superblock past the journal: only while nothing of it waits there.
template <typename Edit>
Result<void> write_superblock(BlockDevice& device, Edit const& edit)
{
    SuperblockBytes bytes {};
    TRY(device.read(superblock_offset, bytes));
    edit(std::span<u8>(bytes));
    seal_superblock(bytes);
    TRY(device.write(superblock_offset, bytes));
    return device.flush();
}

} // namespace

Result<std::unique_ptr<VolumeWriter>> VolumeWriter::start(
    Disk& disk, BlockDevice& device, WriteOptions options, MountReport& report)
{
    auto const bytes = TRY(superblock_now(disk));
    TRY(check_writable(disk.super(), load16(bytes, 0x3A), report));
    std::optional<JournalWriter> journal;
    if (disk.super().has(Compatible::has_journal))
        journal = TRY(JournalWriter::open(disk, device, report));
    auto orphans = Orphans::open(disk);
    if (!orphans)
        return refuse(report, "its orphan file is damaged");
    auto writer = std::unique_ptr<VolumeWriter>(new VolumeWriter(
        disk, device, std::move(*orphans), std::move(journal), std::move(options)));
    TRY(writer->mark_in_use());
    disk.allow_writing(device);
    disk.waiting().allow(writer->options_.waiting_bytes_max);
    disk.names().allow(writer->options_.names_max);
    if (!writer->free_orphans())
        return refuse(report, "deleted files that wait to be freed (orphans) are damaged");
    return writer;
}

Result<void> VolumeWriter::mark_in_use()
{
    auto const seconds = static_cast<u32>(now() / ns_per_second);
    generation_ = seconds ^ static_cast<u32>(now());
    TRY(write_superblock(device_, [&](std::span<u8> bytes) {
        if (journal_) {
            store32(
                bytes, 0x60, load32(bytes, 0x60) | static_cast<u32>(Incompatible::needs_recovery));
        } else {
            store16(bytes, 0x3A, static_cast<u16>(load16(bytes, 0x3A) & ~state_clean));
        }
        store32(bytes, 0x2C, seconds);
        store16(bytes, 0x34, static_cast<u16>(load16(bytes, 0x34) + 1));
    }));
    disk_.drop_cached(superblock_offset / disk_.super().block_bytes);
    return {};
}

Result<void> VolumeWriter::mark_clean()
{
    auto const seconds = static_cast<u32>(now() / ns_per_second);
    return write_superblock(device_, [&](std::span<u8> bytes) {
        store32(bytes, 0x60, load32(bytes, 0x60) & ~static_cast<u32>(Incompatible::needs_recovery));
        store32(bytes, 0x30, seconds);
        store16(bytes, 0x3A, load16(bytes, 0x3A) | state_clean);
    });
}

Result<void> VolumeWriter::free_orphans()
{
    for (u32 steps = 0; steps < disk_.super().inodes; ++steps) {
        auto const number = TRY(orphans_.any());
        if (number == 0)
            return operate([&] { return orphans_.say_empty(); });
        SOMETIMES("ext4.orphan_found");
        auto const inode = TRY(read_inode(disk_, number, InodeUse::any));
        if (inode.links == 0)
            TRY(evict(number));
        else
            TRY(cut(number, inode.size_bytes, Listed::yes));
    }
    return disk_.corrupt("the orphans do not come to an end");
}

// A linear congruence over the whole of 32 bits; generations only have to differ.
u32 VolumeWriter::next_generation()
{
    generation_ = generation_ * 1'664'525 + 1'013'904'223;
    return generation_;
}

// Before an operation: the transaction has room for what it may change.
Result<void> VolumeWriter::make_room()
{
    heed_damage();
    if (failed_ || stopped_)
        return Error::read_only;
    if (disk_.transaction().blocks() >= transaction_blocks_max() / 2)
        return commit();
    if (!disk_.waiting().any() || disk_.waiting().room() > 0)
        return {};
    auto const placed = place_all();
    fail_after(placed);
    return placed;
}

usize VolumeWriter::transaction_blocks_max() const
{
    auto const blocks_max = options_.running_bytes_max / disk_.super().block_bytes;
    return journal_ ? std::min(blocks_max, journal_->blocks_max()) : blocks_max;
}

// What waits may need more than one transaction has room for. One that ends before all is placed
// is in order, too: see WaitingBlocks::note_inode.
Result<void> VolumeWriter::place_blocks_of(u32 number)
{
    struct Placing {
        WaitingBlocks& waiting;
        ~Placing() { waiting.set_placing(0); }
    } const placing { disk_.waiting() };
    disk_.waiting().set_placing(number);
    while (disk_.waiting().has(number)) {
        if (disk_.transaction().blocks() >= transaction_blocks_max() / 4 * 3)
            TRY(commit_changes());
        TRY(attempt([&]() -> Result<void> {
            auto inode = TRY(read_inode(disk_, number, InodeUse::any));
            TRY(place_some_waiting(disk_, inode));
            return write_inode(disk_, inode);
        }));
    }
    if (!open_counts_.contains(number))
        disk_.reservations().drop(number);
    return {};
}

Result<void> VolumeWriter::place_all()
{
    while (auto const number = disk_.waiting().first_inode())
        TRY(place_blocks_of(*number));
    return {};
}

Result<void> VolumeWriter::place(u32 number)
{
    if (!disk_.waiting().has(number))
        return {};
    TRY(make_room());
    auto const placed = place_blocks_of(number);
    fail_after(placed);
    return placed;
}

void VolumeWriter::fail_after(Result<void> const& placed)
{
    if (placed)
        return;
    if (placed.error() == Error::no_space)
        disk_.corrupt("blocks that were counted as free are not to be found");
    if (disk_.damage())
        fail(*disk_.damage());
    else
        fail_for("the device");
}

// What could not get its place is not what the rest waits for.
Result<void> VolumeWriter::commit()
{
    auto const placed = place_all();
    TRY(commit_changes());
    fail_after(placed);
    return placed;
}

Result<void> VolumeWriter::commit_changes()
{
    seal_changed_superblock(disk_);
    auto done = journal_ ? journal_->commit(now()) : commit_in_place();
    auto const bytes = disk_.transaction().committed().size() * disk_.super().block_bytes;
    if (journal_ && done && bytes > options_.committed_bytes_max)
        done = journal_->checkpoint();
    if (!done) {
        fail_for(journal_ ? "the journal" : "the device");
        return done.error();
    }
    disk_.note_flush();
    disk_.free_runs().forget_all(); // what was freed before may be given out now
    commit_due_ns_.reset();
    return {};
}

// Without a journal: file contents first, then what refers to them. A power cut among the latter
// leaves a volume that says it was in use, and that a repair must see.
Result<void> VolumeWriter::commit_in_place()
{
    TRY(device_.flush());
    disk_.transaction().committed_running();
    TRY(write_committed(disk_, device_));
    TRY(device_.flush());
    disk_.take_committed();
    return {};
}

Result<void> VolumeWriter::sync(Durable what)
{
    if (failed_)
        return Error::io;
    if (stopped_)
        return {};
    auto const& transaction = disk_.transaction();
    bool const has_changes
        = !transaction.empty() && (what == Durable::all || transaction.beyond_times());
    if (has_changes || disk_.waiting().any())
        return commit();
    auto const flushed = device_.flush(); // contents were written already
    if (!flushed) {
        fail_for("the device");
        return flushed;
    }
    disk_.note_flush();
    if (transaction.empty())
        commit_due_ns_.reset();
    return {};
}

std::optional<i64> VolumeWriter::due_ns() const
{
    if (disk_.damage() && !failed())
        return now();
    auto const sign = guard_ && !failed_ ? guard_->due_ns() : std::nullopt;
    if (!sign || !commit_due_ns_)
        return sign ? sign : commit_due_ns_;
    return std::min(*sign, *commit_due_ns_);
}

Result<void> VolumeWriter::attend()
{
    if (disk_.damage() && !failed()) {
        heed_damage();
        return Error::corrupt;
    }
    if (guard_ && !failed_ && !guard_->attend()) {
        fail_for("another host");
        return Error::busy;
    }
    if (commit_due_ns_ && *commit_due_ns_ <= now())
        return sync();
    return {};
}

Result<void> VolumeWriter::settle()
{
    if (stopped_)
        return {};
    TRY(sync());
    return journal_ ? journal_->checkpoint() : Result<void> {};
}

// Partial blocks at the range's ends stay. Nothing changes meanwhile.
Result<u64> VolumeWriter::trim(TrimRange range)
{
    heed_damage();
    if (failed_ || stopped_)
        return Error::read_only;
    TRY(settle());
    u64 const block_bytes = disk_.super().block_bytes;
    auto const end_byte = range.offset + std::min(range.bytes, ~u64 { 0 } - range.offset);
    auto const first = range.offset / block_bytes + (range.offset % block_bytes != 0);
    auto const end = std::min(end_byte / block_bytes, disk_.super().blocks);
    u64 bytes = 0;
    if (first >= end)
        return bytes;
    auto const done = each_free_run(disk_, { first, end - first },
        std::max<u64>(1, range.bytes_min / block_bytes + (range.bytes_min % block_bytes != 0)),
        [&](BlockRun run) -> Result<void> {
            TRY(device_.discard(run.start * block_bytes, run.count * block_bytes));
            bytes += run.count * block_bytes;
            return {};
        });
    heed_damage();
    if (!done)
        return done.error();
    return bytes;
}

// What the last commit has is safe; the error state goes where the next mount looks: into the
// journal, and into the superblock as it stands on the disk.
void VolumeWriter::fail(Damage const& damage, u8 code)
{
    if (failed_)
        return;
    failed_ = true;
    commit_due_ns_.reset();
    disk_.corrupt("the volume is read-only from now on, because of ", damage.where);
    if (journal_)
        static_cast<void>(journal_->record_error());
    auto const now_ns = now();
    static_cast<void>(write_error_codes(device_, code));
    static_cast<void>(write_superblock(device_, [&](std::span<u8> bytes) {
        store16(bytes, 0x3A, load16(bytes, 0x3A) | state_errors);
        store32(bytes, error_state::count, load32(bytes, error_state::count) + 1);
        if (load32(bytes, first_error.seconds) == 0)
            store_error(bytes, first_error, damage, now_ns);
        store_error(bytes, last_error, damage, now_ns);
    }));
}

// What was done before the damage was met is kept.
void VolumeWriter::heed_damage()
{
    if (failed_ || stopped_ || !disk_.damage())
        return;
    auto const damage = *disk_.damage();
    static_cast<void>(commit());
    fail(damage);
}

Result<void> VolumeWriter::unmount()
{
    if (stopped_)
        return {};
    auto const open = std::move(open_counts_);
    open_counts_.clear();
    for (auto const& [inode, count] : open)
        TRY(evict_if_unused(inode));
    TRY(settle());
    stopped_ = true;
    TRY(mark_clean());
    return guard_ ? guard_->release() : Result<void>();
}

void VolumeWriter::opened(u32 inode)
{
    ++open_counts_[inode];
}

Result<void> VolumeWriter::closed(u32 inode)
{
    auto const found = open_counts_.find(inode);
    if (found == open_counts_.end())
        return {};
    if (--found->second > 0)
        return {};
    open_counts_.erase(found);
    disk_.reservations().drop(inode);
    if (failed_ || stopped_)
        return {};
    return evict_if_unused(inode);
}

} // namespace gemel::ext4
