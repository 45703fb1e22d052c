// The file system itself as the subject: random operations on a mounted volume, each way to make
// them durable, and the history of what was done and promised.
#pragma once

#include "tests/ext4/crash/campaign.hpp"
#include "tests/ext4/crash/history.hpp"
#include "tests/ext4/host.hpp"

namespace gemel::ext4::test {

enum class Operation : u8 {
    create,
    append,
    overwrite,
    cut,
    extend,
    rename,
    rename_over,
    link,
    unlink,
    make_directory,
    remove_directory,
    symlink,
    long_symlink,
    set_permissions,
    punch,
    preallocate,
    set_extended,
    remove_extended,
    set_access_list,
    zero,
    exchange,
    unlink_open,
    close,
};
inline constexpr u32 operations = 23;
char const* name_of(Operation operation);

// What is asked to make it durable. All that was done before it is, whatever the request is about;
// after fdatasync the times of files alone may be older ones.
enum class SyncWay : u8 { volume, file, contents, directory };
inline constexpr u32 sync_ways = 4;
char const* name_of(SyncWay way);

// What a file system might get wrong there. The campaign must find each.
enum class Defect : u8 {
    none,
    file_sync_is_not_flushed,
    file_sync_flushes_once, // the commit block may be there before what it commits
    file_sync_leaves_times,
    contents_sync_leaves_size,
    directory_sync_is_of_contents, // of the device's, not of names
    replacement_comes_first, // the new name is there before the bytes
};

struct SubjectOptions {
    u64 seed = 1;
    usize append_bytes_max = 4000;
    Defect defect = Defect::none;
};

class VolumeSubject final : public Subject {
public:
    // Mounts the volume on `device` for writing; borrows it. A few files are there and synced.
    VolumeSubject(RecordingDevice& device, SubjectOptions options);

    // One operation on random names. False: there was nothing to do it on.
    bool perform(Operation operation);
    // As programs replace a file: a new one is written, made durable or not, and gets the name.
    void replace(std::optional<SyncWay> way);
    // Makes all of it durable, and promises so.
    void sync(SyncWay way = SyncWay::volume);
    // Gives up all that is free, which makes everything durable as well.
    void trim();
    void unmount();
    std::optional<std::string> verify(BlockReader& recovered, u32 promised) override;
    usize steps() const { return history_.steps(); }

private:
    u32 number(std::string const& path);
    NameOf place(std::string const& path);
    std::string pick(FileType type);
    std::string fresh_name();
    std::vector<u8> pattern(usize bytes);
    bool make(NewFile const& file, FileType type);
    bool change_file(Operation operation, std::string const& path);
    bool change_extended(Operation operation);
    bool change_name(Operation operation);
    bool move(std::string const& path, std::string const& target, RenameWay way);
    bool unlink_open();
    bool close_one();
    bool settle(Result<void> const& done, Tree tree);
    void make_room();
    void note_status(Tree& tree);
    Result<void> carry_out(SyncWay way);

    RecordingDevice& device_;
    CollectedErrors errors_;
    MountReport report_;
    i64 now_ns_ = 1'700'000'000'000'000'000;
    Result<Volume> volume_;
    std::mt19937_64 random_;
    History history_;
    SubjectOptions options_;
    std::vector<u32> open_; // inodes, most of them without a name
    u32 next_id_ = 1;
    u32 next_name_ = 0;
    u16 next_pattern_ = 1;
    std::string name_;
    std::string what_; // is being done
    std::string made_; // the last path
    bool is_full_ = false; // the last step found no room
};

} // namespace gemel::ext4::test
