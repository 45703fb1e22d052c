// What is known of a file, and what a directory listing holds: the structs that file servers put
// into a shared region. Layouts are the wire's.
#pragma once

#include "servers/protocols/file_time.hpp"

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace gemel {

enum class FileKind : u8 {
    regular = 1,
    directory = 2,
    symlink = 3,
    character_device = 4,
    block_device = 5,
    pipe = 6,
    socket = 7,
};

// Times are since 1970-01-01 (tmpfs, devfs, procfs: since boot, until a clock is set).
struct FileStatus {
    u64 inode = 0; // unique in its file system, never 0
    u64 size = 0; // bytes; of a symlink the length of its text
    u64 blocks = 0; // 512-byte units that are taken
    FileTime accessed;
    FileTime modified;
    FileTime changed;
    u32 uid = 0;
    u32 gid = 0;
    u32 links = 1;
    u16 mode = 0; // permission bits 07777, without the kind
    FileKind kind = FileKind::regular;
    u8 reserved = 0;
    FileTime created; // 0: not known
    u32 device_major = 0; // of a character or block device
    u32 device_minor = 0;
};
static_assert(sizeof(FileStatus) == 112 && std::is_trivially_copyable_v<FileStatus>);

// A file system as a whole.
struct VolumeStatus {
    u64 bytes_total = 0; // without what the file system keeps for itself
    u64 bytes_free = 0;
    u64 bytes_available = 0; // of these; not those that are reserved
    u64 files_total = 0; // 0: no bound known
    u64 files_free = 0;
    u32 block_bytes = 0;
    u32 read_only = 0; // 1 or 0
    char type[16] = {}; // "ext4", NUL-terminated
    char label[32] = {}; // NUL-terminated
};
static_assert(sizeof(VolumeStatus) == 96 && std::is_trivially_copyable_v<VolumeStatus>);

// One entry of a listing. The name follows, without a NUL; the next entry starts `record_bytes`
// after this one's start, at a multiple of 8. "." and ".." are never listed.
struct DirectoryEntry {
    u64 inode = 0;
    u64 cookie = 0; // a listing that begins with this cookie goes on after this entry
    u16 record_bytes = 0;
    FileKind kind = FileKind::regular;
    u8 name_bytes = 0;
    u32 reserved = 0;
};
static_assert(sizeof(DirectoryEntry) == 24 && std::is_trivially_copyable_v<DirectoryEntry>);

// What a listing with status holds in place of each DirectoryEntry: the same record, with the
// file's status between the entry and the name.
struct DirectoryEntryStatus {
    DirectoryEntry entry;
    FileStatus status;
};
static_assert(sizeof(DirectoryEntryStatus) == 136);

// Packs entries into a span, one after the other.
class EntryWriter {
public:
    enum class Added : u8 { yes, full };

    explicit EntryWriter(std::span<std::byte> into)
        : into_(into)
    {
    }

    // `name` of 1 to 255 bytes. Full: nothing was written.
    Added add(std::string_view name, u64 inode, FileKind kind, u64 cookie)
    {
        return put(name, DirectoryEntry { .inode = inode, .cookie = cookie, .kind = kind });
    }
    // A record of a listing with status.
    Added add(std::string_view name, FileStatus const& status, u64 cookie)
    {
        DirectoryEntry const entry { .inode = status.inode, .cookie = cookie, .kind = status.kind };
        return put(name, DirectoryEntryStatus { entry, status });
    }

    u32 bytes() const { return static_cast<u32>(used_); }

private:
    static DirectoryEntry& entry_of(DirectoryEntry& record) { return record; }
    static DirectoryEntry& entry_of(DirectoryEntryStatus& record) { return record.entry; }

    template <typename Record>
    Added put(std::string_view name, Record record)
    {
        auto const bytes = align_up(sizeof(Record) + name.size(), usize { 8 });
        if (bytes > into_.size() - used_)
            return Added::full;
        entry_of(record).record_bytes = static_cast<u16>(bytes);
        entry_of(record).name_bytes = static_cast<u8>(name.size());
        std::memcpy(into_.data() + used_, &record, sizeof(record));
        std::memcpy(into_.data() + used_ + sizeof(record), name.data(), name.size());
        used_ += bytes;
        return Added::yes;
    }

    std::span<std::byte> into_;
    usize used_ = 0;
};

// Reads what EntryWriter packed. Bytes that do not follow the layout end the listing.
class EntryReader {
public:
    explicit EntryReader(std::span<std::byte const> from)
        : from_(from)
    {
    }

    // False at the end. `name` points into the span.
    bool next(DirectoryEntry& entry, std::string_view& name) { return take(entry, entry, name); }
    // Of a listing with status.
    bool next(DirectoryEntryStatus& record, std::string_view& name)
    {
        return take(record, record.entry, name);
    }

private:
    template <typename Record>
    bool take(Record& record, DirectoryEntry const& entry, std::string_view& name)
    {
        if (from_.size() < sizeof(record))
            return false;
        std::memcpy(&record, from_.data(), sizeof(record));
        if (entry.record_bytes > from_.size()
            || entry.record_bytes < sizeof(record) + entry.name_bytes)
            return false;
        name = { reinterpret_cast<char const*>(from_.data()) + sizeof(record), entry.name_bytes };
        from_ = from_.subspan(entry.record_bytes);
        return true;
    }

    std::span<std::byte const> from_;
};

} // namespace gemel
