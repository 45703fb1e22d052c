// A file's map: the extent tree, or the older block pointers (ext4 documentation, "Extent Tree",
// "Direct/Indirect Block Addressing").
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

namespace gemel::ext4::check {

namespace {

constexpr u16 node_magic = 0xF30A;
constexpr usize node_head_bytes = 12;
constexpr usize entry_bytes = 12;
constexpr u16 depth_max = 5;
constexpr u32 written_blocks_max = 32768; // longer ones are not written yet
constexpr u64 direct_pointers = 12;

class ExtentWalk {
public:
    ExtentWalk(VolumeCheck& check, RawInode const& inode)
        : check_(check)
        , inode_(inode)
    {
    }

    Result<FileBlocks> walk()
    {
        auto const depth = load16(inode_.map(), 6);
        if (depth > depth_max) {
            check_.problem("inode ", inode_.number, ": its extent tree has the depth ", depth);
            return FileBlocks {};
        }
        TRY(visit(inode_.map(), 0, depth));
        return std::move(found_);
    }

private:
    template <typename... Parts>
    void problem(u64 block, Parts const&... parts)
    {
        if (block == 0)
            check_.problem("inode ", inode_.number, ": its extent root ", parts...);
        else
            check_.problem("inode ", inode_.number, ": extent block ", block, " ", parts...);
    }

    bool check_head(Bytes node, u64 block, u16 depth)
    {
        auto const entries = load16(node, 2);
        auto const capacity = load16(node, 4);
        if (load16(node, 0) != node_magic || load16(node, 6) != depth || entries > capacity
            || node_head_bytes + capacity * entry_bytes > node.size()) {
            problem(block, "has a head that makes no sense");
            return false;
        }
        if (entries == 0 && block != 0)
            problem(block, "is empty");
        if (block == 0 || !check_.sums())
            return true;
        auto const summed = node_head_bytes + capacity * entry_bytes;
        if (summed + 4 > node.size()) {
            problem(block, "has no checksum");
            return true;
        }
        auto const sum = crc32c(inode_.seed, node.first(summed));
        if (load32(node, summed) != sum) {
            check_.repairable(Remedy::checksum,
                { patch32(check_.place_of_block(block) + summed, sum) }, "inode ", inode_.number,
                ": extent block ", block, " has a wrong checksum");
        }
        return true;
    }

    Result<void> visit(Bytes node, u64 block, u16 depth)
    {
        if (!check_head(node, block, depth))
            return {};
        auto const entries = load16(node, 2);
        for (usize index = 0; index < entries; ++index) {
            auto const entry = node.subspan(node_head_bytes + index * entry_bytes, entry_bytes);
            if (depth == 0)
                take_extent(entry, block);
            else
                TRY(descend(entry, block, depth));
        }
        return {};
    }

    void take_extent(Bytes entry, u64 block)
    {
        auto const first = load32(entry, 0);
        u32 const length = load16(entry, 4);
        bool const written = length <= written_blocks_max;
        u64 const blocks = written ? length : length - written_blocks_max;
        auto const disk_block = join(load32(entry, 8), load16(entry, 6));
        if (blocks == 0 || first < next_ || first + blocks > 1ull << 32) {
            problem(block, "has an extent out of order at file block ", first);
            return;
        }
        next_ = first + blocks;
        if (!check_.super.holds_block(disk_block) || blocks > check_.super.blocks - disk_block) {
            problem(
                block, "maps file block ", first, " to block ", disk_block, ", outside the volume");
            return;
        }
        for (u64 each = 0; each < blocks; ++each)
            check_.claim(disk_block + each, inode_.number);
        found_.counted += blocks;
        found_.pieces.push_back({ first, blocks, disk_block, written });
    }

    Result<void> descend(Bytes entry, u64 block, u16 depth)
    {
        auto const first = load32(entry, 0);
        auto const child = join(load32(entry, 4), load16(entry, 8));
        if (first < next_) {
            problem(block, "has children out of order at file block ", first);
            return {};
        }
        if (!check_.claim(child, inode_.number))
            return {};
        ++found_.counted;
        std::vector<u8> node(check_.super.block_bytes);
        TRY(check_.read(child, node));
        if (load16(node, 2) > 0 && load32(node, node_head_bytes) != first) {
            problem(block, "says that extent block ", child, " begins at file block ", first,
                "; it begins at ", load32(node, node_head_bytes));
        }
        return visit(node, child, static_cast<u16>(depth - 1));
    }

    VolumeCheck& check_;
    RawInode const& inode_;
    FileBlocks found_;
    u64 next_ = 0; // no extent may begin before
};

class PointerWalk {
public:
    PointerWalk(VolumeCheck& check, RawInode const& inode)
        : check_(check)
        , inode_(inode)
    {
    }

    Result<FileBlocks> walk()
    {
        auto const map = inode_.map();
        for (usize index = 0; index < direct_pointers; ++index)
            take(load32(map, 4 * index));
        for (u32 levels = 1; levels <= 3; ++levels)
            TRY(descend(load32(map, 4 * (direct_pointers + levels - 1)), levels));
        return std::move(found_);
    }

private:
    void take(u32 pointer)
    {
        auto const file_block = next_++;
        if (pointer == 0 || !check_.claim(pointer, inode_.number))
            return;
        ++found_.counted;
        if (!found_.pieces.empty()) {
            auto& last = found_.pieces.back();
            if (last.first + last.blocks == file_block
                && last.disk_block + last.blocks == pointer) {
                ++last.blocks;
                return;
            }
        }
        found_.pieces.push_back({ file_block, 1, pointer, true });
    }

    Result<void> descend(u32 pointer, u32 levels)
    {
        u64 const per_block = check_.super.block_bytes / 4;
        if (pointer == 0 || !check_.claim(pointer, inode_.number)) {
            u64 skipped = 1;
            for (u32 level = 0; level < levels; ++level)
                skipped *= per_block;
            next_ += skipped;
            return {};
        }
        ++found_.counted;
        std::vector<u8> pointers(check_.super.block_bytes);
        TRY(check_.read(pointer, pointers));
        for (usize index = 0; index < per_block; ++index) {
            auto const below = load32(pointers, 4 * index);
            if (levels == 1)
                take(below);
            else
                TRY(descend(below, levels - 1));
        }
        return {};
    }

    VolumeCheck& check_;
    RawInode const& inode_;
    FileBlocks found_;
    u64 next_ = 0;
};

} // namespace

Result<FileBlocks> walk_extents(VolumeCheck& check, RawInode const& inode)
{
    return ExtentWalk(check, inode).walk();
}

Result<FileBlocks> walk_pointers(VolumeCheck& check, RawInode const& inode)
{
    return PointerWalk(check, inode).walk();
}

} // namespace gemel::ext4::check
