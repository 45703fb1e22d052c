// What is said of a fault that no task made.
#include "tests/support/in_system.hpp"

#include <gemel/hosted/device.hpp>

#include <gtest/gtest.h>

#include <csignal>

namespace gemel {

using namespace test;

namespace {

constexpr u32 port = 0x600;

// A device model with a bug.
class Broken final : public hosted::Device {
public:
    u32 read(u32, u32) override { return *nothing_; }
    void write(u32, u32, u32) override { }

private:
    u32 const volatile* nothing_ = reinterpret_cast<u32 const*>(0x40);
};

void read_it(hosted::HostThreads host_threads, u32 cpus)
{
    Broken broken;
    in_system(
        [](Init const& init) {
            operate(init.capability("broker-pio"), Operation::pio_read, { port, 4 });
        },
        32u << 20, [&](hosted::System& system) { system.machine().attach(port, 4, broken); }, cpus,
        arch::Isolation::off, host_threads);
}

} // namespace

// Goal: the process ends by the signal, as a debugger expects, and says where the fault was and
// which calls led there.
TEST(LastWords, AFaultInADeviceModelIsTold)
{
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(read_it(hosted::HostThreads::one, 1), testing::KilledBySignal(SIGSEGV),
        "a fault in the kernel or a device model: signal 11, address 0x40, thread [0-9]+ of task "
        "init\n(gemel:   addr2line -Cfpie [^ ]*last_words_test 0x[0-9a-f]+\n){4}");
    EXPECT_EXIT(read_it(hosted::HostThreads::one_each, 2), testing::KilledBySignal(SIGSEGV),
        "address 0x40, processor [01], thread [0-9]+ of task init\n");
}

} // namespace gemel
