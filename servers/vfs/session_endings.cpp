// Paths that end in "/", "." or ".." where a name is to be made, removed or moved. Linux's words
// for each, as tests/posix has them from its own ext4.
#include "servers/vfs/session.hpp"

namespace gemel::vfs {

using fskit::PathEnding;

// What has the name itself, whatever is behind it.
Result<FileStatus> Session::status_of_name(PathWalk walk)
{
    auto const mounts = names_.mounts();
    return resolve<FileStatus>(
        *mounts, walk, [](At const& at) { return at.mount->stat(at.relative(), LastLink::keep); });
}

// "f/" is a directory, or there is nothing to do.
Result<void> Session::check_ending(PathWalk const& walk)
{
    if (!walk.directory_required())
        return {};
    auto looked = walk;
    TRY(existing(looked, LastLink::follow));
    return {};
}

// A link's or node's name cannot end so; what is said depends on what is there.
Error Session::refuse_new_name(PathWalk const& walk)
{
    if (walk.ending() == PathEnding::dot) {
        auto const found = check_ending(walk);
        return found ? Error::exists : found.error();
    }
    auto const found = status_of_name(walk);
    return found ? Error::exists : found.error();
}

Error Session::refuse_removal(PathWalk const& walk, RemoveKind kind)
{
    if (walk.ending() == PathEnding::dot) {
        if (auto const found = check_ending(walk); !found)
            return found.error();
        if (kind == RemoveKind::file)
            return Error::is_directory;
        return walk.ended_upwards() ? Error::not_empty : Error::invalid;
    }
    auto const found = status_of_name(walk);
    if (!found)
        return found.error();
    return found->kind == FileKind::directory ? Error::is_directory : Error::not_directory;
}

Result<void> Session::check_rename_endings(
    PathWalk const& from, PathWalk const& to, RenameMode mode)
{
    for (auto const* const walk : { &from, &to }) {
        if (walk->ending() != PathEnding::dot)
            continue;
        TRY(check_ending(*walk));
        return walk == &to && mode == RenameMode::no_replace ? Error::exists : Error::busy;
    }
    bool const exchanges = mode == RenameMode::exchange;
    if (from.directory_required() || (to.directory_required() && !exchanges)) {
        if (TRY(status_of_name(from)).kind != FileKind::directory)
            return Error::not_directory;
    }
    if (to.directory_required() && exchanges) {
        if (TRY(status_of_name(to)).kind != FileKind::directory)
            return Error::not_directory;
    }
    return {};
}

} // namespace gemel::vfs
