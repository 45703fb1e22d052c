// A machine's memory that serves several runs: what one of them left must not reach the next.
#include <gemel/hosted/kept_memory.hpp>

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gemel::hosted {
namespace {

constexpr u64 memory_bytes = 64u << 20;
constexpr u64 later_bytes = 40u << 20; // more than what is looked through afterwards

u8& byte_at(arch::Machine& machine, u64 at)
{
    return *static_cast<u8*>(machine.at_physical(at));
}

// Goal: after a child has run in the memory, every byte is what it was.
// Method: a page that held something, one of zeroes and many that nobody had touched, each changed
// by a process that shares the memory; the whole is read.
TEST(KeptMemory, IsPutBackWhateverAChildDid)
{
    arch::Machine machine { memory_bytes };
    byte_at(machine, 5 * page_bytes + 7) = 42;
    byte_at(machine, 6 * page_bytes) = 0;
    KeptMemory kept { machine };
    for (int round = 0; round < 3; ++round) {
        auto const child = ::fork();
        if (child == 0) {
            kept.expect_the_same();
            byte_at(machine, 5 * page_bytes + 7) = 43;
            byte_at(machine, 5 * page_bytes + 8) = 1;
            byte_at(machine, 6 * page_bytes + 4095) = 1;
            for (u64 at = memory_bytes - later_bytes; at < memory_bytes; at += page_bytes)
                byte_at(machine, at + 100) = 9;
            ::_exit(0);
        }
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        EXPECT_EQ(byte_at(machine, 5 * page_bytes + 7), 43) << "the memory is not shared";
        kept.put_back();
        u64 others = 0;
        for (u64 at = 0; at < memory_bytes; ++at)
            others += at != 5 * page_bytes + 7 && byte_at(machine, at) != 0 ? 1 : 0;
        EXPECT_EQ(byte_at(machine, 5 * page_bytes + 7), 42);
        EXPECT_EQ(others, 0u);
    }
}

// Goal: a machine that takes the memory of one that is gone finds it as a fresh one would.
TEST(MachineMemory, IsClearForTheNextMachine)
{
    std::optional<arch::Machine> machine;
    machine.emplace(memory_bytes);
    for (u64 at = 0; at < memory_bytes; at += 3 * page_bytes)
        byte_at(*machine, at + 5) = 1;
    auto const memory = machine->memory();
    machine.reset();
    machine.emplace(memory_bytes, arch::Isolation::off, memory);
    EXPECT_EQ(machine->at_physical(0), memory->begin());
    u64 others = 0;
    for (u64 at = 0; at < memory_bytes; ++at)
        others += byte_at(*machine, at) != 0 ? 1 : 0;
    EXPECT_EQ(others, 0u);
}

// Goal: a page is zero only if every byte of it is.
TEST(MachineMemory, APageWithOneByteInItIsNotZero)
{
    u8 page[page_bytes] = {};
    EXPECT_TRUE(is_zero_page(page));
    for (usize at : { usize { 0 }, usize { 1 }, usize { 2049 }, page_bytes - 1 }) {
        page[at] = 1;
        EXPECT_FALSE(is_zero_page(page)) << at;
        page[at] = 0;
    }
}

} // namespace
} // namespace gemel::hosted
