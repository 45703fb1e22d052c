// A kernel at one instant, to come back to: the kernel object, and what of its pages can change
// without memory being mapped on the host: the tables of rows and pages, tasks, threads and ports.
// Small, so that taking one and coming back cost a few microseconds.
#pragma once

#include "tests/model/kernel_fixture.hpp"

#include <vector>

namespace gemel {

class Snapshot {
public:
    // Rows and messages in a ring beyond these are not kept: whoever explores must not need them.
    static constexpr u32 rows_max = 64;
    static constexpr u32 messages_max = 16;

    // Takes the place of what was kept before.
    void take(KernelFixture& fixture);
    void restore() const;

private:
    struct Piece {
        u8* at;
        usize offset;
        usize bytes;
    };
    void add(void const* at, usize bytes);

    KernelFixture* fixture_ = nullptr;
    u64 now_ns_ = 0;
    std::vector<Piece> pieces_;
    std::vector<u8> bytes_;
};

} // namespace gemel
