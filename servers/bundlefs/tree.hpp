// The boot bundle as a read-only tree. File contents stay where they lie in the archive.
#pragma once

#include "servers/bundlefs/cpio.hpp"
#include "servers/fskit/fixed_tree.hpp"

namespace gemel::bundlefs {

class Tree final : public fskit::FixedTree {
public:
    // What an archive that is broken still gave is kept.
    struct Loaded {
        u32 entries = 0;
        std::optional<usize> broken_at; // offset in the archive
        u32 refused = 0; // names that cannot stand in a tree ("..", twice, through a file)
    };
    // Adds the entries below `prefix` ("gemel"; empty: all). `archive` must outlive the tree.
    Loaded load(std::span<std::byte const> archive, std::string_view prefix);

    Result<usize> read(fskit::NodeId node, u64 offset, std::span<std::byte> into) override;
    VolumeStatus volume() override;

private:
    enum class Added : u8 { yes, outside, refused };
    Added add_entry(CpioEntry const& entry, std::string_view prefix);

    std::map<fskit::NodeId, std::span<std::byte const>> contents_;
    u64 bytes_ = 0;
};

} // namespace gemel::bundlefs
