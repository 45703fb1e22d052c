// What requests carry beside names: who owns what is made, which attributes change, and the small
// choices of the calls that POSIX and Linux add to plain reading and writing.
#pragma once

#include "servers/protocols/file_time.hpp"
#include "servers/rt/field.hpp"

namespace gemel {

// Who owns what a request makes. One word on the wire; 0 and 0 where nothing is said.
struct Owner {
    u32 uid = 0;
    u32 gid = 0;
    friend bool operator==(Owner const&, Owner const&) = default;
};

template <>
struct Field<Owner> {
    static constexpr usize words = 1;
    static void encode(Owner owner, u64* out) { *out = owner.uid | u64 { owner.gid } << 32; }
    static bool decode(u64 const* in, Owner& owner)
    {
        owner = { static_cast<u32>(*in), static_cast<u32>(*in >> 32) };
        return true;
    }
    static void print(std::string& out, Owner owner)
    {
        append_decimal(out, u64 { owner.uid });
        out += ':';
        append_decimal(out, u64 { owner.gid });
    }
};

// What SetAttributes changes, or-ed.
enum class AttributeChange : u32 {
    mode = 1 << 0,
    uid = 1 << 1,
    gid = 1 << 2,
    accessed = 1 << 3, // to that time
    modified = 1 << 4,
    accessed_now = 1 << 5, // to the server's clock
    modified_now = 1 << 6,
    size = 1 << 7, // cut, or grown with zeros; of regular files only
};

// The new values; only those that `changes` names count. Whatever changes stamps the time of change
// as well.
struct FileAttributes {
    u32 changes = 0; // AttributeChange bits
    u16 mode = 0; // permission bits 07777
    u16 reserved = 0;
    u32 uid = 0;
    u32 gid = 0;
    u64 size = 0;
    FileTime accessed;
    FileTime modified;

    bool has(AttributeChange change) const { return (changes & static_cast<u32>(change)) != 0; }
    void add(AttributeChange change) { changes |= static_cast<u32>(change); }
};
static_assert(sizeof(FileAttributes) == 56 && std::is_trivially_copyable_v<FileAttributes>);

// What becomes of a file that stands where a renamed one is to go.
enum class RenameMode : u8 {
    replace = 0, // as POSIX rename()
    no_replace = 1, // exists
    exchange = 2, // the two trade places; not_found when one is missing
};

// How much must be durable when Sync answers.
enum class SyncKind : u8 {
    all = 0,
    data = 1, // contents, and what is needed to read them; not times
};

enum class SyncScope : u8 {
    volume = 0, // everything; the path is not looked at
    file = 1, // what is at the path: for a directory, its names
};

enum class AllocateKind : u8 {
    grow = 0, // blocks for the range; the size grows with it
    keep_size = 1, // blocks for the range, also behind the end
    punch = 2, // a hole; the size stays
    zero = 3, // reads as zeros, keeps its blocks; the size grows with it
    zero_keep_size = 4,
};

enum class SeekKind : u8 {
    data = 0, // the next byte from `offset` on that is no hole
    hole = 1, // the next hole; the end of the file is one
};

enum class ExtendedMode : u8 {
    set = 0, // made or replaced
    create = 1, // exists, if it is there
    replace = 2, // no_attribute, if it is not
};

} // namespace gemel
