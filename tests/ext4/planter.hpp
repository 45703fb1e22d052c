// Plants single faults of known kinds in an image, with the checksums around them made to fit, so
// that what is wrong is the thing itself.
#pragma once

#include "servers/ext4/superblock.hpp"
#include "tests/ext4/log_writer.hpp"

namespace gemel::ext4::test {

class Planter {
public:
    explicit Planter(std::vector<u8> const& image);

    // The kinds of faults, by name.
    static std::span<std::string_view const> kinds();

    // A copy of the image with one fault of that kind, in a random place.
    std::vector<u8> plant(std::string_view kind, std::mt19937_64& random);
    // What the last one was.
    std::string const& description() const { return description_; }

private:
    struct Victim {
        u32 number;
        u64 offset; // of the inode
        u16 mode;
        std::vector<u64> blocks; // of its contents
    };

    std::span<u8> at(u64 offset, usize count) { return std::span(image_).subspan(offset, count); }
    u64 group_offset(u32 group) const;
    void seal_group(u32 group);
    void seal_super();
    void seal_inode(Victim const& victim);
    void seal_bitmap(u32 group);
    void seal_directory(Victim const& victim, u64 block);
    Victim const& any(std::mt19937_64& random, u16 kind);
    void change16(u64 offset, std::mt19937_64& random, std::string const& what);
    void change_group(std::string_view kind, std::mt19937_64& random);
    void change_bitmap(std::string_view kind, std::mt19937_64& random);
    void change_inode(std::string_view kind, std::mt19937_64& random);
    void change_entry(std::string_view kind, std::mt19937_64& random);

    std::vector<u8> clean_;
    std::vector<u8> image_;
    Superblock super_;
    std::vector<Victim> victims_;
    std::string description_;
};

} // namespace gemel::ext4::test
