// What debugfs says about an image: the judge of the reader.
#pragma once

#include "tests/ext4/host.hpp"

#include <map>

namespace gemel::ext4::test {

struct JudgedEntry {
    u32 inode;
    std::string name;

    auto operator<=>(JudgedEntry const&) const = default;
};

struct JudgedInode {
    u16 mode = 0;
    u32 generation = 0;
    u32 user = 0;
    u32 group = 0;
    u64 size_bytes = 0;
    u32 links = 0;
    u64 sectors = 0;
    // Seconds and the extra word (nanoseconds and epoch), as on disk: ctime, atime, mtime, crtime.
    std::map<std::string, std::pair<u32, u32>> times;
    std::vector<u64> extent_nodes;
};

class Debugfs {
public:
    explicit Debugfs(fs::path image)
        : image_(std::move(image))
    {
    }

    // Runs commands in one debugfs and returns what each one printed.
    std::vector<std::string> ask(std::vector<std::string> const& commands) const;
    // The same, allowed to write.
    void change(std::vector<std::string> const& commands) const;

    // The entries of several directories.
    std::map<u32, std::vector<JudgedEntry>> list(std::vector<u32> const& directories) const;
    std::map<u32, JudgedInode> stat(std::vector<u32> const& inodes) const;
    // The contents of regular files.
    std::map<u32, std::vector<u8>> dump(std::vector<u32> const& inodes) const;
    u32 inode_of(std::string const& path) const;
    // The file's device blocks: of its contents and of its map.
    std::vector<u64> blocks(u32 inode) const;
    // Where an inode lies in the image, in bytes.
    u64 inode_offset(u32 inode, u32 block_bytes) const;

private:
    fs::path image_;
};

} // namespace gemel::ext4::test
