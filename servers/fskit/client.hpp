// What a program uses to reach files by name: Files, its session with the vfs, and OpenFile, one
// open file. Each is used by one thread at a time; all of a session's files move bytes through the
// session's region.
#pragma once

#include "servers/protocols/file.hpp"
#include "servers/protocols/vfs.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/region.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gemel::fskit {

// How a session's region is divided, in bytes.
inline constexpr u32 name_area_bytes = 4096; // each of two
inline constexpr u32 answer_area_offset = 2 * name_area_bytes;
inline constexpr u32 answer_area_bytes = 32 * 1024;
inline constexpr u32 io_area_offset = answer_area_offset + answer_area_bytes;
inline constexpr u32 io_area_bytes = 64 * 1024;
inline constexpr u32 session_region_bytes = io_area_offset + io_area_bytes;

// An open file with a position. Closed when it goes.
class OpenFile {
public:
    OpenFile() = default;
    // `region` is the one the file was opened or attached with.
    OpenFile(Client<protocol::File> file, Ref<SharedRegion> region)
        : file_(std::move(file))
        , region_(std::move(region))
    {
    }

    explicit operator bool() const { return static_cast<bool>(file_); }
    Client<protocol::File> const& client() const { return file_; }
    u64 position() const { return position_; }
    void seek(u64 position) { position_ = position; }

    // At most io_area_bytes from the position on, which moves; empty at the end. The bytes stay
    // until the session's next request.
    Result<std::span<std::byte const>> read_piece(usize bytes_max = io_area_bytes);
    // Copies; short only at the end (a terminal or pipe: what there is).
    Result<usize> read(std::span<std::byte> into);
    // The rest of the file; over `bytes_max` -> too_big.
    Result<std::string> read_rest(usize bytes_max);
    // All of it, or an error: no_space after a part was written.
    Result<void> write(std::span<std::byte const> bytes);
    Result<void> write(std::string_view text);
    // What read_piece of this same session just gave, without a copy.
    Result<void> write_piece(std::span<std::byte const> piece);
    Result<void> sync(SyncKind kind = SyncKind::all);
    Result<void> resize(u64 size);
    Result<FileStatus> status();
    Result<void> set_attributes(FileAttributes const& attributes);
    Result<void> allocate(AllocateKind kind, u64 offset, u64 bytes);
    // The next data or hole from `offset` on; not_found as File::Seek says. The position stays.
    Result<u64> find(SeekKind kind, u64 offset);
    // A capability to the same open file for another program, which must attach it first.
    Result<Handle> share() const;

private:
    Result<void> write_area(u32 offset, u32 bytes);

    Client<protocol::File> file_;
    std::optional<Ref<SharedRegion>> region_;
    u64 position_ = 0;
};

// Copies up to `bytes` from one file to another of the same session, and gives how many: fewer at
// the end, or when space ends after some. The two ranges of one file may not
// overlap (invalid). Positions move.
struct CopyRange {
    OpenFile& from;
    u64 from_offset;
    OpenFile& to;
    u64 to_offset;
    u64 bytes;
};
Result<u64> copy_range(CopyRange const& range);

// Lines of a file, without their '\n'. A last line without one counts.
class LineReader {
public:
    static constexpr usize line_bytes_max = 1 << 20;

    explicit LineReader(OpenFile& file)
        : file_(file)
    {
    }
    // Nothing at the end. Over line_bytes_max -> too_big.
    Result<std::optional<std::string>> next();

private:
    OpenFile& file_;
    std::string buffer_;
    usize begin_ = 0; // of what was not given yet
    bool ended_ = false;
};

struct ListedEntry {
    std::string name;
    u64 inode = 0;
    FileKind kind = FileKind::regular;
};

// Paths are absolute (servers/protocols/vfs.hpp); errors are the vfs's own.
class Files {
public:
    // A session with a region of its own, from the capability this program was given.
    static Result<Files> create(Client<protocol::Vfs> vfs);

    Result<OpenFile> open(std::string_view path, OpenFlags flags, u16 mode = 0644);
    // A File capability from elsewhere (standard input, say) on this session's region.
    Result<OpenFile> attach(Client<protocol::File> const& file);

    Result<FileStatus> status(std::string_view path, LastLink last = LastLink::follow);
    // Sorted by name, byte by byte. A deque: it grows without a second copy of a long listing.
    Result<std::deque<ListedEntry>> list(std::string_view path);
    Result<void> make_directory(std::string_view path, u16 mode = 0755);
    Result<void> remove(std::string_view path, RemoveKind kind = RemoveKind::file);
    Result<void> rename(
        std::string_view from, std::string_view to, RenameMode mode = RenameMode::replace);
    Result<void> link(std::string_view from, std::string_view to);
    Result<void> make_node(
        std::string_view path, FileKind kind, u16 mode = 0644, u64 device = 0, Owner owner = {});
    Result<void> set_attributes(
        std::string_view path, FileAttributes const& attributes, LastLink last = LastLink::follow);
    // Each entry in the directory's own order, for who keeps less of it than list() does;
    // `take` must not ask for files: the entries lie where the answer would.
    using TakeEntry = std::function<void(std::string_view name, FileKind kind)>;
    using TakeStatus = std::function<void(std::string_view name, FileStatus const& status)>;
    Result<void> each(std::string_view path, TakeEntry const& take);
    Result<void> each_status(std::string_view path, TakeStatus const& take);
    // What was done before is durable when this returns.
    Result<void> sync(std::string_view path, SyncScope scope = SyncScope::volume);
    Result<std::string> link_text(std::string_view path);
    Result<void> make_symlink(std::string_view path, std::string_view text);
    Result<VolumeStatus> volume(std::string_view path);
    // Extended attributes: names are whole ("user.x"), values at most 8 KiB here.
    Result<std::string> get_extended(
        std::string_view path, std::string_view name, LastLink last = LastLink::follow);
    Result<void> set_extended(std::string_view path, std::string_view name, std::string_view value,
        ExtendedMode mode = ExtendedMode::set);
    Result<std::deque<std::string>> list_extended(std::string_view path);
    Result<void> remove_extended(std::string_view path, std::string_view name);
    // What is wrong with the file system that holds `path`: how much, and a line for each.
    struct Checked {
        u32 problems;
        std::string lines;
    };
    Result<Checked> check_volume(std::string_view path);
    // Tells the device what is free; the bytes.
    Result<u64> trim_volume(std::string_view path);
    // Without symlinks, "." and "..": what `cd` needs.
    struct RealPath {
        std::string path;
        FileKind kind;
    };
    Result<RealPath> resolve(std::string_view path);
    // One line for each mount (protocol::Vfs::Mounts).
    Result<std::string> mounts();

    // The whole file; over `bytes_max` -> too_big.
    Result<std::string> read_all(std::string_view path, usize bytes_max = 16 << 20);
    // Makes or replaces the file.
    Result<void> write_all(std::string_view path, std::string_view text);

    // A session for another program, with its own bound on open files (protocol::Vfs::Session).
    Result<Handle> session_for_another(u32 files_max = vfs_open_files_default);
    Client<protocol::Vfs> const& client() const { return vfs_; }
    Ref<SharedRegion> const& region() const { return region_; }

private:
    Files(Client<protocol::Vfs> origin, Client<protocol::Vfs> session, Ref<SharedRegion> region)
        : origin_(std::move(origin))
        , vfs_(std::move(session))
        , region_(std::move(region))
    {
    }
    enum class NameArea : u8 { first, second };
    // Puts a name where the vfs reads it. Longer than a path may be -> name_too_long.
    Result<Span> put(std::string_view name, NameArea area = NameArea::first);
    // Calls entry(record, name) for each record of a listing.
    template <typename Request, typename Record, typename Entry>
    Result<void> list_with(std::string_view path, Entry entry);
    std::string_view answer_text(u32 bytes) const;
    template <typename T>
    T answer_struct() const;

    Client<protocol::Vfs> origin_; // what the program was given
    Client<protocol::Vfs> vfs_;
    Ref<SharedRegion> region_;
};

} // namespace gemel::fskit
