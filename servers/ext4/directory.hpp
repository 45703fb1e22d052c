// Directories: listing them in pieces, and finding one name.
#pragma once

#include "servers/ext4/inode.hpp"

#include <optional>
#include <string_view>

namespace gemel::ext4 {

inline constexpr usize name_bytes_max = 255;

struct ListedEntry {
    u32 inode;
    FileType type; // unknown when the volume does not keep types in directories
    std::string_view name; // valid until the cursor moves or ends
};

// Walks a directory from a cookie on, "." and ".." included. It keeps one block alive and borrows
// the volume's Disk.
class DirectoryCursor {
public:
    // `directory` is one; cookie 0 is its start. Any other number is safe: it goes on at the next
    // entry.
    DirectoryCursor(Disk& disk, Inode directory, u64 cookie);

    // The next entry; nothing at the end. After Error::corrupt the call may be repeated: the
    // damaged block is skipped.
    Result<std::optional<ListedEntry>> next();

    // Where a later cursor goes on, after the entry last returned. Volumes are not written, so a
    // cookie stays good.
    u64 cookie() const { return position_; }

private:
    Result<std::optional<ListedEntry>> next_inline();
    Result<std::optional<ListedEntry>> next_in_chain(Bytes chain, u64 chain_start);
    Result<BlockRef> load_block();

    Disk* disk_;
    Inode directory_;
    u64 position_;
    BlockRef held_;
    u64 held_start_ = 0;
    bool inline_checked_ = false;
    bool at_entry_ = false; // the position is no cookie any more: an entry or a chain starts there
};

// Finds `name` in `directory`, by its hash tree if there is one. Error::not_directory,
// Error::name_too_long over name_bytes_max, Error::not_found; Error::corrupt also when a damaged
// block may have held the name.
Result<Found> find_name(Disk& disk, Inode const& directory, std::string_view name);

} // namespace gemel::ext4
