#include "frontends/fuse/host_error.hpp"

#include <cerrno>

namespace gemel::fuse {

int host_error(Error error)
{
    switch (error) {
    case Error::not_found:
        return ENOENT;
    case Error::exists:
        return EEXIST;
    case Error::not_directory:
        return ENOTDIR;
    case Error::is_directory:
        return EISDIR;
    case Error::not_empty:
        return ENOTEMPTY;
    case Error::read_only:
        return EROFS;
    case Error::name_too_long:
        return ENAMETOOLONG;
    case Error::symlink_loop:
        return ELOOP;
    case Error::no_space:
        return ENOSPC;
    case Error::corrupt:
        return EUCLEAN;
    case Error::unsupported:
        return EOPNOTSUPP;
    case Error::cross_device:
        return EXDEV;
    case Error::interrupted:
        return EINTR;
    case Error::too_many_open:
        return ENFILE;
    case Error::busy:
        return EBUSY;
    case Error::no_rights:
        return EPERM;
    case Error::too_big:
        return EFBIG;
    case Error::invalid:
        return EINVAL;
    case Error::no_memory:
    case Error::quota:
        return ENOMEM;
    case Error::timed_out:
        return ETIMEDOUT;
    case Error::unavailable:
        return EAGAIN;
    default:
        return EIO; // the rest is trouble inside: the log says which
    }
}

} // namespace gemel::fuse
