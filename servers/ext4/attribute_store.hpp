// The extended attributes of one inode: those behind its fields, and those in a block that inodes
// may share (ext4 documentation, "Extended Attributes").
#pragma once

#include "servers/ext4/file_edit.hpp"
#include "servers/ext4/inode.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::ext4 {

// The prefix of a name, as the disk has it.
enum class NameSpace : u8 {
    user = 1,
    access_acl = 2, // the whole name
    default_acl = 3, // the whole name
    trusted = 4,
    security = 6,
    system = 7,
};

struct AttributeName {
    NameSpace space;
    std::string rest; // behind the prefix

    bool operator==(AttributeName const&) const = default;
};

inline constexpr usize attribute_name_bytes_max = 255;

struct Attribute {
    AttributeName name;
    std::vector<u8> value;
    u32 value_inode = 0; // where the value is instead, with ea_inode
    u32 value_bytes = 0; // of it there
    u32 hash = 0; // of it there
    bool made = false; // in this operation: its one reference is this entry's
};

class AttributeStore {
public:
    // Reads and checks both places.
    static Result<AttributeStore> load(Disk& disk, Inode const& inode);

    Attribute const* find(AttributeName const& name) const;
    std::vector<Attribute> const& in_inode() const { return in_inode_; }
    std::vector<Attribute> const& in_block() const { return in_block_; }

    // In memory. Error::no_space when neither place has room.
    Result<void> set(Attribute attribute);
    // Whether it was there.
    bool remove(AttributeName const& name);

    // Inline data that does not fit the inode's map is an attribute that only the inode can hold.
    // How many bytes of it there is room for, the ones that it has included; nothing: no room for
    // the attribute itself.
    std::optional<usize> inline_room() const;
    void set_inline_rest(Bytes value);

    // Inside an operation: writes what changed. The inode's block and count of blocks change with
    // it; who calls writes the inode.
    Result<void> save(Inode& inode);

    // Before the inode is freed: saves it without some of the entries whose values are inodes.
    // What a shared block names stays with the block.
    Result<Progress> let_go_of_values(Inode& inode);

private:
    AttributeStore(Disk& disk, usize room)
        : disk_(&disk)
        , inode_room_(room)
    {
    }
    Result<void> save_block(Inode& inode);
    Result<bool> is_shared(Inode const& inode);
    Result<void> leave_shared_block(Inode& inode);

    Disk* disk_;
    usize inode_room_; // bytes for entries and values
    std::vector<Attribute> in_inode_;
    std::vector<Attribute> in_block_;
    std::vector<Attribute> left_by_inode_; // with values to let go of
    std::vector<Attribute> left_by_block_;
    bool inode_changed_ = false;
    bool block_changed_ = false;
};

// What inline data is as an attribute.
AttributeName inline_rest_name();

// The inode lets go of its block: freed, unless others share it.
Result<void> release_attribute_block(Disk& disk, Inode& inode);

} // namespace gemel::ext4
