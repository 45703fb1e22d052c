// Every directory's entries: possible by themselves, and naming what exists (ext4 documentation,
// "Directory Entries").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/name_hash.hpp"

#include <algorithm>
#include <optional>

namespace gemel::ext4::check {

namespace {

constexpr usize head_bytes = 8;
constexpr usize entry_bytes_min = 12;
constexpr usize tail_bytes = 12;
constexpr u8 tail_type = 0xDE;

struct Entry {
    u32 inode;
    usize offset;
    usize bytes;
    u8 type;
    std::string_view name;
};

class DirectoryCheck {
public:
    DirectoryCheck(VolumeCheck& check, Directory const& directory)
        : check_(check)
        , directory_(directory)
    {
    }

    Result<void> run()
    {
        if (directory_.is_inline)
            return check_inline();
        TRY(load());
        auto const bytes = check_.super.block_bytes;
        if (bytes_.empty()) {
            check_.problem("inode ", directory_.number, ": a directory without blocks");
            return {};
        }
        find_hash();
        hashes_.resize(bytes_.size() / bytes);
        for (usize block = 0; block < hashes_.size(); ++block)
            check_block(block, Bytes(bytes_).subspan(block * bytes, bytes));
        check_duplicates();
        if (directory_.indexed)
            check_hash_tree(check_, directory_, bytes_, hashes_);
        return {};
    }

private:
    template <typename... Parts>
    void problem(usize block, Parts const&... parts)
    {
        check_.problem(
            "inode ", directory_.number, ": directory block ", place_of(block), " ", parts...);
    }

    u64 place_of(u64 block) const { return directory_.place_of(block); }
    // In bytes of the device.
    u64 place_of(usize block, usize offset) const
    {
        return check_.place_of_block(place_of(block)) + offset;
    }
    // A problem that one patch of the block puts right.
    template <typename... Parts>
    void repairable(Remedy remedy, usize block, Patch patch, Parts const&... parts)
    {
        check_.repairable(remedy, { std::move(patch) }, "inode ", directory_.number,
            ": directory block ", place_of(block), " ", parts...);
    }

    // All of it, in memory.
    Result<void> load()
    {
        auto const bytes = check_.super.block_bytes;
        u64 next = 0;
        for (auto const& piece : directory_.pieces) {
            if (piece.first != next || !piece.written) {
                check_.problem(
                    "inode ", directory_.number, ": a directory with a hole at block ", next);
                break;
            }
            auto const before = bytes_.size();
            bytes_.resize(before + piece.blocks * bytes);
            TRY(check_.read(piece.disk_block, std::span(bytes_).subspan(before)));
            next += piece.blocks;
        }
        return {};
    }

    void find_hash()
    {
        if (!directory_.indexed)
            return;
        method_ = hash_method(check_.super, load8(bytes_, 28));
        if (!method_)
            problem(0, "asks for an unknown hash");
    }

    bool is_index_node(Bytes block) const
    {
        return load32(block, 0) == 0 && load8(block, 6) == 0
            && entry_length(load16(block, 4)) == block.size();
    }

    usize entry_length(u16 stored) const
    {
        auto const bytes = check_.super.block_bytes;
        if (bytes < 65536)
            return stored;
        if (stored == 0xFFFF || stored == 0)
            return bytes;
        return (stored & 0xFFFCu) | (stored & 3u) << 16;
    }

    void check_tail(usize block, Bytes bytes)
    {
        auto const tail = bytes.last(tail_bytes);
        if (load32(tail, 0) != 0 || load16(tail, 4) != tail_bytes || load8(tail, 6) != 0
            || load8(tail, 7) != tail_type)
            problem(block, "has no checksum");
        else if (auto const sum = crc32c(directory_.seed, bytes.first(bytes.size() - tail_bytes));
                 load32(tail, 8) != sum)
            repairable(Remedy::checksum, block, patch32(place_of(block, bytes.size() - 4), sum),
                "has a wrong checksum");
    }

    void check_block(usize block, Bytes bytes)
    {
        bool const root = directory_.indexed && block == 0;
        bool const node = directory_.indexed && block != 0 && is_index_node(bytes);
        if (check_.sums() && !root && !node)
            check_tail(block, bytes);
        if (node)
            return;
        usize count = 0;
        for (usize offset = 0; offset < bytes.size();) {
            auto const entry = read_entry(block, bytes, offset);
            if (!entry)
                return;
            if (block == 0 && count < 2)
                check_dots(*entry, count);
            else if (entry->inode != 0)
                check_entry(block, *entry);
            ++count;
            offset += entry->bytes;
            // The two dots fill a hash tree's root as far as names go.
            if (root && count == 2)
                return;
        }
        if (block == 0 && count < 2)
            problem(block, "has no \"..\"");
    }

    std::optional<Entry> read_entry(usize block, Bytes bytes, usize offset)
    {
        auto const rest = bytes.size() - offset;
        if (rest < entry_bytes_min) {
            problem(block, "has an entry cut off at byte ", offset);
            return {};
        }
        auto const length = entry_length(load16(bytes, offset + 4));
        usize const name_bytes = load8(bytes, offset + 6);
        if (length < entry_bytes_min || length % 4 != 0 || length > rest
            || head_bytes + name_bytes > length) {
            problem(block, "has an entry of impossible length at byte ", offset);
            return {};
        }
        auto const name = bytes.subspan(offset + head_bytes, name_bytes);
        return Entry { load32(bytes, offset), offset, length, load8(bytes, offset + 7),
            { reinterpret_cast<char const*>(name.data()), name.size() } };
    }

    void check_dots(Entry const& entry, usize index)
    {
        auto const* const expected = index == 0 ? "." : "..";
        if (entry.name != expected || entry.inode == 0
            || (index == 0 && entry.inode != directory_.number)) {
            problem(0, "has '", entry.name, "' (inode ", entry.inode, ") in the place of '",
                expected, "'");
            return;
        }
        auto* const named = check_.find(entry.inode);
        auto* const self = check_.find(directory_.number);
        if (!named || !named->directory) {
            problem(0, "has a '", expected, "' that is no directory: inode ", entry.inode);
            return;
        }
        check_type(0, entry, *named);
        ++named->names;
        if (index == 1 && self) {
            self->dot_dot = entry.inode;
            self->dot_dot_place = place_of(0, entry.offset);
        }
    }

    // The chain that is read lies in a block, or in the inode.
    u64 type_place(usize block, Entry const& entry) const
    {
        auto const offset = chain_offset_ + entry.offset + 7;
        return directory_.is_inline ? check_.place_of_inode(directory_.number) + offset
                                    : place_of(block, offset);
    }

    void check_type(usize block, Entry const& entry, Facts const& named)
    {
        if (check_.super.has(Incompatible::filetype) && entry.type != named.type_code) {
            Patch patch { type_place(block, entry), { named.type_code } };
            repairable(Remedy::field, block, std::move(patch), "says that '", entry.name,
                "' (inode ", entry.inode, ") has the type ", entry.type, ", and not ",
                named.type_code);
        }
    }

    void check_entry(usize block, Entry const& entry)
    {
        constexpr std::string_view forbidden("/\0", 2);
        if (entry.name.empty() || entry.name == "." || entry.name == ".."
            || entry.name.find_first_of(forbidden) != std::string_view::npos) {
            problem(block, "has the impossible name '", entry.name, "' for inode ", entry.inode);
            return;
        }
        remember(block, entry.name);
        auto* const named = check_.find(entry.inode);
        auto const first_free
            = load32(check_.super_bytes, 0x4C) >= 1 ? load32(check_.super_bytes, 0x54) : 11;
        if (!named || named->orphan || entry.inode < first_free) {
            problem(block, "names inode ", entry.inode, " ('", entry.name,
                "'), which is not in use or cannot be named");
            return;
        }
        check_type(block, entry, *named);
        ++named->names;
        if (!named->directory)
            named->reached = true;
        else if (named->parent != 0)
            problem(block, "names the directory ", entry.inode, " a second time, as '", entry.name,
                "'");
        else
            named->parent = directory_.number;
    }

    void remember(usize block, std::string_view name)
    {
        names_.push_back(name);
        if (!method_)
            return;
        auto const hash = hash_name(*method_, name);
        auto& range = hashes_[block];
        range.lowest = range.any ? std::min(range.lowest, hash) : hash;
        range.highest = range.any ? std::max(range.highest, hash) : hash;
        range.any = true;
    }

    void check_duplicates()
    {
        std::sort(names_.begin(), names_.end());
        auto const twice = std::adjacent_find(names_.begin(), names_.end());
        if (twice != names_.end())
            check_.problem("inode ", directory_.number, ": a directory with two '", *twice, "'");
    }

    // The inode's own bytes hold the entries: the parent's number, then a chain; a second chain is
    // the attribute system.data.
    Result<void> check_inline()
    {
        Bytes const inode(directory_.inline_bytes);
        auto const map = inode.subspan(0x28, inode_map_bytes);
        hashes_.resize(1);
        auto* const self = check_.find(directory_.number);
        auto* const parent = check_.find(load32(map, 0));
        if (!parent || !parent->directory)
            check_.problem("inode ", directory_.number, ": its parent is no directory: inode ",
                load32(map, 0));
        else
            ++parent->names;
        if (self) {
            self->dot_dot = load32(map, 0);
            self->dot_dot_place = check_.place_of_inode(directory_.number) + 0x28;
            ++self->names;
        }
        check_chain(map.subspan(4), 0x28 + 4);
        auto const second = second_chain(inode);
        if (directory_.size != inode_map_bytes + second.size()) {
            auto const size = static_cast<u32>(inode_map_bytes + second.size());
            check_.repairable(Remedy::field,
                { patch32(check_.place_of_inode(directory_.number) + 4, size) }, "inode ",
                directory_.number, ": a directory of ", directory_.size, " bytes, kept in ", size);
        }
        if (!second.empty())
            check_chain(second, static_cast<usize>(second.data() - inode.data()));
        check_duplicates();
        return {};
    }

    Bytes second_chain(Bytes inode) const
    {
        constexpr usize entry_head_bytes = 16;
        auto const start = 128u + load16(inode, 128) + 4;
        if (start >= inode.size())
            return {};
        auto const values = inode.subspan(start);
        for (usize offset = 0; offset + entry_head_bytes + 4 <= values.size();) {
            auto const entry = values.subspan(offset);
            if (load32(entry, 0) == 0)
                break;
            auto const place = load16(entry, 2);
            auto const size = load32(entry, 8);
            if (load8(entry, 0) == 4 && load8(entry, 1) == 7 && place <= values.size()
                && size <= values.size() - place)
                return values.subspan(place, size);
            offset += align_up<usize>(entry_head_bytes + load8(entry, 0), 4);
        }
        return {};
    }

    void check_chain(Bytes bytes, usize place)
    {
        chain_offset_ = place;
        for (usize offset = 0; offset < bytes.size();) {
            auto const entry = read_entry(0, bytes, offset);
            if (!entry)
                return;
            if (entry->inode != 0)
                check_entry(0, *entry);
            offset += entry->bytes;
        }
    }

    VolumeCheck& check_;
    Directory const& directory_;
    std::vector<u8> bytes_;
    std::vector<std::string_view> names_; // into `bytes_`
    std::vector<BlockHashes> hashes_;
    std::optional<HashMethod> method_;
    usize chain_offset_ = 0; // in the inode, of an inline directory
};

} // namespace

Result<void> check_directories(VolumeCheck& check)
{
    for (auto const& directory : check.directories)
        TRY(DirectoryCheck(check, directory).run());
    return {};
}

} // namespace gemel::ext4::check
