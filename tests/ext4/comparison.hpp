// Compares a whole mounted volume with the folder it was made of and with debugfs.
#pragma once

#include "tests/ext4/debugfs.hpp"

namespace gemel::ext4::test {

// Adds a GoogleTest failure for every difference in names, contents and link targets.
void expect_same_as_source(Volume& volume, fs::path const& source);

// The same for listings, contents and every attribute that debugfs shows.
void expect_same_as_debugfs(Volume& volume, fs::path const& image);

// All entries of a directory, "." and ".." included, `batch` of them by each cursor.
std::vector<JudgedEntry> list_all(Volume& volume, Inode const& directory, usize batch);

} // namespace gemel::ext4::test
