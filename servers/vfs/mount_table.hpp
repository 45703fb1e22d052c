// Which file system serves a path: the mount whose path is the longest prefix, by whole components.
// A mount's path holds no symlink (the vfs resolved it when it mounted), so text is enough.
#pragma once

#include "core/base/result.hpp"
#include "servers/rt/ref.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::vfs {

inline constexpr usize mounts_max = 64;

// Whether `path` is `directory` or lies below it. Both absolute and clean; "/" holds everything.
inline bool is_within(std::string_view path, std::string_view directory)
{
    if (directory == "/")
        return true;
    return path.starts_with(directory)
        && (path.size() == directory.size() || path[directory.size()] == '/');
}

// `path` as the mount at `directory`, which holds it, names it: "" for its root.
inline std::string_view below(std::string_view path, std::string_view directory)
{
    if (path.size() == directory.size())
        return {};
    return path.substr(directory == "/" ? 1 : directory.size() + 1);
}

// M has a `path` (absolute, clean) and an `id` (never used again). Held shared: a mount that is
// taken away stays alive until the requests that use it are done.
template <typename M>
class MountTable {
public:
    // In place of what is mounted at the same path, if there is something: a file system's server
    // that was started again. Over mounts_max -> too_big.
    Result<void> put(Ref<M> mount)
    {
        for (auto& old : mounts_) {
            if (old->path == mount->path) {
                old = std::move(mount);
                return {};
            }
        }
        if (mounts_.size() == mounts_max)
            return Error::too_big;
        auto const longer
            = [](auto const& a, auto const& b) { return a->path.size() > b->path.size(); };
        mounts_.insert(std::upper_bound(mounts_.begin(), mounts_.end(), mount, longer), mount);
        return {};
    }

    // Nothing when no mount holds `path`.
    std::optional<Ref<M>> find(std::string_view path) const
    {
        for (auto const& mount : mounts_) // longest first
            if (is_within(path, mount->path))
                return mount;
        return std::nullopt;
    }

    // Whether `path` is a mount point or has one below it: such a name cannot go or move.
    bool is_busy(std::string_view path) const
    {
        return std::any_of(mounts_.begin(), mounts_.end(),
            [&](auto const& mount) { return is_within(mount->path, path); });
    }

    // Nothing mounted there -> not_found; something mounted below it -> busy.
    Result<void> remove(std::string_view path)
    {
        auto const found = std::find_if(
            mounts_.begin(), mounts_.end(), [&](auto const& mount) { return mount->path == path; });
        if (found == mounts_.end())
            return Error::not_found;
        for (auto const& mount : mounts_)
            if (mount->path != path && is_within(mount->path, path))
                return Error::busy;
        mounts_.erase(found);
        return {};
    }

    // The mounts whose mount point stands directly in `directory`, in the order they were mounted
    // (by their `id`).
    std::vector<Ref<M>> directly_in(std::string_view directory) const
    {
        std::vector<Ref<M>> children;
        for (auto const& mount : mounts_) {
            if (mount->path == directory || !is_within(mount->path, directory))
                continue;
            if (below(mount->path, directory).find('/') == std::string_view::npos)
                children.push_back(mount);
        }
        std::sort(children.begin(), children.end(),
            [](auto const& a, auto const& b) { return a->id < b->id; });
        return children;
    }

    // By path, shortest first.
    std::vector<Ref<M>> list() const { return { mounts_.rbegin(), mounts_.rend() }; }

private:
    std::vector<Ref<M>> mounts_; // longest path first
};

} // namespace gemel::vfs
