// For servers that offer only part of a protocol: answers `unsupported` to the listed requests. A
// handler derives from it, says `using Base::on;` and overloads what it does offer.
#pragma once

#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"

namespace gemel {

template <typename... Requests>
struct Refused;

template <typename Only>
struct Refused<Only> {
    Result<typename Only::Reply> on(Only const&) { return Error::unsupported; }
};

template <typename First, typename... Others>
requires(sizeof...(Others) > 0) struct Refused<First, Others...> : Refused<Others...> {
    using Refused<Others...>::on;
    Result<typename First::Reply> on(First const&) { return Error::unsupported; }
};

// What only files of a file system have.
using RefusedFileRequests = Refused<File::SetAttributes, File::Allocate, File::Seek,
    File::GetExtended, File::SetExtended, File::ListExtended, File::RemoveExtended>;

using RefusedByMemoryFiles = Refused<File::Allocate, File::GetExtended, File::SetExtended,
    File::ListExtended, File::RemoveExtended>;

using RefusedByMemoryTrees
    = Refused<Directory::GetExtended, Directory::SetExtended, Directory::ListExtended,
        Directory::RemoveExtended, Directory::Unmount, Directory::Fsck, Directory::Trim>;

} // namespace gemel
