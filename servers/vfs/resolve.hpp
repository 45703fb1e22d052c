// From a path to the mount that serves it and the name it has there, asking file systems on the
// way.
//
// Volume (what a mount must have): `path`, `id`, and
//   Result<std::variant<FileKind, fskit::LinkMet>> probe(std::string_view relative)
// which says what stands at `relative`, following no symlink but reporting it.
#pragma once

#include "servers/fskit/node_tree.hpp"
#include "servers/vfs/mount_table.hpp"
#include "servers/vfs/path_walk.hpp"

namespace gemel::vfs {

// Where a path stands, as far as is known: its mount, its name there and its text. Components may
// still turn out to be symlinks.
template <typename M>
struct Located {
    Ref<M> mount;
    std::string text;

    std::string_view relative() const { return below(text, mount->path); }
};

inline usize component_count(std::string_view absolute)
{
    return absolute == "/" ? 0
                           : static_cast<usize>(std::count(absolute.begin(), absolute.end(), '/'));
}

// A symlink that `at` met: the walk goes on where its text leads.
template <typename M>
Result<void> follow(PathWalk& walk, Located<M> const& at, fskit::LinkMet const& link)
{
    return walk.symlink(component_count(at.mount->path) + link.component, link.text);
}

// Asks for every prefix that a ".." leaves, until none is left. Ends: each round takes a ".." away
// or follows one of at most 40 symlinks. Nothing mounted -> unavailable.
template <typename M>
Result<Located<M>> locate(MountTable<M> const& mounts, PathWalk& walk)
{
    for (;;) {
        auto const question = walk.next();
        auto text = walk.text(question.count);
        auto const mount = mounts.find(text);
        if (!mount)
            return Error::unavailable;
        Located<M> at { *mount, std::move(text) };
        if (question.whole)
            return at;
        auto const found = TRY(at.mount->probe(at.relative()));
        if (auto const* const link = std::get_if<fskit::LinkMet>(&found))
            TRY(follow(walk, at, *link));
        else if (std::get<FileKind>(found) != FileKind::directory)
            return Error::not_directory;
        else
            walk.prefix_is_directory();
    }
}

// Runs ask(located) -> Result<std::variant<T, fskit::LinkMet>> until it meets no symlink.
template <typename T, typename M, typename Ask>
Result<T> resolve(MountTable<M> const& mounts, PathWalk& walk, Ask ask)
{
    for (;;) {
        auto const at = TRY(locate(mounts, walk));
        std::variant<T, fskit::LinkMet> answer = TRY(ask(at));
        if (auto* const done = std::get_if<T>(&answer))
            return std::move(*done);
        TRY(follow(walk, at, std::get<fskit::LinkMet>(answer)));
    }
}

template <typename M>
struct LocatedPair {
    Located<M> from;
    Located<M> to;
};

// Follows the symlinks before the last name of `at`. True: there were some.
template <typename M>
Result<bool> follow_parents(PathWalk& walk, Located<M> const& at)
{
    auto const relative = at.relative();
    auto const slash = relative.rfind('/');
    auto const parent
        = slash == std::string_view::npos ? std::string_view {} : relative.substr(0, slash);
    auto const found = TRY(at.mount->probe(parent));
    auto const* const link = std::get_if<fskit::LinkMet>(&found);
    if (link)
        TRY(follow(walk, at, *link));
    return link != nullptr;
}

// Both paths of a rename, which must lie on one mount (cross_device; busy for a mount point
// itself). Components may still turn out to be symlinks.
template <typename M>
Result<LocatedPair<M>> locate_pair(MountTable<M> const& mounts, PathWalk& from, PathWalk& to)
{
    for (;;) {
        LocatedPair<M> pair { TRY(locate(mounts, from)), TRY(locate(mounts, to)) };
        if (pair.from.mount == pair.to.mount)
            return pair;
        // Their texts lie on different mounts; a symlink may still lead one to the other's.
        if (TRY(follow_parents(from, pair.from)) || TRY(follow_parents(to, pair.to)))
            continue;
        auto const at_mount = pair.from.relative().empty() || pair.to.relative().empty();
        return at_mount ? Error::busy : Error::cross_device;
    }
}

} // namespace gemel::vfs
