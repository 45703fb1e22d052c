#include "frontends/fuse/host_error.hpp"

#include <cerrno>

namespace gemel::fuse {

namespace {

// What a general word means in a particular request.
int special_error(hostmount::Operation operation, Error error)
{
    using hostmount::Operation;
    switch (operation) {
    case Operation::get_extended:
    case Operation::list_extended:
        return error == Error::too_big ? ERANGE : 0;
    case Operation::set_extended:
        return error == Error::too_big ? E2BIG : 0;
    case Operation::seek:
        return error == Error::not_found ? ENXIO : 0;
    default:
        return 0;
    }
}

} // namespace

int host_error(hostmount::Operation operation, Error error)
{
    if (auto const special = special_error(operation, error))
        return special;
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
    case Error::too_many_links:
        return EMLINK;
    case Error::no_attribute:
        return ENODATA;
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
