// Keys in index nodes are exact: the first block of the first entry below. e2fsck insists on it.
#include "servers/ext4/extent_edit.hpp"

#include "servers/ext4/block_allocator.hpp"

#include <algorithm>
#include <vector>

namespace gemel::ext4 {

using namespace extent_layout;

namespace {

constexpr u32 unwritten_blocks_max = written_blocks_max - 1;

struct Level {
    u64 block; // 0: the root, in the inode
    u16 depth;
    usize at; // the entry that the path goes through
};

using Path = std::vector<Level>; // root first

// A node's bytes, for changes.
class NodeWriter {
public:
    explicit NodeWriter(std::span<u8> bytes)
        : bytes_(bytes)
    {
    }
    ExtentNode view() const { return { bytes_ }; }
    usize entries() const { return view().entries(); }
    void start(usize capacity, u16 depth)
    {
        store16(bytes_, 0, node_magic);
        store16(bytes_, 2, 0);
        store16(bytes_, 4, static_cast<u16>(capacity));
        store16(bytes_, 6, depth);
        store32(bytes_, 8, 0);
    }
    void set_entries(usize count) { store16(bytes_, 2, static_cast<u16>(count)); }
    void open_gap(usize at)
    {
        auto const from = place(at);
        auto const bytes = (entries() - at) * entry_bytes;
        std::copy_backward(from, from + static_cast<std::ptrdiff_t>(bytes),
            from + static_cast<std::ptrdiff_t>(bytes + entry_bytes));
        set_entries(entries() + 1);
    }
    void close_gap(usize at)
    {
        auto const from = place(at + 1);
        std::copy(from, place(entries()), place(at));
        set_entries(entries() - 1);
    }
    void put(usize at, Extent const& extent)
    {
        auto const entry = bytes_.subspan(head_bytes + at * entry_bytes, entry_bytes);
        auto const length
            = extent.blocks + (extent.kind == Run::Kind::zeros ? written_blocks_max : 0);
        store32(entry, 0, static_cast<u32>(extent.first));
        store16(entry, 4, static_cast<u16>(length));
        store16(entry, 6, static_cast<u16>(extent.disk_block >> 32));
        store32(entry, 8, static_cast<u32>(extent.disk_block));
    }
    void put_child(usize at, u32 first, u64 block)
    {
        auto const entry = bytes_.subspan(head_bytes + at * entry_bytes, entry_bytes);
        store32(entry, 0, first);
        store32(entry, 4, static_cast<u32>(block));
        store16(entry, 8, static_cast<u16>(block >> 32));
        store16(entry, 10, 0);
    }
    void set_key(usize at, u32 first) { store32(bytes_, head_bytes + at * entry_bytes, first); }
    // Takes the entries of `from` from `cut` on.
    void take(NodeWriter& from, usize cut)
    {
        std::copy(from.place(cut), from.place(from.entries()), place(0));
        set_entries(from.entries() - cut);
        from.set_entries(cut);
    }
    std::span<u8> bytes() const { return bytes_; }

private:
    std::span<u8>::iterator place(usize at) const
    {
        return bytes_.begin() + static_cast<std::ptrdiff_t>(head_bytes + at * entry_bytes);
    }
    std::span<u8> bytes_;
};

bool joins(Extent const& left, Extent const& right)
{
    auto const blocks_max
        = left.kind == Run::Kind::data ? written_blocks_max : unwritten_blocks_max;
    return left.kind == right.kind && left.end() == right.first
        && left.disk_block + left.blocks == right.disk_block
        && left.blocks + right.blocks <= blocks_max;
}

class TreeEditor {
public:
    TreeEditor(Disk& disk, Inode& inode)
        : disk_(disk)
        , inode_(inode)
    {
    }

    Result<Path> find(u64 file_block)
    {
        auto depth = TRY(check_extent_root(disk_, inode_));
        Path path;
        u64 block = 0;
        for (;; --depth) {
            auto const held = TRY(load(block, depth));
            ExtentNode const node { *held };
            auto const before = node.entries_up_to(file_block);
            path.push_back({ block, depth, before == 0 ? 0 : before - 1 });
            if (depth == 0)
                return path;
            block = node.child(path.back().at);
        }
    }

    Result<void> insert(Extent const& extent)
    {
        // Each round adds room on one level at least.
        for (u32 round = 0; round <= 2 * extent_depth_max; ++round) {
            auto const path = TRY(find(extent.first));
            auto const held = TRY(load(path.back()));
            ExtentNode const leaf { *held };
            auto const at = leaf.entries_up_to(extent.first);
            if (at > 0 && leaf.extent(at - 1).end() > extent.first)
                return disk_.corrupt(
                    "inode ", inode_.number, ": file block ", extent.first, " is mapped twice");
            bool const left = at > 0 && joins(leaf.extent(at - 1), extent);
            bool const right = at < leaf.entries() && joins(extent, leaf.extent(at));
            if (!left && !right && leaf.entries() == leaf.capacity()) {
                TRY(make_room(path));
                continue;
            }
            return place(path, at, extent, left, right);
        }
        return disk_.corrupt("inode ", inode_.number, ": its extent tree cannot grow");
    }

    Result<RemovedExtent> remove_last(u64 first, u64 end)
    {
        while (end > first) {
            auto const path = TRY(find(end - 1));
            auto const held = TRY(load(path.back()));
            ExtentNode const leaf { *held };
            auto const count = leaf.entries_up_to(end - 1);
            if (count == 0) {
                end = TRY(key_to_the_left(path, end));
                continue;
            }
            auto const extent = leaf.extent(count - 1);
            if (extent.end() <= first)
                return RemovedExtent {};
            auto const from = std::max(extent.first, first);
            auto const to = std::min(extent.end(), end);
            TRY(cut(path, count - 1, extent, from, to));
            return RemovedExtent { extent.disk_block + (from - extent.first), to - from };
        }
        return RemovedExtent {};
    }

private:
    Result<BlockRef> load(u64 block, u16 depth)
    {
        if (block != 0)
            return load_extent_node(disk_, inode_, block, depth);
        return BlockRef(
            std::make_shared<std::vector<u8> const>(inode_.map.begin(), inode_.map.end()));
    }
    Result<BlockRef> load(Level const& level) { return load(level.block, level.depth); }
    Result<NodeWriter> change(Level const& level)
    {
        if (level.block == 0)
            return NodeWriter(inode_.map);
        return NodeWriter(TRY(change_extent_node(disk_, inode_, level.block, level.depth)));
    }
    void seal(Level const& level, NodeWriter const& node)
    {
        if (level.block != 0)
            seal_extent_node(disk_.super(), inode_, node.bytes());
    }

    // The greatest key before the path's leaf; `first` bounds the search from below.
    Result<u64> key_to_the_left(Path const& path, u64 end)
    {
        for (auto level = path.size() - 1; level-- > 0;) {
            if (path[level].at == 0)
                continue;
            auto const held = TRY(load(path[level]));
            auto const key = ExtentNode { *held }.first_block(path[level].at);
            if (key < end)
                return u64 { key };
        }
        return u64 { 0 };
    }

    Result<void> place(Path const& path, usize at, Extent extent, bool left, bool right)
    {
        auto node = TRY(change(path.back()));
        if (left) {
            auto joined = node.view().extent(at - 1);
            joined.blocks += extent.blocks;
            if (right && joins(joined, node.view().extent(at))) {
                joined.blocks += node.view().extent(at).blocks;
                node.close_gap(at);
            }
            node.put(at - 1, joined);
        } else if (right) {
            extent.blocks += node.view().extent(at).blocks;
            node.put(at, extent);
        } else {
            node.open_gap(at);
            node.put(at, extent);
        }
        seal(path.back(), node);
        return correct_keys(path);
    }

    Result<void> cut(Path const& path, usize at, Extent const& extent, u64 from, u64 to)
    {
        auto node = TRY(change(path.back()));
        auto rest = extent;
        if (from > extent.first) {
            rest.blocks = static_cast<u32>(from - extent.first);
            node.put(at, rest);
        } else if (to < extent.end()) {
            rest.first = to;
            rest.disk_block += to - extent.first;
            rest.blocks = static_cast<u32>(extent.end() - to);
            node.put(at, rest);
        } else {
            node.close_gap(at);
        }
        seal(path.back(), node);
        if (node.entries() == 0)
            TRY(drop_empty(path));
        else
            TRY(correct_keys(path));
        TRY(collapse());
        if (from > extent.first && to < extent.end()) {
            TRY(insert({ to, static_cast<u32>(extent.end() - to), extent.kind,
                extent.disk_block + (to - extent.first) }));
        }
        return {};
    }

    // Takes away nodes that hold nothing any more, from the leaf up.
    Result<void> drop_empty(Path path)
    {
        while (path.size() > 1) {
            auto const block = path.back().block;
            path.pop_back();
            TRY(free_node(block));
            auto parent = TRY(change(path.back()));
            parent.close_gap(path.back().at);
            seal(path.back(), parent);
            if (parent.entries() > 0) {
                if (path.back().at == 0)
                    TRY(correct_keys(path));
                return {};
            }
        }
        NodeWriter(inode_.map).start(capacity_of_root(), 0);
        return {};
    }

    // A root with one child that would fit into it takes its entries.
    Result<void> collapse()
    {
        NodeWriter root(inode_.map);
        while (root.view().depth() > 0 && root.entries() == 1) {
            auto const depth = static_cast<u16>(root.view().depth() - 1);
            auto const block = root.view().child(0);
            auto const held = TRY(load(block, depth));
            auto const count = ExtentNode { *held }.entries();
            if (count > capacity_of_root())
                return {};
            std::copy_n(
                held->begin() + head_bytes, count * entry_bytes, inode_.map.begin() + head_bytes);
            root.set_entries(count);
            store16(inode_.map, 6, depth);
            TRY(free_node(block));
        }
        return {};
    }

    // From the leaf up: each parent's key is its child's first block.
    Result<void> correct_keys(Path const& path)
    {
        for (auto level = path.size() - 1; level > 0; --level) {
            auto const held = TRY(load(path[level]));
            auto const first = ExtentNode { *held }.first_block(0);
            auto const above = TRY(load(path[level - 1]));
            if (ExtentNode { *above }.first_block(path[level - 1].at) == first)
                return {};
            auto parent = TRY(change(path[level - 1]));
            parent.set_key(path[level - 1].at, first);
            seal(path[level - 1], parent);
        }
        return {};
    }

    // Splits the lowest node whose parent has room for one more, or makes the tree higher.
    Result<void> make_room(Path const& path)
    {
        for (auto level = path.size() - 1; level > 0; --level) {
            auto const held = TRY(load(path[level - 1]));
            ExtentNode const parent { *held };
            if (parent.entries() < parent.capacity())
                return split(path[level - 1], path[level]);
        }
        return grow();
    }

    // What is appended to leaves full nodes behind, other insertions half full ones.
    Result<void> split(Level const& parent_level, Level const& level)
    {
        auto node = TRY(change(level));
        auto const count = node.entries();
        auto const cut = level.at + 1 == count ? count - 1 : count / 2;
        auto const block = TRY(take_node());
        Level const made_level { block, level.depth, 0 };
        NodeWriter made(create_extent_node(disk_, inode_, block, level.depth));
        made.start(capacity_of_block(), level.depth);
        made.take(node, cut);
        seal(level, node);
        seal(made_level, made);
        auto parent = TRY(change(parent_level));
        parent.open_gap(parent_level.at + 1);
        parent.put_child(parent_level.at + 1, made.view().first_block(0), block);
        seal(parent_level, parent);
        return {};
    }

    Result<void> grow()
    {
        NodeWriter root(inode_.map);
        auto const depth = root.view().depth();
        if (depth == extent_depth_max)
            return Error::too_big;
        auto const block = TRY(take_node());
        NodeWriter made(create_extent_node(disk_, inode_, block, depth));
        made.start(capacity_of_block(), depth);
        made.take(root, 0);
        seal({ block, depth, 0 }, made);
        root.start(capacity_of_root(), static_cast<u16>(depth + 1));
        root.set_entries(1);
        root.put_child(0, made.view().first_block(0), block);
        return {};
    }

    static usize capacity_of_root() { return (inode_map_bytes - head_bytes) / entry_bytes; }
    usize capacity_of_block() const
    {
        return (disk_.super().block_bytes - head_bytes) / entry_bytes;
    }
    Result<u64> take_node()
    {
        auto const& super = disk_.super();
        auto const group = (inode_.number - 1) / super.inodes_per_group;
        auto const block = TRY(allocate_map_block(disk_, super.first_block_of_group(group)));
        inode_.allocated_bytes += super.block_bytes;
        return block;
    }
    Result<void> free_node(u64 block)
    {
        disk_.forget(block);
        inode_.allocated_bytes -= std::min<u64>(inode_.allocated_bytes, disk_.super().block_bytes);
        return free_blocks(disk_, { block, 1 });
    }

    Disk& disk_;
    Inode& inode_;
};

} // namespace

Result<void> insert_extent(Disk& disk, Inode& inode, Extent extent)
{
    return TreeEditor(disk, inode).insert(extent);
}

Result<RemovedExtent> remove_last_extent(Disk& disk, Inode& inode, u64 first, u64 end)
{
    return TreeEditor(disk, inode).remove_last(first, end);
}

Result<void> mark_written(Disk& disk, Inode& inode, u64 first, u64 count)
{
    auto const removed = TRY(remove_last_extent(disk, inode, first, first + count));
    if (removed.blocks != count)
        return disk.corrupt("inode ", inode.number, ": unwritten blocks at ", first, " vanished");
    return insert_extent(
        disk, inode, { first, static_cast<u32>(count), Run::Kind::data, removed.disk_block });
}

} // namespace gemel::ext4
