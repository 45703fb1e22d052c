#include "tests/posix/host_backend.hpp"

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/falloc.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace gemel::posix {

namespace {

constexpr usize extended_bytes_max = 65'536;

struct Known {
    int number;
    Fault fault;
};
constexpr Known known[] = { { EPERM, Fault::perm }, { ENOENT, Fault::noent }, { EIO, Fault::io },
    { ENXIO, Fault::nxio }, { EBADF, Fault::badf }, { EAGAIN, Fault::again },
    { ENOMEM, Fault::nomem }, { EACCES, Fault::acces }, { EBUSY, Fault::busy },
    { EEXIST, Fault::exist }, { EXDEV, Fault::xdev }, { ENOTDIR, Fault::notdir },
    { EISDIR, Fault::isdir }, { EINVAL, Fault::inval }, { ENFILE, Fault::nfile },
    { ENOTTY, Fault::notty }, { EFBIG, Fault::fbig }, { ENOSPC, Fault::nospc },
    { EROFS, Fault::rofs }, { EMLINK, Fault::mlink }, { ERANGE, Fault::range },
    { ENAMETOOLONG, Fault::nametoolong }, { ENOTEMPTY, Fault::notempty }, { ELOOP, Fault::loop },
    { ENODATA, Fault::nodata }, { EOPNOTSUPP, Fault::opnotsupp }, { E2BIG, Fault::toobig },
    { EUCLEAN, Fault::uclean }, { ETXTBSY, Fault::txtbsy } };

Fault last_fault()
{
    for (auto const& each : known)
        if (each.number == errno)
            return each.fault;
    return Fault::other;
}

Fault fault_of(long result)
{
    return result < 0 ? last_fault() : Fault::none;
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

mode_t type_of(FileKind kind)
{
    constexpr mode_t types[]
        = { 0, S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK };
    return types[static_cast<u8>(kind)];
}

FileTime file_time(timespec const& time)
{
    return { time.tv_sec, time.tv_nsec };
}

FileStatus status_of(struct stat const& found)
{
    return { .inode = found.st_ino,
        .size = static_cast<u64>(found.st_size),
        .blocks = static_cast<u64>(found.st_blocks),
        .accessed = file_time(found.st_atim),
        .modified = file_time(found.st_mtim),
        .changed = file_time(found.st_ctim),
        .uid = found.st_uid,
        .gid = found.st_gid,
        .links = static_cast<u32>(found.st_nlink),
        .mode = static_cast<u16>(found.st_mode & 07777),
        .kind = kind_of(found.st_mode),
        .device_major = major(found.st_rdev),
        .device_minor = minor(found.st_rdev) };
}

// What utimensat() takes: for each of the two a time, now, or to leave it.
timespec time_for(
    FileAttributes const& change, AttributeChange set, AttributeChange now, FileTime time)
{
    if (change.has(now))
        return { 0, UTIME_NOW };
    if (!change.has(set))
        return { 0, UTIME_OMIT };
    return { time.seconds, time.nanoseconds };
}

struct Times {
    explicit Times(FileAttributes const& change)
        : both { time_for(change, AttributeChange::accessed, AttributeChange::accessed_now,
                     change.accessed),
            time_for(
                change, AttributeChange::modified, AttributeChange::modified_now, change.modified) }
    {
    }
    bool any() const { return both[0].tv_nsec != UTIME_OMIT || both[1].tv_nsec != UTIME_OMIT; }
    timespec both[2];
};

int host_flags(OpenFlags flags)
{
    int host = O_CLOEXEC | O_NONBLOCK;
    bool const reads = has(flags, OpenFlag::read);
    bool const writes = has(flags, OpenFlag::write);
    host |= reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
    host |= has(flags, OpenFlag::create) ? O_CREAT : 0;
    host |= has(flags, OpenFlag::exclusive) ? O_EXCL : 0;
    host |= has(flags, OpenFlag::truncate) ? O_TRUNC : 0;
    host |= has(flags, OpenFlag::append) ? O_APPEND : 0;
    host |= has(flags, OpenFlag::no_follow) ? O_NOFOLLOW : 0;
    return host;
}

int allocate_flags(AllocateKind kind)
{
    switch (kind) {
    case AllocateKind::grow:
        return 0;
    case AllocateKind::keep_size:
        return FALLOC_FL_KEEP_SIZE;
    case AllocateKind::punch:
        return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    case AllocateKind::zero:
        return FALLOC_FL_ZERO_RANGE;
    case AllocateKind::zero_keep_size:
        return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
    }
    return 0;
}

class HostBackend final : public Backend {
public:
    explicit HostBackend(Through through)
        : through_(through)
    {
        umask(0);
    }
    bool knows_users() const override { return geteuid() == 0; }
    bool is_fuse() const override { return through_ == Through::fuse; }
    void act_as(User const& user) override
    {
        // From one user to another by way of root. The permissions of files follow the effective
        // ids.
        static_cast<void>(!seteuid(0));
        static_cast<void>(!setgroups(user.groups.size(), user.groups.data()));
        static_cast<void>(!setegid(user.gid));
        static_cast<void>(!seteuid(user.uid));
    }
    void pause() override
    {
        timespec const some { 0, 12'000'000 }; // more than a tick of the host's clock
        nanosleep(&some, nullptr);
    }
    void say(std::string const& line) override { std::puts(line.c_str()); }

    Got<int> open(std::string const& path, OpenFlags flags, u16 mode) override
    {
        auto const file = ::open(path.c_str(), host_flags(flags), mode);
        return { fault_of(file), file };
    }
    Fault close(int file) override { return fault_of(::close(file)); }
    Got<std::string> read(int file, u64 offset, usize bytes) override
    {
        std::string found(bytes, '\0');
        usize done = 0;
        while (done < bytes) {
            auto const got
                = pread(file, found.data() + done, bytes - done, static_cast<off_t>(offset + done));
            if (got < 0)
                return { last_fault(), {} };
            if (got == 0)
                break;
            done += static_cast<usize>(got);
        }
        found.resize(done);
        return { Fault::none, std::move(found) };
    }
    Got<usize> write(int file, u64 offset, std::string const& bytes) override
    {
        auto const done = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        return { fault_of(done), static_cast<usize>(done) };
    }
    Fault sync(int file) override { return fault_of(fsync(file)); }
    Fault resize(int file, u64 size) override
    {
        return fault_of(ftruncate(file, static_cast<off_t>(size)));
    }
    Got<FileStatus> status(int file) override
    {
        struct stat found { };
        auto const done = fstat(file, &found);
        return { fault_of(done), status_of(found) };
    }
    Fault set_attributes(int file, FileAttributes const& change) override
    {
        if (change.has(AttributeChange::mode) && fchmod(file, change.mode) != 0)
            return last_fault();
        if (change.has(AttributeChange::uid) && fchown(file, change.uid, change.gid) != 0)
            return last_fault();
        Times const times(change);
        return times.any() ? fault_of(futimens(file, times.both)) : Fault::none;
    }
    Fault allocate(int file, AllocateKind kind, u64 offset, u64 bytes) override
    {
        return fault_of(fallocate(
            file, allocate_flags(kind), static_cast<off_t>(offset), static_cast<off_t>(bytes)));
    }
    Got<u64> seek(int file, SeekKind kind, u64 offset) override
    {
        auto const found = lseek(
            file, static_cast<off_t>(offset), kind == SeekKind::data ? SEEK_DATA : SEEK_HOLE);
        return { fault_of(found), static_cast<u64>(found) };
    }
    Got<usize> copy_range(int from, u64 at, int to, u64 there, usize bytes) override
    {
        auto in = static_cast<off_t>(at);
        auto out = static_cast<off_t>(there);
        auto const done = copy_file_range(from, &in, to, &out, bytes, 0);
        return { fault_of(done), static_cast<usize>(done) };
    }

    Got<FileStatus> status(std::string const& path, LastLink last) override
    {
        struct stat found { };
        auto const done = fstatat(
            AT_FDCWD, path.c_str(), &found, last == LastLink::keep ? AT_SYMLINK_NOFOLLOW : 0);
        return { fault_of(done), done < 0 ? FileStatus {} : status_of(found) };
    }
    Fault make_directory(std::string const& path, u16 mode) override
    {
        return fault_of(mkdir(path.c_str(), mode));
    }
    Fault remove(std::string const& path, RemoveKind kind) override
    {
        return fault_of(kind == RemoveKind::file ? unlink(path.c_str()) : rmdir(path.c_str()));
    }
    Fault rename(std::string const& from, std::string const& to, RenameMode mode) override
    {
        return fault_of(syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
            static_cast<unsigned>(mode)));
    }
    Fault link(std::string const& from, std::string const& to) override
    {
        return fault_of(::link(from.c_str(), to.c_str()));
    }
    Fault symlink(std::string const& text, std::string const& path) override
    {
        return fault_of(::symlink(text.c_str(), path.c_str()));
    }
    Got<std::string> read_link(std::string const& path) override
    {
        std::string text(4096, '\0');
        auto const bytes = readlink(path.c_str(), text.data(), text.size());
        text.resize(bytes < 0 ? 0 : static_cast<usize>(bytes));
        return { fault_of(bytes), std::move(text) };
    }
    Fault make_node(std::string const& path, FileKind kind, u16 mode, u64 device) override
    {
        auto const number
            = makedev(static_cast<u32>(device >> 32), static_cast<u32>(device & 0xFFFF'FFFF));
        return fault_of(mknod(path.c_str(), type_of(kind) | mode, number));
    }
    Fault set_attributes(
        std::string const& path, FileAttributes const& change, LastLink last) override
    {
        auto const flag = last == LastLink::keep ? AT_SYMLINK_NOFOLLOW : 0;
        if (change.has(AttributeChange::mode) && chmod(path.c_str(), change.mode) != 0)
            return last_fault();
        if (change.has(AttributeChange::uid)
            && fchownat(AT_FDCWD, path.c_str(), change.uid, change.gid, flag) != 0)
            return last_fault();
        Times const times(change);
        return times.any() ? fault_of(utimensat(AT_FDCWD, path.c_str(), times.both, flag))
                           : Fault::none;
    }
    Fault resize(std::string const& path, u64 size) override
    {
        return fault_of(truncate(path.c_str(), static_cast<off_t>(size)));
    }
    Got<std::map<std::string, FileKind>> list(std::string const& path) override
    {
        auto* const opened = opendir(path.c_str());
        if (!opened)
            return { last_fault(), {} };
        std::map<std::string, FileKind> found;
        while (auto const* const entry = readdir(opened)) {
            std::string const name(entry->d_name);
            if (name != "." && name != "..")
                found[name] = kind_of(static_cast<mode_t>(DTTOIF(entry->d_type)));
        }
        closedir(opened);
        return { Fault::none, std::move(found) };
    }
    Got<VolumeStatus> volume(std::string const& path) override
    {
        struct statvfs found { };
        if (statvfs(path.c_str(), &found) != 0)
            return { last_fault(), {} };
        VolumeStatus volume { .bytes_total = found.f_blocks * found.f_frsize,
            .bytes_free = found.f_bfree * found.f_frsize,
            .bytes_available = found.f_bavail * found.f_frsize,
            .files_total = found.f_files,
            .files_free = found.f_ffree,
            .block_bytes = static_cast<u32>(found.f_frsize),
            .read_only = (found.f_flag & ST_RDONLY) != 0 ? 1u : 0u };
        return { Fault::none, volume };
    }
    Got<std::string> get_extended(std::string const& path, std::string const& name) override
    {
        std::string value(extended_bytes_max, '\0');
        auto const bytes = getxattr(path.c_str(), name.c_str(), value.data(), value.size());
        value.resize(bytes < 0 ? 0 : static_cast<usize>(bytes));
        return { fault_of(bytes), std::move(value) };
    }
    Fault set_extended(std::string const& path, std::string const& name, std::string const& value,
        ExtendedMode mode) override
    {
        int const flags = mode == ExtendedMode::create ? XATTR_CREATE
            : mode == ExtendedMode::replace            ? XATTR_REPLACE
                                                       : 0;
        return fault_of(setxattr(path.c_str(), name.c_str(), value.data(), value.size(), flags));
    }
    Got<std::vector<std::string>> list_extended(std::string const& path) override
    {
        std::string all(extended_bytes_max, '\0');
        auto const bytes = listxattr(path.c_str(), all.data(), all.size());
        all.resize(bytes < 0 ? 0 : static_cast<usize>(bytes));
        std::vector<std::string> names;
        for (usize begin = 0; begin < all.size();) {
            names.emplace_back(all.c_str() + begin);
            begin += names.back().size() + 1;
        }
        return { fault_of(bytes), std::move(names) };
    }
    Fault remove_extended(std::string const& path, std::string const& name) override
    {
        return fault_of(removexattr(path.c_str(), name.c_str()));
    }

private:
    Through const through_;
};

} // namespace

std::unique_ptr<Backend> host_backend(Through through)
{
    return std::make_unique<HostBackend>(through);
}

} // namespace gemel::posix
