// Which group a new inode goes to, after Grigory Orlov: directories at the top are spread over the
// volume, others stay near their parent while there is room and not too many came before, files lie
// with their directory. What is kept here are hints: all may be wrong without harm.
//
// The unit of choice is a flexible group (flex_bg), whose tables lie together; without them a
// group.
#pragma once

#include "core/base/result.hpp"
#include "core/base/types.hpp"

#include <optional>
#include <vector>

namespace gemel::ext4 {

class Disk;
struct Inode;

class Placement {
public:
    // A group that has a free inode. Error::no_space.
    Result<u32> group_for_directory(Disk& disk, Inode const& parent);
    Result<u32> group_for_file(Disk& disk, Inode const& parent);
    // A directory is gone.
    void note_removed_directory();

private:
    struct Unit {
        u64 free_blocks = 0;
        u64 free_inodes = 0;
        u64 directories = 0;
    };
    // What a unit must have to take a directory.
    struct Limits {
        u64 free_blocks = 0;
        u64 free_inodes = 0;
        u64 directories_max = 0;
        u32 debt_max = 0;
    };

    static Result<Unit> look_at(Disk& disk, u32 unit);
    // The first group of the unit with a free inode.
    static Result<std::optional<u32>> group_in(Disk& disk, u32 unit);
    Result<u64> directories(Disk& disk);
    Result<std::optional<u32>> spread(Disk& disk, u32 first, Limits const& average);
    Result<std::optional<u32>> nearest(Disk& disk, u32 first, Limits const& limits);
    Result<Limits> limits_near(Disk& disk, Limits const& average);

    // Directories of each unit that no files followed yet.
    std::vector<u8> debts_;
    std::optional<u64> directories_; // of the volume
};

} // namespace gemel::ext4
