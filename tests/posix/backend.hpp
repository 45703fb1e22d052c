// What the suite asks of a system: the calls of POSIX and of Linux about files, one method each.
// Paths are absolute. Numbers of open files are the back end's own.
#pragma once

#include "servers/protocols/file_attributes.hpp"
#include "servers/protocols/file_status.hpp"
#include "servers/protocols/open_flag.hpp"
#include "tests/posix/fault.hpp"

#include <map>
#include <string>
#include <vector>

namespace gemel::posix {

// A value, or why there is none.
template <typename T>
struct Got {
    Fault fault = Fault::none;
    T value {};
    explicit operator bool() const { return fault == Fault::none; }
};

struct User {
    u32 uid = 0;
    u32 gid = 0;
    std::vector<u32> groups {}; // further ones
};

class Backend {
public:
    virtual ~Backend() = default;

    // Whether calls can be made as different users here.
    virtual bool knows_users() const = 0;
    // Whether the host's FUSE stands between: its kernel takes writes past the largest file into
    // its cache, and knows less of the set-group bit than it does for its own file systems.
    virtual bool is_fuse() const = 0;
    virtual void act_as(User const& user) = 0;
    // Long enough for two times to differ.
    virtual void pause() = 0;
    virtual void say(std::string const& line) = 0;

    virtual Got<int> open(std::string const& path, OpenFlags flags, u16 mode) = 0;
    virtual Fault close(int file) = 0;
    virtual Got<std::string> read(int file, u64 offset, usize bytes) = 0;
    // At the end with OpenFlag::append, wherever `offset` is.
    virtual Got<usize> write(int file, u64 offset, std::string const& bytes) = 0;
    virtual Fault sync(int file) = 0;
    virtual Fault resize(int file, u64 size) = 0;
    virtual Got<FileStatus> status(int file) = 0;
    virtual Fault set_attributes(int file, FileAttributes const& attributes) = 0;
    virtual Fault allocate(int file, AllocateKind kind, u64 offset, u64 bytes) = 0;
    virtual Got<u64> seek(int file, SeekKind kind, u64 offset) = 0;
    virtual Got<usize> copy_range(int from, u64 at, int to, u64 there, usize bytes) = 0;

    virtual Got<FileStatus> status(std::string const& path, LastLink last) = 0;
    virtual Fault make_directory(std::string const& path, u16 mode) = 0;
    virtual Fault remove(std::string const& path, RemoveKind kind) = 0;
    virtual Fault rename(std::string const& from, std::string const& to, RenameMode mode) = 0;
    virtual Fault link(std::string const& from, std::string const& to) = 0;
    virtual Fault symlink(std::string const& text, std::string const& path) = 0;
    virtual Got<std::string> read_link(std::string const& path) = 0;
    virtual Fault make_node(std::string const& path, FileKind kind, u16 mode, u64 device) = 0;
    // Of what `last` says; the kernel of the host follows a link for a mode.
    virtual Fault set_attributes(
        std::string const& path, FileAttributes const& attributes, LastLink last)
        = 0;
    virtual Fault resize(std::string const& path, u64 size) = 0;
    // Without "." and "..".
    virtual Got<std::map<std::string, FileKind>> list(std::string const& path) = 0;
    virtual Got<VolumeStatus> volume(std::string const& path) = 0;
    virtual Got<std::string> get_extended(std::string const& path, std::string const& name) = 0;
    virtual Fault set_extended(std::string const& path, std::string const& name,
        std::string const& value, ExtendedMode mode)
        = 0;
    virtual Got<std::vector<std::string>> list_extended(std::string const& path) = 0;
    virtual Fault remove_extended(std::string const& path, std::string const& name) = 0;
};

} // namespace gemel::posix
