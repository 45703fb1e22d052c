// The hash tree of an indexed directory (ext4 documentation, "Hash Tree Directories"): every block
// in it once, and every name in the block that its hash leads to.
#include "servers/ext4/check/volume_check.hpp"
#include "servers/ext4/checksum.hpp"

#include <array>

namespace gemel::ext4::check {

namespace {

constexpr usize root_start = 32;
constexpr usize node_start = 8;
constexpr usize entry_bytes = 8;
constexpr u8 levels_max = 3;

class HashTree {
public:
    HashTree(VolumeCheck& check, Directory const& directory, Bytes bytes,
        std::vector<BlockHashes> const& hashes)
        : check_(check)
        , directory_(directory)
        , bytes_(bytes)
        , hashes_(hashes)
        , uses_(hashes.size())
    {
    }

    void run()
    {
        auto const levels = load8(bytes_, 30);
        if (load8(bytes_, 29) != 8 || levels >= levels_max) {
            problem(0, "is not the root of a hash tree");
            return;
        }
        uses_[0] = 1;
        visit(0, root_start, levels, { 0, 0xFFFF'FFFF });
        for (usize block = 0; block < uses_.size(); ++block) {
            if (uses_[block] != 1)
                problem(block, "has ", uses_[block], " places in the tree");
        }
    }

private:
    // Hashes from `low` to `high`, as the parent says; an odd one continues equal hashes from the
    // block before.
    struct Range {
        u32 low;
        u32 high;
    };

    template <typename... Parts>
    void problem(u64 block, Parts const&... parts)
    {
        check_.problem(
            "inode ", directory_.number, ": block ", block, " of its hash tree ", parts...);
    }

    Bytes block_bytes(u64 block) const
    {
        auto const size = check_.super.block_bytes;
        return bytes_.subspan(block * size, size);
    }

    bool check_counts(u64 block, Bytes bytes, usize start)
    {
        auto const limit = load16(bytes, start);
        auto const count = load16(bytes, start + 2);
        auto const slots = (bytes.size() - start) / entry_bytes;
        if (count == 0 || count > limit || limit != slots - (check_.sums() ? 1 : 0)) {
            problem(block, "has ", count, " entries of ", limit);
            return false;
        }
        if (!check_.sums())
            return true;
        std::array<u8, 4> const gap {};
        auto const tail = start + limit * entry_bytes;
        auto sum = crc32c(directory_.seed, bytes.first(start + count * entry_bytes));
        sum = crc32c(crc32c(sum, bytes.subspan(tail, 4)), gap);
        if (load32(bytes, tail + 4) != sum) {
            check_.repairable(Remedy::checksum,
                { patch32(check_.place_of_block(directory_.place_of(block)) + tail + 4, sum) },
                "inode ", directory_.number, ": block ", block,
                " of its hash tree has a wrong checksum");
        }
        return true;
    }

    void visit(u64 block, usize start, u8 levels, Range range)
    {
        auto const bytes = block_bytes(block);
        if (!check_counts(block, bytes, start))
            return;
        auto const count = load16(bytes, start + 2);
        auto low = range.low;
        for (usize index = 0; index < count; ++index) {
            auto const high
                = index + 1 < count ? load32(bytes, start + (index + 1) * entry_bytes) : range.high;
            if ((high & ~1u) < (low & ~1u))
                problem(block, "has its hashes out of order");
            auto const child = load32(bytes, start + index * entry_bytes + 4) & 0x0FFF'FFFF;
            if (child >= uses_.size())
                problem(block, "leads to block ", child, ", behind the end");
            else if (++uses_[child] > 1)
                continue; // told at the end
            else if (levels > 0)
                visit(child, node_start, static_cast<u8>(levels - 1), { low, high });
            else
                check_leaf(child, { low, high });
            low = high;
        }
    }

    void check_leaf(u64 block, Range range)
    {
        auto const& found = hashes_[block];
        if (!found.any)
            return;
        bool const last = range.high == 0xFFFF'FFFF;
        bool const shared = (range.high & 1) != 0; // the next block goes on with equal hashes
        bool const above = !last
            && (found.highest > (range.high & ~1u)
                || (found.highest == (range.high & ~1u) && !shared));
        if (found.lowest < (range.low & ~1u) || above)
            problem(block, "has names whose hashes lead elsewhere");
    }

    VolumeCheck& check_;
    Directory const& directory_;
    Bytes bytes_;
    std::vector<BlockHashes> const& hashes_;
    std::vector<u32> uses_;
};

} // namespace

void check_hash_tree(VolumeCheck& check, Directory const& directory, Bytes bytes,
    std::vector<BlockHashes> const& hashes)
{
    HashTree(check, directory, bytes, hashes).run();
}

} // namespace gemel::ext4::check
