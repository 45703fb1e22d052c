// What libfuse calls for each request of the host, and how the system's answers go back. Requests
// become the gate's own words; nothing is decided here.
#include "frontends/fuse/gate_device.hpp"

#include "frontends/fuse/host_error.hpp"
#include "servers/protocols/file_attributes.hpp"
#include "servers/protocols/open_flag.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace gemel::fuse {

using hostmount::Operation;
using hostmount::Request;

namespace {

GateDevice& device_of(fuse_req_t request)
{
    return *static_cast<GateDevice*>(fuse_req_userdata(request));
}

Request& begin(fuse_req_t request, Operation operation, fuse_ino_t node)
{
    auto& asked = device_of(request).begin(request, operation);
    asked.node = node;
    return asked;
}

Request& begin(fuse_req_t request, Operation operation, fuse_ino_t parent, char const* name)
{
    auto& asked = begin(request, operation, parent);
    device_of(request).put_name(name);
    return asked;
}

FileTime file_time(timespec const& time)
{
    return { time.tv_sec, time.tv_nsec };
}

u16 permissions(mode_t mode)
{
    return static_cast<u16>(mode & 07777);
}

FileKind kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return FileKind::directory;
    case S_IFLNK:
        return FileKind::symlink;
    case S_IFCHR:
        return FileKind::character_device;
    case S_IFBLK:
        return FileKind::block_device;
    case S_IFIFO:
        return FileKind::pipe;
    case S_IFSOCK:
        return FileKind::socket;
    default:
        return FileKind::regular;
    }
}

// With the write-back cache the kernel reads a page before it writes a part of it, and knows where
// an append goes.
OpenFlags open_flags(int flags)
{
    auto wanted = static_cast<OpenFlags>(OpenFlag::read);
    if ((flags & O_ACCMODE) != O_RDONLY)
        wanted = wanted | OpenFlag::write;
    if ((flags & O_TRUNC) != 0)
        wanted = wanted | OpenFlag::truncate;
    if ((flags & O_EXCL) != 0)
        wanted = wanted | OpenFlag::exclusive;
    return wanted;
}

void on_init(void* device, fuse_conn_info* connection)
{
    static_cast<GateDevice*>(device)->connected(*connection);
}

void on_lookup(fuse_req_t request, fuse_ino_t parent, char const* name)
{
    begin(request, Operation::lookup, parent, name);
}

// Nobody waits for these; the slots hold one batch each. The records came in a little before the
// place where they are to lie: they are moved as one.
void on_forget_multi(fuse_req_t request, size_t count, fuse_forget_data* all)
{
    static_assert(sizeof(fuse_forget_data) == sizeof(hostmount::Forgotten)
        && offsetof(fuse_forget_data, nlookup) == offsetof(hostmount::Forgotten, lookups));
    auto& device = device_of(request);
    auto& asked = device.begin(nullptr, Operation::forget);
    auto const room = device.data();
    auto const kept = std::min<usize>(count, room.size() / sizeof(hostmount::Forgotten));
    std::memmove(room.data(), all, kept * sizeof(hostmount::Forgotten));
    asked.bytes = kept * sizeof(hostmount::Forgotten);
    fuse_reply_none(request);
}

void on_forget(fuse_req_t request, fuse_ino_t node, uint64_t lookups)
{
    fuse_forget_data one { node, lookups };
    on_forget_multi(request, 1, &one);
}

void on_getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info*)
{
    begin(request, Operation::get_attributes, node);
}

void on_setattr(
    fuse_req_t request, fuse_ino_t node, struct stat* wanted, int to_set, fuse_file_info*)
{
    auto& asked = begin(request, Operation::set_attributes, node);
    auto const take = [&](int host, AttributeChange ours) {
        if ((to_set & host) != 0)
            asked.changes |= static_cast<u32>(ours);
    };
    take(FUSE_SET_ATTR_MODE, AttributeChange::mode);
    take(FUSE_SET_ATTR_UID, AttributeChange::uid);
    take(FUSE_SET_ATTR_GID, AttributeChange::gid);
    take(FUSE_SET_ATTR_SIZE, AttributeChange::size);
    take(FUSE_SET_ATTR_ATIME, AttributeChange::accessed);
    take(FUSE_SET_ATTR_MTIME, AttributeChange::modified);
    take(FUSE_SET_ATTR_ATIME_NOW, AttributeChange::accessed_now);
    take(FUSE_SET_ATTR_MTIME_NOW, AttributeChange::modified_now);
    asked.flags = device_of(request).change_takes_privileges() ? hostmount::takes_privileges : 0;
    asked.mode = permissions(wanted->st_mode);
    asked.uid = wanted->st_uid;
    asked.gid = wanted->st_gid;
    asked.size = static_cast<u64>(wanted->st_size);
    asked.accessed = file_time(wanted->st_atim);
    asked.modified = file_time(wanted->st_mtim);
}

void on_link(fuse_req_t request, fuse_ino_t node, fuse_ino_t parent, char const* name)
{
    begin(request, Operation::link, parent, name).other_node = node;
}

void on_getxattr(fuse_req_t request, fuse_ino_t node, char const* name, size_t bytes)
{
    begin(request, Operation::get_extended, node, name).bytes = bytes;
}

void on_listxattr(fuse_req_t request, fuse_ino_t node, size_t bytes)
{
    begin(request, Operation::list_extended, node).bytes = bytes;
}

void on_setxattr(fuse_req_t request, fuse_ino_t node, char const* name, char const* value,
    size_t bytes, int flags)
{
    auto const room = device_of(request).data();
    if (bytes > XATTR_SIZE_MAX)
        return (void)fuse_reply_err(request, E2BIG);
    auto& asked = begin(request, Operation::set_extended, node, name);
    std::memmove(room.data(), value, bytes);
    asked.bytes = bytes;
    auto const mode = (flags & XATTR_CREATE) != 0 ? ExtendedMode::create
        : (flags & XATTR_REPLACE) != 0            ? ExtendedMode::replace
                                                  : ExtendedMode::set;
    asked.flags = static_cast<u32>(mode);
}

void on_removexattr(fuse_req_t request, fuse_ino_t node, char const* name)
{
    begin(request, Operation::remove_extended, node, name);
}

void on_fallocate(
    fuse_req_t request, fuse_ino_t node, int mode, off_t offset, off_t bytes, fuse_file_info* file)
{
    constexpr int keep = FALLOC_FL_KEEP_SIZE;
    AllocateKind kind {};
    if (mode == 0)
        kind = AllocateKind::grow;
    else if (mode == keep)
        kind = AllocateKind::keep_size;
    else if (mode == (FALLOC_FL_PUNCH_HOLE | keep))
        kind = AllocateKind::punch;
    else if (mode == FALLOC_FL_ZERO_RANGE)
        kind = AllocateKind::zero;
    else if (mode == (FALLOC_FL_ZERO_RANGE | keep))
        kind = AllocateKind::zero_keep_size;
    else
        return (void)fuse_reply_err(request, EOPNOTSUPP);
    auto& asked = begin(request, Operation::allocate, node);
    asked.file = file->fh;
    asked.offset = static_cast<u64>(offset);
    asked.bytes = static_cast<u64>(bytes);
    asked.flags = static_cast<u32>(kind);
}

// The kernel has done the other kinds itself.
void on_lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence, fuse_file_info* file)
{
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return (void)fuse_reply_err(request, EINVAL);
    auto& asked = begin(request, Operation::seek, node);
    asked.file = file->fh;
    asked.offset = static_cast<u64>(offset);
    asked.flags = static_cast<u32>(whence == SEEK_DATA ? SeekKind::data : SeekKind::hole);
}

void on_readlink(fuse_req_t request, fuse_ino_t node)
{
    begin(request, Operation::read_link, node);
}

void on_mknod(fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode, dev_t number)
{
    auto& asked = begin(request, Operation::make_node, parent, name);
    asked.mode = permissions(mode);
    asked.kind = kind_of(mode);
    asked.device = u64 { major(number) } << 32 | minor(number);
}

void on_mkdir(fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode)
{
    auto& asked = begin(request, Operation::make_directory, parent, name);
    asked.mode = permissions(mode);
    asked.kind = FileKind::directory;
}

void on_unlink(fuse_req_t request, fuse_ino_t parent, char const* name)
{
    begin(request, Operation::remove_file, parent, name);
}

void on_rmdir(fuse_req_t request, fuse_ino_t parent, char const* name)
{
    begin(request, Operation::remove_directory, parent, name);
}

void on_symlink(fuse_req_t request, char const* text, fuse_ino_t parent, char const* name)
{
    begin(request, Operation::make_link_text, parent, name);
    device_of(request).put_second_name(text);
}

void on_rename(fuse_req_t request, fuse_ino_t parent, char const* name, fuse_ino_t new_parent,
    char const* new_name, unsigned flags)
{
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
        return (void)fuse_reply_err(request, EINVAL);
    auto& asked = begin(request, Operation::rename, parent, name);
    asked.other_node = new_parent;
    asked.flags = (flags & RENAME_NOREPLACE) != 0 ? 1 : (flags & RENAME_EXCHANGE) != 0 ? 2 : 0;
    device_of(request).put_second_name(new_name);
}

void on_open(fuse_req_t request, fuse_ino_t node, fuse_file_info* file)
{
    if (device_of(request).opens_untold())
        return (void)fuse_reply_err(request, ENOSYS); // once for all
    begin(request, Operation::open, node).flags = open_flags(file->flags & ~O_EXCL);
}

void on_create(
    fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode, fuse_file_info* file)
{
    if (device_of(request).opens_untold())
        return (void)fuse_reply_err(request, ENOSYS); // from now on it asks for a node
    auto& asked = begin(request, Operation::create, parent, name);
    asked.mode = permissions(mode);
    asked.flags = open_flags(file->flags);
}

void on_read(fuse_req_t request, fuse_ino_t node, size_t bytes, off_t offset, fuse_file_info* file)
{
    auto& asked = begin(request, Operation::read, node);
    asked.file = file->fh;
    asked.offset = static_cast<u64>(offset);
    asked.bytes = std::min<u64>(bytes, hostmount::data_bytes_max);
}

// The bytes lie at the slot's data already (GateDevice::receive).
void on_write(fuse_req_t request, fuse_ino_t node, char const* bytes, size_t count, off_t offset,
    fuse_file_info* file)
{
    auto const room = device_of(request).data();
    auto& asked = begin(request, Operation::write, node);
    asked.flags = device_of(request).write_takes_privileges() ? hostmount::takes_privileges : 0;
    asked.file = file->fh;
    asked.offset = static_cast<u64>(offset);
    asked.bytes = std::min<u64>(count, room.size());
    if (reinterpret_cast<std::byte const*>(bytes) != room.data())
        std::memmove(room.data(), bytes, asked.bytes);
}

void on_release(fuse_req_t request, fuse_ino_t node, fuse_file_info* file)
{
    begin(request, Operation::release, node).file = file->fh;
}

void on_fsync(fuse_req_t request, fuse_ino_t node, int data_only, fuse_file_info* file)
{
    auto& asked = begin(request, Operation::sync, node);
    asked.file = file->fh;
    asked.flags = data_only != 0 ? 1 : 0;
}

void on_fsyncdir(fuse_req_t request, fuse_ino_t node, int, fuse_file_info*)
{
    begin(request, Operation::sync_directory, node);
}

// Cookies 0 and 1 are "." and ".."; the file system's own come after them.
constexpr u64 own_entries = 2;

void list(fuse_req_t request, Operation operation, fuse_ino_t node, size_t bytes, off_t offset)
{
    auto& asked = begin(request, operation, node);
    auto const cookie = static_cast<u64>(offset);
    asked.offset = cookie < own_entries ? 0 : cookie - own_entries;
    // Room for the two in front.
    constexpr size_t reserve = 2 * (hostmount::host_status_bytes + 32);
    asked.bytes = cookie < own_entries && bytes > reserve ? bytes - reserve : bytes;
    asked.size = cookie;
    asked.flags = static_cast<u32>(std::min<size_t>(bytes, hostmount::data_bytes_max));
}

void on_readdir(fuse_req_t request, fuse_ino_t node, size_t bytes, off_t offset, fuse_file_info*)
{
    list(request, Operation::list, node, bytes, offset);
}

void on_readdirplus(
    fuse_req_t request, fuse_ino_t node, size_t bytes, off_t offset, fuse_file_info*)
{
    list(request, Operation::list_with_status, node, bytes, offset);
}

// Directories are read by node: the host may leave open and release out for good.
void on_opendir(fuse_req_t request, fuse_ino_t, fuse_file_info*)
{
    fuse_reply_err(request, ENOSYS);
}

// FITRIM (Linux include/uapi/linux/fs.h, fstrim_range): what fstrim(8) asks of a mount. A file
// system of the kernel's wants CAP_SYS_ADMIN for it; here root may, and who mounted.
void on_ioctl(fuse_req_t request, fuse_ino_t node, unsigned command, void*, fuse_file_info*,
    unsigned, void const* argument, size_t bytes, size_t room)
{
    fstrim_range range {};
    if (command != FITRIM || bytes != sizeof(range) || room < sizeof(range))
        return (void)fuse_reply_err(request, ENOTTY);
    auto const user = fuse_req_ctx(request)->uid;
    if (user != 0 && user != ::geteuid())
        return (void)fuse_reply_err(request, EPERM);
    std::memcpy(&range, argument, sizeof(range));
    auto& asked = begin(request, Operation::trim, node);
    asked.offset = range.start;
    asked.size = range.len;
    asked.bytes = range.minlen;
}

void on_statfs(fuse_req_t request, fuse_ino_t node)
{
    begin(request, Operation::volume_status, node);
}

// --- answers ---

timespec time_of(FileTime time)
{
    return { time.seconds, time.nanoseconds };
}

mode_t mode_of(FileKind kind)
{
    switch (kind) {
    case FileKind::regular:
        return S_IFREG;
    case FileKind::directory:
        return S_IFDIR;
    case FileKind::symlink:
        return S_IFLNK;
    case FileKind::character_device:
        return S_IFCHR;
    case FileKind::block_device:
        return S_IFBLK;
    case FileKind::pipe:
        return S_IFIFO;
    case FileKind::socket:
        return S_IFSOCK;
    }
    return S_IFREG;
}

struct stat attributes_of(FileStatus const& status)
{
    struct stat attributes { };
    attributes.st_ino = status.inode;
    attributes.st_mode = mode_of(status.kind) | status.mode;
    attributes.st_nlink = status.links;
    attributes.st_uid = status.uid;
    attributes.st_gid = status.gid;
    attributes.st_size = static_cast<off_t>(status.size);
    attributes.st_blocks = static_cast<blkcnt_t>(status.blocks);
    attributes.st_blksize = 4096;
    attributes.st_rdev = makedev(status.device_major, status.device_minor);
    attributes.st_atim = time_of(status.accessed);
    attributes.st_mtim = time_of(status.modified);
    attributes.st_ctim = time_of(status.changed);
    return attributes;
}

fuse_entry_param entry_of(GateDevice const& device, u64 node, FileStatus const& status)
{
    fuse_entry_param entry {};
    entry.ino = node;
    entry.attr = attributes_of(status);
    entry.attr_timeout = device.timeout_seconds();
    entry.entry_timeout = device.timeout_seconds();
    return entry;
}

struct statvfs volume_of(VolumeStatus const& volume)
{
    struct statvfs answer { };
    auto const block = std::max<u64>(volume.block_bytes, 512);
    answer.f_bsize = block;
    answer.f_frsize = block;
    answer.f_blocks = volume.bytes_total / block;
    answer.f_bfree = volume.bytes_free / block;
    answer.f_bavail = volume.bytes_available / block;
    answer.f_files = volume.files_total;
    answer.f_ffree = volume.files_free;
    answer.f_favail = volume.files_free;
    answer.f_namemax = 255;
    return answer;
}

// The host's records, from the gate's.
class HostListing {
public:
    HostListing(GateDevice& device, GateDevice::Asked const& asked, Request const& request)
        : device_(device)
        , asked_(asked)
        , bytes_(request.flags)
    {
        if (request.size == 0)
            add({ .cookie = 0, .status = { .inode = 1, .kind = FileKind::directory } }, ".", 1);
        if (request.size <= 1)
            add({ .cookie = 0, .status = { .inode = 1, .kind = FileKind::directory } }, "..", 2);
    }

    void add_all(std::span<u8 const> records)
    {
        while (records.size() >= sizeof(hostmount::ListedName)) {
            hostmount::ListedName entry;
            std::memcpy(&entry, records.data(), sizeof(entry));
            auto const whole = hostmount::listed_bytes(entry.name_bytes);
            if (entry.name_bytes > 255 || whole > records.size())
                return;
            std::string const name { reinterpret_cast<char const*>(records.data()) + sizeof(entry),
                entry.name_bytes };
            add(entry, name.c_str(), entry.cookie + own_entries);
            records = records.subspan(whole);
        }
    }
    void reply() { fuse_reply_buf(asked_.request, bytes_.data(), used_); }

private:
    void add(hostmount::ListedName const& entry, char const* name, u64 next)
    {
        auto const left = bytes_.size() - used_;
        auto* const at = bytes_.data() + used_;
        auto const offset = static_cast<off_t>(next);
        usize needed = 0;
        if (asked_.operation == Operation::list_with_status) {
            auto host = entry_of(device_, entry.node, entry.status);
            if (entry.node == 0) { // a name only: the host asks when it wants more
                host.attr_timeout = 0;
                host.entry_timeout = 0;
            }
            needed = fuse_add_direntry_plus(asked_.request, at, left, name, &host, offset);
        } else {
            auto const attributes = attributes_of(entry.status);
            needed = fuse_add_direntry(asked_.request, at, left, name, &attributes, offset);
        }
        if (needed <= left)
            used_ += needed;
    }

    GateDevice& device_;
    GateDevice::Asked const& asked_;
    std::vector<char> bytes_;
    usize used_ = 0;
};

void reply_entry(GateDevice& device, fuse_req_t request, hostmount::Reply const& reply)
{
    auto const entry = entry_of(device, reply.node, reply.status);
    fuse_reply_entry(request, &entry);
}

void reply_failure(GateDevice& device, GateDevice::Asked const& asked, Error error)
{
    if (asked.operation == Operation::lookup && error == Error::not_found) {
        fuse_entry_param absent {}; // worth remembering as well
        absent.entry_timeout = device.timeout_seconds();
        fuse_reply_entry(asked.request, &absent);
        return;
    }
    fuse_reply_err(asked.request, host_error(asked.operation, error));
}

void reply_trim(GateDevice::Asked const& asked, hostmount::Reply const& reply)
{
    fstrim_range const range { asked.offset, reply.offset, asked.bytes };
    fuse_reply_ioctl(asked.request, 0, &range, sizeof(range));
}

fuse_file_info file_of(GateDevice const& device, hostmount::Reply const& reply)
{
    fuse_file_info file {};
    file.fh = reply.file;
    file.keep_cache = device.sharing() == Sharing::alone ? 1 : 0;
    file.noflush = 1;
    return file;
}

} // namespace

void GateDevice::connected(fuse_conn_info& connection)
{
    auto const want
        = [&](unsigned capability) { connection.want |= connection.capable & capability; };
    // Where nothing is written it would only cost: the host asks again for the attributes of every
    // file that was closed.
    if (caching_ == Caching::write_back)
        want(FUSE_CAP_WRITEBACK_CACHE);
    want(FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS
        | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO
        | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_EXPLICIT_INVAL_DATA);
    if (lists_ == Lists::by_the_host)
        want(FUSE_CAP_POSIX_ACL);
    // The host's kernel knows who writes: it takes the bits that lend an identity away itself.
    connection.want &= ~static_cast<unsigned>(FUSE_CAP_HANDLE_KILLPRIV);
    // Nobody else uses the files, so nobody need know which are open; but a file is then cut by a
    // request of its own.
    opens_untold_ = sharing_ == Sharing::alone && caching_ == Caching::reads
        && (connection.capable & FUSE_CAP_NO_OPEN_SUPPORT) != 0;
    if (opens_untold_)
        connection.want &= ~static_cast<unsigned>(FUSE_CAP_ATOMIC_O_TRUNC);
    // Bytes land in the slots by plain reads and leave them by plain writes.
    connection.want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE
        | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_AUTO_INVAL_DATA);
    if (sharing_ == Sharing::shared) { // pages go when size or time say that somebody else wrote
        connection.want &= ~static_cast<unsigned>(FUSE_CAP_EXPLICIT_INVAL_DATA);
        want(FUSE_CAP_AUTO_INVAL_DATA);
    }
    connection.max_write = hostmount::data_bytes_max;
    connection.max_readahead = hostmount::data_bytes_max;
    connection.max_background = hostmount::slots_max - 4;
    connection.congestion_threshold = hostmount::slots_max - 4;
    connection.time_gran = 1;
}

fuse_lowlevel_ops const& operations()
{
    static fuse_lowlevel_ops const all {
        .init = on_init,
        .lookup = on_lookup,
        .forget = on_forget,
        .getattr = on_getattr,
        .setattr = on_setattr,
        .readlink = on_readlink,
        .mknod = on_mknod,
        .mkdir = on_mkdir,
        .unlink = on_unlink,
        .rmdir = on_rmdir,
        .symlink = on_symlink,
        .rename = on_rename,
        .link = on_link,
        .open = on_open,
        .read = on_read,
        .write = on_write,
        .release = on_release,
        .fsync = on_fsync,
        .opendir = on_opendir,
        .readdir = on_readdir,
        .fsyncdir = on_fsyncdir,
        .statfs = on_statfs,
        .setxattr = on_setxattr,
        .getxattr = on_getxattr,
        .listxattr = on_listxattr,
        .removexattr = on_removexattr,
        .create = on_create,
        .ioctl = on_ioctl,
        .forget_multi = on_forget_multi,
        .fallocate = on_fallocate,
        .readdirplus = on_readdirplus,
        .lseek = on_lseek,
    };
    return all;
}

void answer_host(GateDevice& device, GateDevice::Asked const& asked, std::span<u8> slot)
{
    hostmount::Reply reply;
    std::memcpy(&reply, slot.data() + hostmount::reply_offset, sizeof(reply));
    auto const& request = *reinterpret_cast<Request const*>(slot.data());
    auto const* const data = reinterpret_cast<char*>(slot.data()) + hostmount::data_offset;
    if (reply.error != 0)
        return reply_failure(device, asked, static_cast<Error>(reply.error));
    auto const bytes = std::min<usize>(reply.bytes, hostmount::data_bytes_max);
    switch (asked.operation) {
    case Operation::lookup:
    case Operation::make_node:
    case Operation::make_directory:
    case Operation::make_link_text:
    case Operation::link:
        return reply_entry(device, asked.request, reply);
    case Operation::get_attributes:
    case Operation::set_attributes: {
        auto const attributes = attributes_of(reply.status);
        fuse_reply_attr(asked.request, &attributes, device.timeout_seconds());
        return;
    }
    case Operation::read_link:
        fuse_reply_readlink(asked.request, std::string(data, bytes).c_str());
        return;
    case Operation::open: {
        auto const file = file_of(device, reply);
        fuse_reply_open(asked.request, &file);
        return;
    }
    case Operation::create: {
        auto const entry = entry_of(device, reply.node, reply.status);
        auto const file = file_of(device, reply);
        fuse_reply_create(asked.request, &entry, &file);
        return;
    }
    case Operation::read:
        fuse_reply_buf(asked.request, data, std::min<usize>(bytes, asked.bytes));
        return;
    case Operation::get_extended:
    case Operation::list_extended:
        if (asked.bytes == 0)
            fuse_reply_xattr(asked.request, reply.bytes);
        else
            fuse_reply_buf(asked.request, data, bytes);
        return;
    case Operation::write:
        fuse_reply_write(asked.request, bytes);
        return;
    case Operation::list:
    case Operation::list_with_status: {
        HostListing listing(device, asked, request);
        listing.add_all({ slot.data() + hostmount::data_offset, bytes });
        return listing.reply();
    }
    case Operation::volume_status: {
        auto const volume = volume_of(reply.volume);
        fuse_reply_statfs(asked.request, &volume);
        return;
    }
    case Operation::seek:
        fuse_reply_lseek(asked.request, static_cast<off_t>(reply.offset));
        return;
    case Operation::trim:
        return reply_trim(asked, reply);
    case Operation::remove_file:
    case Operation::remove_directory:
    case Operation::rename:
    case Operation::release:
    case Operation::sync:
    case Operation::sync_directory:
    case Operation::set_extended:
    case Operation::remove_extended:
    case Operation::allocate:
        fuse_reply_err(asked.request, 0);
        return;
    case Operation::forget:
    case Operation::stop:
    case Operation::leave:
        return;
    }
}

} // namespace gemel::fuse
