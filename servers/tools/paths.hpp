// Paths as tools take and show them.
#pragma once

#include "servers/tools/context.hpp"

namespace gemel::tools {

// How deep ls -R, cp -r, du, find and rm -r follow a tree; deeper -> too_big.
inline constexpr u32 tree_depth_max = 64;

// Without slashes at the end; "/" stays.
std::string without_slashes(std::string path);
// The last name of a path; of "/" itself.
std::string last_name(std::string const& path);
std::string join(std::string const& directory, std::string_view name);

// Runs `work` on the absolute path of each operand; at least one is needed.
template <typename Work>
int for_each_path(Context& context, std::vector<std::string> const& paths, Work const& work)
{
    if (paths.empty())
        return context.usage("needs a path");
    auto status = status_ok;
    for (auto const& path : paths)
        if (Result<void> const done = work(context.absolute(path)); !done)
            status = context.fail(path, done.error());
    return status;
}

// What `cp A B`, `mv A... DIRECTORY` and `ln A` mean by their last operand: where each of `from`
// goes. Nothing, after a message, when several go to what is no directory.
class Destination {
public:
    static std::optional<Destination> of(Context& context, std::vector<std::string>& paths);
    // As a user would write it.
    std::string for_source(std::string const& from) const;

private:
    std::string to_;
    bool into_ = false;
};

} // namespace gemel::tools
