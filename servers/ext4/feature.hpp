// The feature bits of the superblock (ext4 documentation, "Super Block"), and their names as
// mke2fs(8) spells them.
#pragma once

#include "core/base/types.hpp"

#include <string>

namespace gemel::ext4 {

enum class Compatible : u32 {
    has_journal = 0x4,
    dir_index = 0x20,
    sparse_super2 = 0x200,
    orphan_file = 0x1000,
};

// A reader that does not know one of these cannot read the volume.
enum class Incompatible : u32 {
    compression = 0x1,
    filetype = 0x2,
    needs_recovery = 0x4,
    journal_device = 0x8,
    meta_bg = 0x10,
    extent = 0x40,
    wide = 0x80, // "64bit"
    mmp = 0x100,
    flex_bg = 0x200,
    ea_inode = 0x400,
    dirdata = 0x1000,
    checksum_seed = 0x2000,
    large_dir = 0x4000,
    inline_data = 0x8000,
    encrypt = 0x1'0000,
    casefold = 0x2'0000,
};

// A reader may ignore what it does not know here; a writer may not.
enum class ReadOnlyCompatible : u32 {
    sparse_super = 0x1,
    large_file = 0x2,
    huge_file = 0x8,
    uninit_bg = 0x10,
    dir_nlink = 0x20,
    extra_isize = 0x40,
    bigalloc = 0x200,
    metadata_csum = 0x400,
    project = 0x2000,
    orphan_present = 0x1'0000,
};

enum class FeatureWord : u8 { compatible, incompatible, read_only_compatible };

// The names of the bits, separated by ", "; a bit without a name is given as its number.
std::string feature_names(FeatureWord word, u32 bits);

} // namespace gemel::ext4
