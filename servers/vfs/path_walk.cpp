// One path on its way to a file (see path_walk.hpp).
#include "servers/vfs/path_walk.hpp"

#include <algorithm>

namespace gemel::vfs {

using fskit::PathEnding;

PathWalk::PathWalk(fskit::SplitPath split, LastLink last)
    : components_(std::move(split.components))
    , ending_(split.ending)
    , last_(last)
    , ended_upwards_(
          ending_ == PathEnding::dot && !components_.empty() && components_.back() == "..")
{
}

Result<PathWalk> PathWalk::begin(std::string_view path, LastLink last)
{
    auto split = TRY(fskit::split_path(path));
    if (path.front() != '/')
        return Error::invalid;
    return PathWalk(std::move(split), last);
}

PathWalk::Question PathWalk::next()
{
    while (!components_.empty() && components_.front() == "..") // the root's parent is the root
        components_.erase(components_.begin());
    auto const up = std::find(components_.begin(), components_.end(), "..");
    return { .count = static_cast<usize>(up - components_.begin()),
        .whole = up == components_.end() };
}

std::string PathWalk::text(usize count) const
{
    return '/' + fskit::join_components(components_, 0, count);
}

void PathWalk::prefix_is_directory()
{
    auto const up = std::find(components_.begin(), components_.end(), "..");
    ASSERT(up != components_.begin() && up != components_.end());
    components_.erase(up - 1, up + 1);
}

Result<void> PathWalk::symlink(usize index, std::string_view target)
{
    if (index >= components_.size())
        return Error::invalid;
    if (symlinks_ == symlinks_max)
        return Error::symlink_loop;
    auto split = TRY(fskit::split_path(target));
    auto const is_last = index + 1 == components_.size();
    std::vector<std::string> expanded;
    if (target.front() != '/')
        expanded.assign(
            components_.begin(), components_.begin() + static_cast<std::ptrdiff_t>(index));
    std::move(split.components.begin(), split.components.end(), std::back_inserter(expanded));
    std::copy(components_.begin() + static_cast<std::ptrdiff_t>(index) + 1, components_.end(),
        std::back_inserter(expanded));
    usize bytes = 0;
    for (auto const& component : expanded)
        bytes += component.size() + 1;
    if (bytes > fskit::path_bytes_max)
        return Error::name_too_long;
    components_ = std::move(expanded);
    if (is_last && ending_ == PathEnding::name)
        ending_ = split.ending;
    ++symlinks_;
    return {};
}

} // namespace gemel::vfs
