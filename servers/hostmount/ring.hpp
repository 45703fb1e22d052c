// What lies between a mount of the host and the server that answers it: a device with a few
// registers, an interrupt, and slots of memory that both sides see. The host's end
// (frontends/fuse) puts a request into a free slot and raises the line; the server takes slots in
// their order and answers them in any. Layouts are both sides' contract.
#pragma once

#include "core/abi/call.hpp"
#include "servers/protocols/file_status.hpp"

namespace gemel::hostmount {

inline constexpr u32 device_magic = 0x544E'4D47; // "GMNT"
inline constexpr u32 device_version = 1;
inline constexpr u32 device_port = 0x2000;
inline constexpr u32 device_ports = 0x20;
inline constexpr u32 device_line = 16;

// Offsets of registers of 32 bits.
enum class Register : u32 {
    magic = 0x00,
    version = 0x04,
    slots = 0x08,
    first_page = 0x0C, // of the slots' memory, physical
    pages = 0x10,
    take = 0x14, // reading gives the next waiting slot, or slot_none; slot_more: others wait too
    answer = 0x18, // writing a slot's number: its reply is complete
    state = 0x1C, // writing a DriverState
};

inline constexpr u32 slot_none = 0xFFFF'FFFF;
inline constexpr u32 slot_more = 0x8000'0000;

enum class DriverState : u32 {
    serving = 1,
    serving_read_only = 2, // the file system is not written, whatever the host would like
};

// Each slot is one region.
inline constexpr u32 slots_max = 16;
inline constexpr u32 slot_bytes = region_bytes_max;
inline constexpr u32 data_bytes_max = 1 << 20;
inline constexpr u32 name_bytes_max = 4096; // a name, a link's text, a path

// Offsets in a slot. `data` holds what is written and read, listings and values.
inline constexpr u32 request_offset = 0;
inline constexpr u32 reply_offset = 1024;
inline constexpr u32 name_offset = 4096;
inline constexpr u32 second_name_offset = 8192;
inline constexpr u32 path_offset = 12288; // the server's own
inline constexpr u32 second_path_offset = 16384;
inline constexpr u32 answer_offset = 20480;
inline constexpr u32 answer_bytes = 40960;
inline constexpr u32 data_offset = 65536;
inline constexpr u32 listing_offset = data_offset + data_bytes_max; // the server's own
inline constexpr u32 listing_bytes = 128 * 1024;

// FUSE's names and meaning (Linux include/uapi/linux/fuse.h), not its numbers.
enum class Operation : u32 {
    lookup = 1, // node, name -> node, status
    forget, // `data` holds `bytes` Forgotten records
    get_attributes, // node or file -> status
    set_attributes, // node or file, changes, flags (takes_privileges) -> status
    read_link, // node -> bytes in data
    make_node, // node, name, kind, mode, device -> node, status
    make_directory,
    make_link_text, // symlink: node, name; the text is the second name
    remove_file, // node, name
    remove_directory,
    rename, // node, name, other_node, second name, flags (RenameMode's number)
    link, // other_node gets another name: node, name -> node, status
    open, // node, flags (OpenFlags) -> file
    create, // node, name, mode, flags -> node, status, file
    read, // file (or node, where the host opens without a word; so for all that name a file),
          // offset, bytes -> bytes in data
    write, // file, offset, bytes in data, flags (takes_privileges) -> bytes
    release, // file
    sync, // file, flags (SyncKind's number)
    sync_directory, // node
    list, // node, offset (cookie), bytes -> bytes of ListedName in data
    list_with_status, // the same, of nodes that the host now knows
    volume_status, // -> volume
    get_extended, // node, name, bytes -> bytes in data (or the size, where `bytes` is 0)
    set_extended, // node, name, bytes in data, flags (ExtendedMode's number)
    list_extended, // node, bytes -> bytes in data
    remove_extended, // node, name
    allocate, // file, offset, bytes, flags (AllocateKind's number)
    seek, // file, offset, flags (SeekKind's number) -> offset
    stop, // nothing is mounted any more: make everything durable, unmount the volume, then end
    leave, // the same, but the volume goes on being used
    trim, // offset, size, bytes (of the shortest run): -> offset, the bytes that the device was
          // told
};

inline constexpr u64 root_node = 1;
// A change by who may not leave another's file with the bits that lend an identity.
inline constexpr u32 takes_privileges = 1;

struct Request {
    Operation operation = Operation::stop;
    u32 interrupted = 0; // set by the host at any time: nobody waits for more than the end
    u64 node = 0;
    u64 other_node = 0;
    u64 file = 0;
    u64 offset = 0;
    u64 bytes = 0;
    u64 device = 0; // major in the upper half
    u32 flags = 0;
    u32 name_bytes = 0;
    u32 second_name_bytes = 0;
    u32 uid = 0; // of who asks; for set_attributes the new one
    u32 gid = 0;
    u32 changes = 0; // set_attributes: which of the values count
    u64 size = 0;
    FileTime accessed;
    FileTime modified;
    u16 mode = 0; // permission bits
    FileKind kind = FileKind::regular;
    u8 open_untold = 0; // 1: the host opens files without a word; what loses its name may be open
    u8 reserved[4] = {};
};
static_assert(sizeof(Request) == 128);

struct Reply {
    u32 error = 0; // an Error's number; 0 none
    u32 bytes = 0;
    u64 node = 0;
    u64 file = 0;
    u64 offset = 0;
    FileStatus status;
    VolumeStatus volume;
};
static_assert(sizeof(Reply) <= 1024);

struct Forgotten {
    u64 node = 0;
    u64 lookups = 0;
};

// One entry of a listing; the name follows, and the next entry at a multiple of 8.
struct ListedName {
    u64 node = 0; // 0: the host does not know it yet
    u64 cookie = 0;
    FileStatus status; // a plain listing has inode and kind only
    u32 name_bytes = 0;
    u32 reserved = 0;
};
static_assert(sizeof(ListedName) % 8 == 0);

constexpr usize listed_bytes(usize name_bytes)
{
    return align_up(sizeof(ListedName) + name_bytes, usize { 8 });
}

// What an entry takes in the host's own answer, so that no more are given than fit (fuse.h,
// fuse_dirent and fuse_direntplus).
constexpr usize host_entry_bytes(usize name_bytes)
{
    return align_up(24 + name_bytes, usize { 8 });
}
inline constexpr usize host_status_bytes = 128;

} // namespace gemel::hostmount
