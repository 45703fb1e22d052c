// What a storm may hit: the servers' own capabilities, and the objects that their answers carried.
#pragma once

#include "servers/rt/handle.hpp"
#include "tests/storm/chooser.hpp"

#include <string_view>
#include <vector>

namespace gemel::storm {

struct Target {
    std::string_view service; // whose object it is, at whatever remove
    Handle handle;
};

class Targets {
public:
    static constexpr usize found_max = 48; // a new object takes the place of a random older one

    void add_root(std::string_view service, Handle handle)
    {
        roots_.push_back({ service, std::move(handle) });
    }
    void add_found(std::string_view service, Handle handle, Chooser& chooser);

    bool empty() const { return roots_.empty(); }
    std::vector<Target> const& roots() const { return roots_; }
    // Every second time an object that an answer carried, when there is one.
    Target const& pick(Chooser& chooser) const;

private:
    std::vector<Target> roots_;
    std::vector<Target> found_;
};

} // namespace gemel::storm
