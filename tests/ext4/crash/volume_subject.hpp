// The file system itself as the subject: random operations on a mounted volume, a model of what the
// tree was after each of them, and what a recovered volume may look like.
#pragma once

#include "servers/ext4/volume.hpp"
#include "tests/ext4/crash/campaign.hpp"
#include "tests/ext4/host.hpp"

#include <map>

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

class VolumeSubject final : public Subject {
public:
    // Mounts the volume on `device` for writing; borrows it. A few files are there and synced.
    VolumeSubject(RecordingDevice& device, u64 seed, usize append_bytes_max = 4000);

    // One operation on random names. False: there was nothing to do it on.
    bool perform(Operation operation);
    // Makes all of it durable, and promises so.
    void sync();
    // Gives up all that is free, which makes everything durable as well.
    void trim();
    void unmount();
    std::optional<std::string> verify(BlockReader& recovered, u32 promised) override;
    usize steps() const { return trees_.size() - 1; }

private:
    using Contents = std::shared_ptr<std::vector<u8> const>;
    struct Node {
        u32 id = 0; // equal for all names of one file
        FileType type = FileType::regular;
        Contents bytes {}; // of a file, or a link's text
        std::map<std::string, std::vector<u8>> extended {};
    };
    using Tree = std::map<std::string, Node>;

    u32 number(std::string const& path);
    NameOf place(std::string const& path);
    std::string pick(FileType type);
    std::string fresh_name();
    std::vector<u8> pattern(usize bytes);
    void set_contents(u32 id, std::vector<u8> bytes);
    bool make(NewFile const& file, FileType type);
    bool change_file(Operation operation);
    bool change_extended(Operation operation);
    bool change_name(Operation operation);
    bool unlink_open();
    bool close_one();
    bool settle(Result<void> const& done, Tree tree);
    void make_room();

    static Tree read_tree(Volume& volume);
    static void read_directory(
        Volume& volume, Inode const& directory, std::string const& path, Tree& tree);
    static bool same_names(Tree const& left, Tree const& right);
    bool may_hold(Tree const& expected, Tree const& found, u32 promised, std::string& why) const;
    bool sector_is_known(u32 id, usize offset, std::span<u8 const> bytes, u32 promised) const;

    RecordingDevice& device_;
    CollectedErrors errors_;
    MountReport report_;
    i64 now_ns_ = 1'700'000'000'000'000'000;
    Result<Volume> volume_;
    std::mt19937_64 random_;
    std::vector<Tree> trees_; // after each step
    usize append_bytes_max_;
    std::vector<u32> open_; // inodes, most of them without a name
    u32 next_id_ = 1;
    u32 next_name_ = 0;
    u8 next_pattern_ = 1;
    std::string name_;
    std::string what_; // is being done
    std::vector<std::string> names_; // of the steps
    bool is_full_ = false; // the last step found no room
};

} // namespace gemel::ext4::test
