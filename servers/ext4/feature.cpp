// Names for feature bits, the ones this reader knows nothing about included.
#include "servers/ext4/feature.hpp"

#include "servers/ext4/sentence.hpp"

#include <span>
#include <string_view>

namespace gemel::ext4 {

namespace {

struct Name {
    u32 bit;
    std::string_view text;
};

constexpr Name compatible_names[] {
    Name { 0x1, "dir_prealloc" },
    Name { 0x2, "imagic_inodes" },
    Name { 0x4, "has_journal" },
    Name { 0x8, "ext_attr" },
    Name { 0x10, "resize_inode" },
    Name { 0x20, "dir_index" },
    Name { 0x40, "lazy_bg" },
    Name { 0x100, "snapshot_bitmap" },
    Name { 0x200, "sparse_super2" },
    Name { 0x400, "fast_commit" },
    Name { 0x800, "stable_inodes" },
    Name { 0x1000, "orphan_file" },
};

constexpr Name incompatible_names[] {
    Name { 0x1, "compression" },
    Name { 0x2, "filetype" },
    Name { 0x4, "needs_recovery" },
    Name { 0x8, "journal_dev" },
    Name { 0x10, "meta_bg" },
    Name { 0x40, "extent" },
    Name { 0x80, "64bit" },
    Name { 0x100, "mmp" },
    Name { 0x200, "flex_bg" },
    Name { 0x400, "ea_inode" },
    Name { 0x1000, "dirdata" },
    Name { 0x2000, "metadata_csum_seed" },
    Name { 0x4000, "large_dir" },
    Name { 0x8000, "inline_data" },
    Name { 0x1'0000, "encrypt" },
    Name { 0x2'0000, "casefold" },
};

constexpr Name read_only_compatible_names[] {
    Name { 0x1, "sparse_super" },
    Name { 0x2, "large_file" },
    Name { 0x4, "btree_dir" },
    Name { 0x8, "huge_file" },
    Name { 0x10, "uninit_bg" },
    Name { 0x20, "dir_nlink" },
    Name { 0x40, "extra_isize" },
    Name { 0x80, "snapshot" },
    Name { 0x100, "quota" },
    Name { 0x200, "bigalloc" },
    Name { 0x400, "metadata_csum" },
    Name { 0x800, "replica" },
    Name { 0x1000, "read-only" },
    Name { 0x2000, "project" },
    Name { 0x4000, "shared_blocks" },
    Name { 0x8000, "verity" },
    Name { 0x1'0000, "orphan_present" },
};

std::span<Name const> names_in(FeatureWord word)
{
    switch (word) {
    case FeatureWord::compatible:
        return compatible_names;
    case FeatureWord::incompatible:
        return incompatible_names;
    case FeatureWord::read_only_compatible:
        return read_only_compatible_names;
    }
    return {};
}

} // namespace

std::string feature_names(FeatureWord word, u32 bits)
{
    std::string text;
    for (u32 bit = 1; bit != 0; bit <<= 1) {
        if ((bits & bit) == 0)
            continue;
        if (!text.empty())
            text += ", ";
        std::string name = sentence("unknown feature ", Hex { bit });
        for (auto const& known : names_in(word)) {
            if (known.bit == bit)
                name = known.text;
        }
        text += name;
    }
    return text;
}

} // namespace gemel::ext4
