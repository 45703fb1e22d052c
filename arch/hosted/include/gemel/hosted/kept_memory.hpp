// What a machine's memory holds at an instant, to be put back as often as wanted: for a process in
// which a machine stands still while its forked children, one after the other, go on with it.
// (What is around the memory each of them has for itself; the memory is shared, as it has to be to
// be mapped in many places.)
#pragma once

#include <gemel/arch/machine.hpp>

#include <vector>

namespace gemel::hosted {

class KeptMemory {
public:
    // Its memory as it is now. The machine outlives it.
    explicit KeptMemory(arch::Machine& machine);

    // Every byte is again as it was; pages that were never touched may have come into being as
    // zeroes.
    void put_back();
    // Makes the pages that came into being since present in this process at once, which costs less
    // than a page fault for each: what one run needed the next one is likely to need.
    void expect_the_same();

private:
    void put_back(u64 page);

    MachineMemory& memory_;
    std::vector<u32> place_; // by page: where in kept_ its bytes are, and one; 0: it held zeroes
    std::vector<u8> kept_;
    std::vector<MachineMemory::Range> later_; // touched since
};

} // namespace gemel::hosted
