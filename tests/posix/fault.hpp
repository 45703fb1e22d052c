// How a call can fail, in POSIX's words, on every back end.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel::posix {

enum class Fault : u8 {
    none,
    perm,
    noent,
    io,
    nxio,
    badf,
    again,
    nomem,
    acces,
    busy,
    exist,
    xdev,
    notdir,
    isdir,
    inval,
    nfile,
    notty,
    fbig,
    nospc,
    rofs,
    mlink,
    range,
    nametoolong,
    notempty,
    loop,
    nodata,
    opnotsupp,
    toobig,
    uclean,
    txtbsy,
    other,
};

inline constexpr std::string_view fault_names[] = { "ok", "EPERM", "ENOENT", "EIO", "ENXIO",
    "EBADF", "EAGAIN", "ENOMEM", "EACCES", "EBUSY", "EEXIST", "EXDEV", "ENOTDIR", "EISDIR",
    "EINVAL", "ENFILE", "ENOTTY", "EFBIG", "ENOSPC", "EROFS", "EMLINK", "ERANGE", "ENAMETOOLONG",
    "ENOTEMPTY", "ELOOP", "ENODATA", "EOPNOTSUPP", "E2BIG", "EUCLEAN", "ETXTBSY", "another error" };
static_assert(sizeof(fault_names) / sizeof(fault_names[0]) == static_cast<usize>(Fault::other) + 1);

constexpr std::string_view name_of(Fault fault)
{
    return fault_names[static_cast<usize>(fault)];
}

} // namespace gemel::posix
