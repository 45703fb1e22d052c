// Changes of a mounted volume. Every call is one operation, or a few where a crash between them
// leaves a state that is in order: it is kept whole, or nothing of it. What was done is durable
// after `sync`.
//
// Inodes are named by number; directories by the number of their inode. A damaged structure met,
// or a device that cannot be written, makes the volume read-only: the request answers
// Error::corrupt or Error::io, all later changes Error::read_only.
#pragma once

#include "servers/ext4/change_clock.hpp"
#include "servers/ext4/directory.hpp"
#include "servers/ext4/extended.hpp"
#include "servers/ext4/inode_table.hpp"
#include "servers/ext4/journal_writer.hpp"
#include "servers/ext4/mount_guard.hpp"
#include "servers/ext4/orphans.hpp"

#include <functional>
#include <map>
#include <memory>

namespace gemel::ext4 {

inline constexpr u32 links_max = 65'000;
inline constexpr i64 commit_interval_ns = 5'000'000'000;

struct WriteOptions {
    std::function<i64()> now_ns; // since 1970
    // Returns when that much time has passed; without it no volume with mmp is written.
    std::function<void(i64)> wait_ns {};
    usize running_bytes_max = 1 << 20; // of metadata in one transaction
    usize waiting_bytes_max = 1 << 20; // of file contents that have no place yet
    usize committed_bytes_max = 1 << 20; // that waits for its places
    usize names_max = NameCache::entries_max_default; // that are remembered; a power of two
};

struct NewFile {
    u16 mode = 0; // type and permissions
    u32 user = 0;
    u32 group = 0;
    DeviceNumber device {};
    std::string_view link_text {};
};

struct NameOf {
    u32 directory;
    std::string_view name;
};

enum class Removal : u8 { file, directory };
enum class RenameWay : u8 { replace, no_replace, exchange };
// What a sync makes durable: all, or all but times of files that were written.
enum class Durable : u8 { all, contents };
enum class Allocation : u8 { grow, keep_size, punch, zero, zero_keep_size };

// Only what has a value changes.
struct AttributeChanges {
    std::optional<u16> permissions;
    std::optional<u32> user;
    std::optional<u32> group;
    std::optional<Timestamp> accessed;
    std::optional<Timestamp> modified;
    // An append-only file allows the second one.
    enum class Setting : u8 { chosen, both_times_to_now };
    Setting setting = Setting::chosen;
};

class VolumeWriter {
public:
    // Marks the volume as in use. Error::unsupported, with the reason in `report`, for what can
    // only be read.
    static Result<std::unique_ptr<VolumeWriter>> start(
        Disk& disk, BlockDevice& device, WriteOptions options, MountReport& report);
    VolumeWriter(VolumeWriter const&) = delete;
    VolumeWriter& operator=(VolumeWriter const&) = delete;

    // Error::exists, Error::no_space, Error::name_too_long, Error::too_many_links.
    Result<u32> create(NameOf place, NewFile const& file);
    Result<void> remove(NameOf place, Removal removal);
    Result<void> link(u32 inode, NameOf place);
    Result<void> rename(NameOf from, NameOf to, RenameWay way);
    // For a repair: a name for an inode that has none. Its own count of links stays as it is.
    Result<void> reconnect(u32 inode, NameOf const& place);

    // Short when space ends after some bytes.
    Result<usize> write(u32 inode, u64 offset, Bytes source);
    Result<void> resize(u32 inode, u64 size);
    Result<void> allocate(u32 inode, u64 offset, u64 bytes, Allocation allocation);
    Result<void> set_attributes(u32 inode, AttributeChanges const& changes);
    // Extended attributes: see extended.hpp.
    Result<void> set_extended(u32 inode, std::string_view name, Bytes value, AttributeMode mode);
    Result<void> remove_extended(u32 inode, std::string_view name);

    // An inode that is open outlives its last name.
    void opened(u32 inode);
    Result<void> closed(u32 inode);

    // What was done before is durable.
    Result<void> sync(Durable what = Durable::all);
    // The same, and all of it is in its own place on the device.
    Result<void> settle();
    // Tells the device which blocks between two places hold nothing: those of free runs of at least
    // `bytes_min`. Everything that was done is in its place and durable first, so that no power cut
    // brings back a file whose blocks were given up. Answers the bytes. Error::unsupported: the
    // device cannot be told.
    struct TrimRange {
        u64 offset = 0;
        u64 bytes = ~0ull;
        u64 bytes_min = 0;
    };
    Result<u64> trim(TrimRange range);
    // When something is due by itself: a commit, a sign of life for other hosts.
    std::optional<i64> due_ns() const;
    // Does what is due.
    Result<void> attend();
    // Leaves the volume clean. Files that are open without a name are freed.
    Result<void> unmount();
    bool failed() const { return failed_ || stopped_; }
    i64 now() const { return options_.now_ns(); }
    // What a change is marked with that is made now.
    Timestamp change_time() { return timestamp_of(change_clock_.time_ns(now())); }
    // To be told of each inode whose times are given out.
    void note_seen(Inode const& inode) { change_clock_.note_seen(inode); }
    // Borrows it: released when the volume is unmounted.
    void guard_with(MountGuard& guard) { guard_ = &guard; }

private:
    // As the superblock has them (s_first_error_errcode).
    static constexpr u8 error_code_io = 2;
    static constexpr u8 error_code_damage = 5;

    VolumeWriter(Disk& disk, BlockDevice& device, Orphans orphans,
        std::optional<JournalWriter> journal, WriteOptions options)
        : disk_(disk)
        , device_(device)
        , orphans_(std::move(orphans))
        , journal_(std::move(journal))
        , options_(std::move(options))
    {
    }

    template <typename Work>
    auto operate(Work work) -> decltype(work());
    // The same without room being made before, or space found after a commit.
    template <typename Work>
    auto attempt(Work work) -> decltype(work());
    Result<void> make_room();
    usize transaction_blocks_max() const;
    // All that was written has its place before.
    Result<void> commit();
    // The transaction as it stands.
    Result<void> commit_changes();
    // Blocks that wait get their places: all of them, or those of one file.
    Result<void> place_all();
    Result<void> place(u32 number);
    Result<void> place_blocks_of(u32 number);
    // What could not be done to blocks that wait ends all writing.
    void fail_after(Result<void> const& placed);
    Result<void> commit_in_place();
    // From now on only reads.
    void fail(Damage const& damage) { fail(damage, error_code_damage); }
    void fail_for(std::string_view device) { fail({ device }, error_code_io); }
    void fail(Damage const& damage, u8 code);
    // What a request for reading met makes the volume read-only as well.
    void heed_damage();
    Result<void> mark_in_use();
    Result<void> mark_clean();
    u32 next_generation();

    Result<Inode> directory(u32 number);
    Result<Inode> changeable_file(u32 number);
    Result<Inode> mapped_file(u32 number);
    Result<void> check_new_name(NameOf place, Inode const& directory);
    Result<Inode> make(Inode const& parent, NewFile const& file);
    Result<void> fill_symlink(Inode& inode, std::string_view text);
    Result<void> touch(Inode& inode);
    Result<void> touch_written(Inode& inode, Inode const& before);
    Result<void> count_up(Inode& directory);
    static void count_down(Inode& directory);
    // One name less; an inode without names goes to the orphans.
    Result<void> drop_link(Inode& inode);
    Result<void> evict(u32 number);
    Result<void> evict_if_unused(u32 number);
    Result<bool> lies_below(u32 directory, u32 ancestor);

    // What a rename is about: `target` is the second directory, unless both are one.
    struct Renaming {
        NameOf from;
        NameOf to;
        RenameWay way;
        Inode source;
        std::optional<Inode> target;
        Inode moved;
        std::optional<Inode> replaced;

        Inode& destination() { return target ? *target : source; }
        bool same_file() const { return replaced && replaced->number == moved.number; }
    };
    Result<Renaming> plan_rename(NameOf from, NameOf to, RenameWay way);
    Result<u32> carry_out(Renaming& plan);
    Result<void> exchange(Renaming& plan);
    Result<void> move_parent(Inode& moved, Inode& from, Inode& to);

    // Whether the inode is among the orphans before the first step.
    enum class Listed : u8 { no, yes };
    Result<void> cut(u32 number, u64 size, Listed listed = Listed::no);
    // What a power cut left: files without a name go, others lose blocks behind their
    // end.
    Result<void> free_orphans();
    Result<void> grow(u32 number, u64 size);
    Result<void> punch(u32 number, u64 offset, u64 end);

    Disk& disk_;
    BlockDevice& device_;
    Orphans orphans_;
    std::optional<JournalWriter> journal_; // none: blocks go straight to their places
    WriteOptions options_;
    MountGuard* guard_ = nullptr; // of volumes with mmp
    ChangeClock change_clock_;
    std::map<u32, u32> open_counts_;
    std::optional<i64> commit_due_ns_;
    u32 generation_ = 0;
    bool failed_ = false;
    bool stopped_ = false;
};

template <typename Work>
auto VolumeWriter::attempt(Work work) -> decltype(work())
{
    // Also when memory ends on the way, which throws.
    struct RollBack {
        Disk& disk;
        void now()
        {
            disk.transaction().roll_back();
            disk.waiting().roll_back();
            disk.names().clear();
            disk.free_runs().forget_all();
        }
        ~RollBack()
        {
            if (disk.transaction().in_operation())
                now();
        }
    };
    auto& transaction = disk_.transaction();
    transaction.begin();
    disk_.waiting().begin();
    RollBack guard { disk_ };
    auto done = work();
    if (!done) {
        guard.now();
        return done;
    }
    transaction.keep();
    disk_.waiting().keep();
    bool const waits = !transaction.empty() || disk_.contents_wait() || disk_.waiting().any();
    if (waits && !commit_due_ns_)
        commit_due_ns_ = now() + commit_interval_ns;
    return done;
}

// Runs work() -> Result<...> as one operation. Space that was freed, or promised to what waits and
// not needed, can be used after a commit, so that one is tried before space is said to be short.
template <typename Work>
auto VolumeWriter::operate(Work work) -> decltype(work())
{
    for (bool again = false;; again = true) {
        TRY(make_room());
        auto done = attempt(work);
        if (done)
            return done;
        bool const may_find = disk_.transaction().freed_blocks() > 0 || disk_.waiting().any();
        if (done.error() == Error::no_space && may_find && !again) {
            TRY(commit());
            continue;
        }
        if (done.error() == Error::corrupt)
            fail(*disk_.damage());
        return done;
    }
}

} // namespace gemel::ext4
