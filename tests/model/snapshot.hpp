// A kernel at one instant, to come back to: the kernel object and every page that is in use. Only
// for kernels that never map memory on the host in between.
#pragma once

#include "tests/model/kernel_fixture.hpp"

#include <vector>

namespace gemel {

class Snapshot {
public:
    explicit Snapshot(KernelFixture& fixture);
    void restore() const;

private:
    struct Page {
        u8* at;
        std::vector<u8> bytes;
    };
    KernelFixture& fixture_;
    u64 now_ns_;
    std::vector<u8> kernel_;
    std::vector<Page> pages_;
};

} // namespace gemel
