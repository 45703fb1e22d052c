// What compiled code does, counted by a pass of the compiler (sim/preempt) in edges: a loop's way
// back, and the entry of a function that calls. Only a build with that pass counts.
#pragma once

#include "core/base/types.hpp"

// How many edges are left before gemel_edges_out (src/edges.S) is called. The pass knows the names.
extern "C" gemel::i64 gemel_edges_left;

namespace gemel::hosted {

#if defined(GEMEL_PREEMPT)
inline constexpr bool counts_edges = true;
#else
inline constexpr bool counts_edges = false;
#endif
inline constexpr i64 edges_unlimited = i64 { 1 } << 62;

// What is done meanwhile is nobody's: a world's code, reached from a task's, may hold counting
// copies of inline functions.
class EdgesPause {
public:
    EdgesPause()
    {
        if constexpr (counts_edges) {
            left_ = gemel_edges_left;
            gemel_edges_left = edges_unlimited;
        }
    }
    ~EdgesPause()
    {
        if constexpr (counts_edges)
            gemel_edges_left = left_;
    }
    EdgesPause(EdgesPause const&) = delete;
    EdgesPause& operator=(EdgesPause const&) = delete;

private:
    i64 left_ = 0;
};

} // namespace gemel::hosted
