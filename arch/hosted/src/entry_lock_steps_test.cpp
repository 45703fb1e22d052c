// The lock of processors that are host threads, halted at each of its instructions.
#include "arch/hosted/src/entry_lock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <functional>
#include <map>
#include <sched.h>
#include <sys/ucontext.h>
#include <thread>
#include <vector>

extern "C" {
extern char __executable_start;
extern char etext;
}

namespace gemel::arch {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds a_moment { 20 };
constexpr std::chrono::milliseconds asleep_by_then { 1 };
constexpr std::chrono::seconds patience { 5 };

bool comes(std::function<bool()> const& condition, std::chrono::nanoseconds within)
{
    for (auto const end = Clock::now() + within; !condition();) {
        if (Clock::now() > end)
            return false;
        std::this_thread::sleep_for(a_moment);
    }
    return true;
}

// What a thread did that went by single steps, and before which of them it stands still, as if the
// host had halted it.
struct Steps {
    static constexpr u32 count_max = 4096;

    std::vector<u32> halts;
    std::atomic<u32> count = 0;
    u64 instructions[count_max] = {};
    std::atomic<u32> halted = 0; // so often
    std::atomic<u32> sent_on = 0;
};
std::atomic<Steps*> steps_now = nullptr; // for the signal's handler

constexpr greg_t trap_flag = 0x100;

void on_step(int, siginfo_t*, void* raw)
{
    auto& steps = *steps_now.load();
    auto const number = steps.count.load();
    auto& registers = static_cast<ucontext_t*>(raw)->uc_mcontext.gregs;
    if (number < Steps::count_max)
        steps.instructions[number] = static_cast<u64>(registers[REG_RIP]);
    steps.count.store(number + 1);
    auto const which = steps.halted.load();
    if (which == steps.halts.size() || steps.halts[which] != number)
        return;
    steps.halted.store(which + 1);
    while (steps.sent_on.load() <= which)
        ::sched_yield();
    if (which + 1 == steps.halts.size())
        registers[REG_EFL] &= ~trap_flag;
}

void on_rescue(int, siginfo_t*, void*) { }

void hear(int signal, void (*handler)(int, siginfo_t*, void*))
{
    struct sigaction action { };
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = handler;
    ::sigaction(signal, &action, nullptr);
}

// What the calling thread does from here on goes by single steps, each followed by SIGTRAP.
void begin_steps()
{
    asm volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"
                 "leaq 128(%%rsp), %%rsp" ::
                     : "memory", "cc");
}
void end_steps()
{
    asm volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"
                 "leaq 128(%%rsp), %%rsp" ::
                     : "memory", "cc");
}

enum class Stepped : u8 { nothing, take, give };
enum class Stay : u8 { short_while, until_the_other_is_done };

// A lock and two who visit it, each once: one of them by single steps.
class Scene {
public:
    explicit Scene(std::vector<u32> halts)
    {
        steps.halts = std::move(halts);
        steps_now.store(&steps);
    }
    ~Scene()
    {
        for (auto& visitor : visitors_)
            visitor.thread.join();
    }

    void begin(Stepped stepped, Stay stay = Stay::short_while)
    {
        auto& visitor = visitors_.emplace_back();
        visitor.thread
            = std::thread([this, &visitor, stepped, stay] { visit(visitor, stepped, stay); });
    }
    bool is_inside() const { return inside_.load(); }
    bool done(u32 visitor) const { return visitors_[visitor].done.load(); }
    // The one who goes by single steps: it stands for the n-th time.
    bool stands(u32 times) const { return steps.halted.load() >= times; }
    void send_on() { steps.sent_on.fetch_add(1); }
    // It stands, or does not get on: it sleeps, or has done its visit.
    void wait_for_stand(u32 times)
    {
        comes([&] { return steps.count.load() != 0 || done(0); }, patience);
        auto const within = steps.halts.empty() ? asleep_by_then * 20 : asleep_by_then;
        for (u32 before = 0; !stands(times) && before != steps.count.load();) {
            before = steps.count.load();
            comes([&] { return stands(times); }, within);
        }
    }
    // Everyone has done his visit, and nobody met another inside. Whoever sleeps for ever is woken
    // after all; nobody can mend a lock that stays taken.
    testing::AssertionResult went_well()
    {
        if (!comes([&] { return all_done(); }, patience)) {
            send_on();
            for (auto& visitor : visitors_)
                if (!visitor.done.load())
                    ::pthread_kill(visitor.thread.native_handle(), SIGUSR1);
            if (!comes([&] { return all_done(); }, patience))
                std::terminate();
            return testing::AssertionFailure() << "one sleeps beside a lock that is open";
        }
        if (crowds_.load() != 0)
            return testing::AssertionFailure() << "two are inside";
        return testing::AssertionSuccess();
    }

    EntryLock lock;
    Steps steps;

private:
    struct Visitor {
        std::thread thread;
        std::atomic<bool> done = false;
    };

    bool all_done() const
    {
        return std::ranges::all_of(visitors_, [](auto const& one) { return one.done.load(); });
    }

    void visit(Visitor& visitor, Stepped stepped, Stay stay)
    {
        if (stepped == Stepped::take)
            begin_steps();
        lock.take();
        end_steps();
        crowds_.fetch_add(inside_.exchange(true) ? 1 : 0);
        if (stay == Stay::until_the_other_is_done) // as he should not be
            comes([&] { return done(0); }, asleep_by_then);
        inside_.store(false);
        if (stepped == Stepped::give)
            begin_steps();
        lock.give();
        end_steps();
        visitor.done.store(true);
    }

    std::atomic<bool> inside_ = false;
    std::atomic<u32> crowds_ = 0;
    std::deque<Visitor> visitors_;
};

// One takes the lock by single steps while it is held. At his first stand, or when he sleeps, it is
// given, and at his last one another comes and goes if he can.
testing::AssertionResult taken_by_steps(Scene& scene, Stay stay)
{
    auto const stands = static_cast<u32>(scene.steps.halts.size());
    scene.lock.take();
    scene.begin(Stepped::take);
    scene.wait_for_stand(1);
    scene.lock.give();
    for (u32 times = 1; times <= stands; ++times) {
        scene.wait_for_stand(times);
        if (times == stands) {
            scene.begin(Stepped::nothing, stay);
            auto const in_time
                = [&] { return scene.done(1) || (stay != Stay::short_while && scene.is_inside()); };
            comes(in_time, asleep_by_then);
        }
        scene.send_on();
    }
    return scene.went_well();
}

// One gives the lock by single steps. At his stand another comes, and sleeps if he must.
testing::AssertionResult given_by_steps(Scene& scene)
{
    scene.begin(Stepped::give);
    scene.wait_for_stand(1);
    scene.begin(Stepped::nothing);
    comes([&] { return scene.done(1); }, asleep_by_then);
    scene.send_on();
    return scene.went_well();
}

// Before which steps to halt: each of the program's own instructions the first time, and the last.
std::vector<u32> places(Steps const& steps)
{
    std::map<u64, std::pair<u32, u32>> times;
    auto const count = std::min(steps.count.load(), Steps::count_max);
    for (u32 number = 0; number < count; ++number) {
        auto const at = steps.instructions[number];
        if (at >= reinterpret_cast<u64>(&__executable_start) && at < reinterpret_cast<u64>(&etext))
            times.try_emplace(at, number, number).first->second.second = number;
    }
    std::vector<u32> all;
    for (auto const& [instruction, ends] : times)
        for (auto const number : { ends.first, ends.second })
            all.push_back(number);
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    return all;
}

// What such a visit's steps are when nobody halts it.
template <typename Visits>
std::vector<u32> places_of(Visits&& visits)
{
    std::vector<u32> all;
    for (unsigned times = 0; times < 2; ++times) { // the first finds functions of libraries
        Scene scene({});
        EXPECT_TRUE(visits(scene));
        all = places(scene.steps);
    }
    return all;
}

class EntryLockBySteps : public testing::Test {
protected:
    void SetUp() override
    {
#if defined(GEMEL_TSAN)
        GTEST_SKIP() << "the steps would be the sanitizer's";
#endif
        hear(SIGTRAP, on_step);
        hear(SIGUSR1, on_rescue);
    }
};

} // namespace

// Goal: wherever the host halts who gives the lock, nobody is left asleep beside it.
TEST_F(EntryLockBySteps, NobodyIsForgottenByAGiver)
{
    auto const all = places_of(given_by_steps);
    EXPECT_GT(all.size(), 3u);
    for (auto const place : all) {
        Scene scene({ place });
        ASSERT_TRUE(given_by_steps(scene)) << "halted before step " << place;
    }
}

// Goal: wherever the host halts who takes the lock, once or twice, he gets it, and alone.
TEST_F(EntryLockBySteps, EachTakesItAlone)
{
    constexpr u32 distances[] = { 0, 1, 3, 8 }; // in steps, from one halt to the next
    auto const visits = [](Scene& scene) { return taken_by_steps(scene, Stay::short_while); };
    auto const all = places_of(visits);
    EXPECT_GT(all.size(), 20u);
    for (auto const place : all)
        for (auto const between : distances)
            for (auto const stay : { Stay::short_while, Stay::until_the_other_is_done }) {
                Scene scene(
                    between == 0 ? std::vector { place } : std::vector { place, place + between });
                ASSERT_TRUE(taken_by_steps(scene, stay))
                    << "halted before step " << place << " and " << between << " later";
            }
}

} // namespace gemel::arch
