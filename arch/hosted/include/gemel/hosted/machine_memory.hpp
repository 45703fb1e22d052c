// A hosted machine's physical memory: a file in memory, mapped at a fixed address. It may outlive
// the machine and serve the next one, since pages that the host has given cost nothing a second
// time.
#pragma once

#include "core/arch/types.hpp"

#include <vector>

namespace gemel::hosted {

class MachineMemory {
public:
    // Throws std::system_error when the host refuses. One at a time: the address is one.
    MachineMemory(u64 address, u64 bytes);
    ~MachineMemory();
    MachineMemory(MachineMemory const&) = delete;
    MachineMemory& operator=(MachineMemory const&) = delete;

    u8* begin() const { return begin_; }
    u64 bytes() const { return bytes_; }
    int descriptor() const { return descriptor_; }

    struct Range {
        u64 begin;
        u64 end;
    };
    // The pages that were touched. The others are holes of the file: they hold zeroes, and reading
    // them would make them be.
    std::vector<Range> touched() const;
    // Makes these pages present in this process at once, which costs less than a fault for each.
    void expect(Range const& range);
    // Every byte is zero again.
    void clear();

private:
    u8* begin_ = nullptr;
    u64 bytes_;
    int descriptor_;
};

// Of a page. Reads all of it before it answers: a page that is not zero is the rarer one.
bool is_zero_page(u8 const* page);

} // namespace gemel::hosted
