// Whether a task holds more and more. Looked at between rounds that do the same: what grows in each
// of the last ones is a leak, what is kept once (a cache, a heap that found its size) is none.
#pragma once

#include <gemel/hosted/inspector.hpp>

namespace gemel::sim {

class Growth {
public:
    static constexpr usize rounds = 4; // in all of which it has to grow

    void look(Inspector const& inspector) { looks_.push_back(inspector.holdings()); }
    // For tests: a look made elsewhere.
    void look(std::vector<Inspector::Holding> holdings) { looks_.push_back(std::move(holdings)); }
    // "" when nothing grows, or too few looks were taken.
    std::string found() const;

private:
    std::vector<std::vector<Inspector::Holding>> looks_;
};

} // namespace gemel::sim
