// What each operation answers at each path.
#pragma once

#include "tests/posix/suite.hpp"

#include <span>

namespace gemel::posix {

enum class PathOperation : u8 {
    status,
    status_of_link,
    open_to_read,
    open_to_write,
    open_to_cut,
    open_to_create,
    open_exclusively,
    open_no_link,
    make_directory,
    remove_directory,
    remove_file,
    rename_away,
    rename_file_onto,
    rename_directory_onto,
    exchange,
    link_from,
    link_to,
    symlink,
    read_link,
    make_pipe,
    change_mode,
    change_owner,
    change_owner_of_link,
    change_times,
    resize,
    list,
    set_extended,
    get_extended,
    list_extended,
    remove_extended,
    volume,
};

inline constexpr usize path_count = 30;
inline constexpr std::string_view tried_paths[path_count] = {
    "", // of no bytes at all
    "missing",
    "missing/",
    "missing/x",
    "missing/..",
    "file",
    "file/",
    "file/x",
    "file/.",
    "file/..",
    "dir",
    "dir/",
    "dir/.",
    "dir/..",
    "empty/",
    "to_file",
    "to_file/",
    "to_file/x",
    "to_dir",
    "to_dir/",
    "to_dir/inner",
    "dangling",
    "dangling/",
    "dangling/x",
    "loop",
    "ring/x",
    "(255 bytes)",
    "(256 bytes)",
    "(256 bytes)/x",
    "(over 4095 bytes)",
};

struct PathRow {
    std::string_view name;
    PathOperation operation;
    bool changes; // success changes the scene
    Fault faults[path_count];
};
extern std::span<PathRow const> const path_table;

} // namespace gemel::posix
