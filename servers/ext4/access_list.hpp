// POSIX access control lists: as programs hand them over (acl(5), version 2 of the attribute), and
// as the disk keeps them (version 1, without ids where they mean nothing).
#pragma once

#include "core/base/result.hpp"
#include "servers/ext4/bytes.hpp"

#include <vector>

namespace gemel::ext4 {

class AccessList {
public:
    static constexpr usize entries_max = 1024; // what Linux takes is bounded by a block; so is this

    // Error::invalid: not one, or its entries contradict each other or are out of order.
    static Result<AccessList> from_program(Bytes bytes);
    // Error::corrupt.
    static Result<AccessList> from_disk(Bytes bytes);
    std::vector<u8> for_program() const;
    std::vector<u8> for_disk() const;

    // Permission bits that say the same, as far as they can.
    u16 permissions() const;
    // Whether they say all of it.
    bool is_only_permissions() const { return entries_.size() == 3; }
    // The owner's, the mask's (or the group's) and the others' become these.
    void set_permissions(u16 mode);
    // The same, of a new file: only less.
    void restrict_to(u16 mode);

private:
    struct Entry {
        u16 tag;
        u16 permissions;
        u32 id;
    };
    bool is_sound() const;
    template <typename Change>
    void change_classes(u16 mode, Change change);

    std::vector<Entry> entries_;
};

} // namespace gemel::ext4
