#include <gemel/hosted/image_file.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gemel::hosted {

FileOutcome read_at(int descriptor, u8* to, u32 bytes, u64 offset)
{
    while (bytes != 0) {
        auto const got = ::pread(descriptor, to, bytes, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return FileOutcome::failed;
        to += got;
        offset += static_cast<u64>(got);
        bytes -= static_cast<u32>(got);
    }
    return FileOutcome::done;
}

FileOutcome write_at(int descriptor, u8 const* from, u32 bytes, u64 offset)
{
    while (bytes != 0) {
        auto const put = ::pwrite(descriptor, from, bytes, static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return FileOutcome::failed;
        from += put;
        offset += static_cast<u64>(put);
        bytes -= static_cast<u32>(put);
    }
    return FileOutcome::done;
}

u64 file_bytes(int descriptor)
{
    struct stat status;
    return ::fstat(descriptor, &status) == 0 ? static_cast<u64>(status.st_size) : 0;
}

FileOutcome flush_file(int descriptor)
{
    return ::fdatasync(descriptor) == 0 ? FileOutcome::done : FileOutcome::failed;
}

FileOutcome punch_at(int descriptor, u64 bytes, u64 offset)
{
    for (;;) {
        if (::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(offset), static_cast<off_t>(bytes))
            == 0)
            return FileOutcome::done;
        if (errno != EINTR)
            return errno == EOPNOTSUPP ? FileOutcome::done : FileOutcome::failed;
    }
}

} // namespace gemel::hosted
