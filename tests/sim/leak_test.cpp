// Plants: programs that let something into the closed world that is no function of the seed. Each
// kind must be caught, by the jail or by a hash that differs.
#include "sim/world/closed_world.hpp"
#include "tests/support/in_system.hpp"

#include <gemel/hosted/heap_fill.hpp>
#include <gemel/hosted/jail.hpp>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace gemel::sim {
namespace {

using test::Init;

struct Report {
    Hash l1;
    bool finished;
    bool caught;
    bool traps_rdtsc;
    char what[64];
};
Report* shared_report = nullptr;

void note_caught(char const* what)
{
    shared_report->caught = true;
    std::strncpy(shared_report->what, what, sizeof shared_report->what - 1);
}

// What a leaked value becomes: something that the kernel sees.
void tell(u64 value)
{
    for (u64 i = 0; i < (value & 15); ++i)
        test::call(Call::time, {});
}

using Plant = void (*)(Init const&);

enum class Disturbed : u8 { no, yes };

// One run in a process of its own, jailed, in a world of its own.
Report run(Plant plant, Disturbed disturbed)
{
    shared_report = static_cast<Report*>(
        ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    auto const child = ::fork();
    if (child == 0) {
        if (disturbed == Disturbed::yes) {
            ::setenv("PADDING", "three more words of it", 1);
            ::mallopt(M_PERTURB, 0x5B);
            hosted::fill_fresh_memory(0xA4);
            (void)!std::malloc(8 * 11);
        }
        Oracle oracle { 1, Rates {} };
        Trace trace { Trace::Keep::hash };
        Strategy strategy { StrategyKind::run_to_block, 1 };
        std::unique_ptr<ClosedWorld> world;
        test::in_system([&](Init const& init) { plant(init); }, 32u << 20,
            [&](hosted::System& system) {
                world = std::make_unique<ClosedWorld>(system, oracle, trace, strategy);
                system.machine().live_in(*world);
                auto const missing = hosted::close_jail({ { -1, -1, -1 }, note_caught });
                shared_report->traps_rdtsc
                    = missing.instructions.find("RDTSC") == std::string::npos;
            });
        shared_report->l1 = trace.hash();
        shared_report->finished = true;
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    // A thread is made with signals blocked: then the trap ends the process at once.
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        note_caught("a system call while signals were blocked");
    auto const report = *shared_report;
    ::munmap(shared_report, sizeof(Report));
    return report;
}

// How it was caught; "" when it was not.
std::string how_caught(Plant plant)
{
    auto const usual = run(plant, Disturbed::no);
    if (usual.caught)
        return usual.what;
    auto const disturbed = run(plant, Disturbed::yes);
    if (!usual.finished || !disturbed.finished)
        return "";
    return usual.l1 == disturbed.l1 ? "" : "L1";
}

// Goal: a body that leaks nothing is not caught, twice and disturbed.
TEST(Leak, NoneIsSeenWhereNoneIs)
{
    Plant const plant = [](Init const& init) {
        auto const own = std::make_unique<u64>(init.port());
        tell(*own);
    };
    EXPECT_EQ(how_caught(plant), "");
    auto const report = run(plant, Disturbed::no);
    EXPECT_TRUE(report.finished);
    EXPECT_FALSE(report.caught);
}

// clock_gettime reads the time stamp counter in the vDSO.
TEST(Leak, TheClock)
{
    EXPECT_NE(how_caught([](Init const&) {
        timespec now {};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        tell(static_cast<u64>(now.tv_nsec));
    }),
        "");
}

TEST(Leak, TheTimeStampCounter)
{
    Plant const plant = [](Init const&) { tell(__builtin_ia32_rdtsc()); };
    if (!run(plant, Disturbed::no).traps_rdtsc)
        GTEST_SKIP() << "this machine lets RDTSC pass";
    auto const caught = how_caught(plant);
    EXPECT_NE(caught.find("RDTSC"), std::string::npos) << caught;
}

TEST(Leak, Randomness)
{
    auto const caught = how_caught([](Init const&) {
        u64 value = 0;
        (void)!::getrandom(&value, sizeof value, 0);
        tell(value);
    });
    EXPECT_NE(caught.find("getrandom"), std::string::npos) << caught;
}

TEST(Leak, ARandomDevice)
{
    auto const caught
        = how_caught([](Init const&) { tell(::open("/dev/urandom", O_RDONLY) >= 0); });
    EXPECT_NE(caught.find("open"), std::string::npos) << caught;
}

TEST(Leak, AThread)
{
    auto const caught = how_caught([](Init const&) {
        std::thread thread { [] {} };
        thread.join();
    });
    EXPECT_NE(caught, "");
}

TEST(Leak, TheProcess)
{
    auto const caught = how_caught([](Init const&) { tell(static_cast<u64>(::getppid())); });
    EXPECT_NE(caught.find("system call"), std::string::npos) << caught;
}

TEST(Leak, Sleep)
{
    auto const caught = how_caught([](Init const&) {
        timespec const moment { 0, 1000 };
        ::nanosleep(&moment, nullptr);
    });
    EXPECT_NE(caught.find("nanosleep"), std::string::npos) << caught;
}

TEST(Leak, TheEnvironment)
{
    EXPECT_EQ(how_caught([](Init const&) {
        auto const* padding = ::getenv("PADDING");
        tell(padding ? std::strlen(padding) : 0);
    }),
        "L1");
}

// Goal: an order that follows addresses of the host's heap.
TEST(Leak, PointerOrder)
{
    EXPECT_EQ(how_caught([](Init const&) {
        auto* block = std::malloc(24);
        tell(reinterpret_cast<u64>(block) >> 4);
    }),
        "L1");
}

TEST(Leak, AnUninitialisedRead)
{
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the address sanitizer fills what malloc gives, with the same byte each time";
#endif
    if constexpr (arch::watches_races)
        GTEST_SKIP() << "the thread sanitizer's malloc asks for the time, and is caught for that";
    EXPECT_EQ(how_caught([](Init const&) {
        auto const volatile* bytes = static_cast<u8 volatile*>(std::malloc(5000));
        asm("" : "+r"(bytes)); // the compiler is not to see what it would warn of
        tell(bytes[4000]);
    }),
        "L1");
}

TEST(Leak, TheHostsFiles)
{
    auto const caught = how_caught([](Init const&) { tell(::access("/etc/passwd", R_OK) == 0); });
    EXPECT_NE(caught.find("system call"), std::string::npos) << caught;
}

} // namespace
} // namespace gemel::sim
