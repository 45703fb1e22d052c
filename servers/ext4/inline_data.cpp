#include "servers/ext4/inline_data.hpp"

#include <algorithm>
#include <string_view>

namespace gemel::ext4 {

namespace {

constexpr u32 attributes_magic = 0xEA02'0000;
constexpr usize attribute_head_bytes = 16;
constexpr u8 name_index_system = 7;
constexpr std::string_view data_name = "data";

bool is_system_data(Bytes entry)
{
    auto const name = entry.subspan(attribute_head_bytes, load8(entry, 0));
    return load8(entry, 1) == name_index_system
        && std::equal(name.begin(), name.end(), data_name.begin(), data_name.end());
}

void copy_part(Bytes source, u64 offset, std::span<u8> target)
{
    std::fill(target.begin(), target.end(), u8 { 0 });
    if (offset >= source.size())
        return;
    auto const count = std::min<u64>(source.size() - offset, target.size());
    std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(offset), count, target.begin());
}

} // namespace

Result<std::vector<u8>> find_inline_rest(Disk& disk, Inode const& inode, Bytes attributes)
{
    auto const bad = [&](std::string_view what) {
        return disk.corrupt("inode ", inode.number, ": its inline extended attributes ", what);
    };
    if (attributes.size() < 8 || load32(attributes, 0) != attributes_magic)
        return std::vector<u8> {};
    auto const values = attributes.subspan(4);
    auto rest = values;
    while (rest.size() >= 4 && load32(rest, 0) != 0) {
        auto const entry_bytes = align_up<usize>(attribute_head_bytes + load8(rest, 0), 4);
        if (entry_bytes > rest.size())
            return bad("run past the inode's end");
        if (is_system_data(rest)) {
            auto const offset = load16(rest, 2);
            auto const size = load32(rest, 8);
            if (load32(rest, 4) != 0 || offset > values.size() || size > values.size() - offset)
                return bad("put system.data outside the inode");
            auto const value = values.subspan(offset, size);
            return std::vector<u8>(value.begin(), value.end());
        }
        rest = rest.subspan(entry_bytes);
    }
    return std::vector<u8> {};
}

void read_inline(Inode const& inode, u64 offset, std::span<u8> target)
{
    auto const in_map
        = offset < inode_map_bytes ? std::min<u64>(inode_map_bytes - offset, target.size()) : 0;
    copy_part(inode.map, offset, target.first(in_map));
    copy_part(inode.inline_rest, offset + in_map - inode_map_bytes, target.subspan(in_map));
}

} // namespace gemel::ext4
