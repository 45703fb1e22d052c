#include "tests/native/walls.hpp"

#include "tests/native/puppets.hpp"

namespace gemel {

using namespace raw;

namespace {

void read_at(u64 address)
{
    leave(*reinterpret_cast<u8 volatile*>(address));
}
void write_at(u64 address)
{
    *reinterpret_cast<u8 volatile*>(address) = 1;
    leave(0);
}
void jump_to(u64 address)
{
    reinterpret_cast<void (*)()>(address)();
}

enum class Report { with_address, of_any_kind };

void expect_fault(Checks& checks, void (*entry)(u64), u64 address, std::string_view what,
    Report wanted = Report::with_address)
{
    Subject subject(checks, entry, address);
    subject.run();
    auto const message = subject.next();
    checks.expect(wanted == Report::with_address
            ? is_fault(message, FaultKind::page) && message.words[3] == address
            : (message.words[1] & 0xFFFF) == static_cast<u64>(KernelTag::fault),
        what);
    subject.end();
}

void own_memory(Checks& checks)
{
    constexpr u64 hole = 0x0123'4567'89AB'C000;
    auto const data = memory_new(page_bytes).address;
    expect_fault(checks, read_at, 8, "reading address 8 is a page fault at 8");
    expect_fault(checks, jump_to, data, "data is not executable");
    expect_fault(checks, write_at, reinterpret_cast<u64>(&read_at), "code is not writable");
    expect_fault(checks, write_at, reinterpret_cast<u64>(&checks.startup),
        "the startup page is not writable");
    expect_fault(checks, read_at, data + page_bytes, "a region ends where it ends");
    expect_fault(checks, read_at, hole, "an address that is none is a fault", Report::of_any_kind);
    expect_fault(checks, jump_to, hole, "jumping to an address that is none is a fault",
        Report::of_any_kind);
}

// Two tasks that run: what they have mapped at addresses where we have nothing.
void other_tasks(Checks& checks)
{
    Puppets puppets(checks.startup);
    if (!puppets.begin()) {
        checks.expect(false, "two tasks are there");
        return;
    }
    auto const theirs = puppets.task(0).base + 2 * region_bytes_max; // the mailboxes
    auto const before = *puppets.puppet(0).box;
    expect_fault(checks, read_at, theirs, "another task's memory cannot be read");
    expect_fault(checks, write_at, theirs, "another task's memory cannot be written");
    expect_fault(checks, jump_to, theirs, "another task's memory cannot be jumped into");
    expect_fault(checks, write_at, puppets.task(1).base + region_bytes_max,
        "another task's stack cannot be written");
    checks.expect(
        __builtin_memcmp(&before, puppets.puppet(0).box, sizeof before) == 0, "and is as it was");
    checks.expect(puppets.end(), "both tasks end");
}

void kernel_memory(Checks& checks)
{
    for (auto const& kernel : kernel_addresses()) {
        print(kernel.what);
        print(":\n");
        expect_fault(checks, read_at, kernel.address, "the kernel's memory cannot be read");
        expect_fault(checks, write_at, kernel.address, "the kernel's memory cannot be written");
        expect_fault(checks, jump_to, kernel.address, "the kernel cannot be jumped into");
    }
}

} // namespace

void walls(Checks& checks)
{
    own_memory(checks);
    other_tasks(checks);
    kernel_memory(checks);
}

} // namespace gemel
