// Random folders to make images of.
#pragma once

#include "tests/ext4/host.hpp"

namespace gemel::ext4::test {

// How large a tree is to be. Names, contents, sizes and shape are random.
struct TreeOptions {
    u32 files = 60;
    u32 folders_deep = 12;
    u32 entries_in_large_folder = 0;
    u32 fragments = 400; // of the sparse file: each one block of data and one hole
    u32 fragment_bytes = 1024;
};

// Fills the empty folder `root` with plain, empty, sparse and fragmented files, hard links, short
// and long symbolic links, deep folders and a folder "large" of many entries.
void fill_tree(fs::path const& root, TreeOptions const& options, u64 seed);

// Makes `image` with mkfs.ext4 from the folder; `options` are mkfs's own.
void make_image(fs::path const& image, fs::path const& root, std::string const& options,
    std::string const& size);

// Gives folders of more than one block their hash trees, which mkfs.ext4 does not make.
void index_directories(fs::path const& image);

} // namespace gemel::ext4::test
