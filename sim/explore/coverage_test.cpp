#include "sim/explore/coverage.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <string_view>

namespace gemel::sim {
namespace {

// A thread with this number, of a task with this name.
class Caller {
public:
    Caller(u16 id, std::string_view task)
        : thread_(std::make_unique<Thread>())
    {
        task.copy(task_.name, sizeof task_.name - 1);
        thread_->task = &task_;
        thread_->id = id;
    }
    void named(std::string_view name) { name.copy(thread_->name, sizeof thread_->name - 1); }
    operator Thread const&() const { return *thread_; }

private:
    Task task_;
    std::unique_ptr<Thread> thread_;
};

constexpr u16 call = static_cast<u16>(Call::port_receive) | 1u << 8;
constexpr u64 no_object = 0;

class CoverageTest : public ::testing::Test {
protected:
    std::unique_ptr<Coverage> coverage_ = std::make_unique<Coverage>();
    Caller client_ { 5, "client" };

    // Points that `step` adds to what was there.
    template <typename Step>
    usize added(Step step)
    {
        auto const before = coverage_->points();
        step();
        auto const after = coverage_->points();
        return static_cast<usize>(
            std::count_if(after.begin(), after.end(), [&](CoveredPoint const& point) {
                return std::none_of(before.begin(), before.end(),
                    [&](CoveredPoint const& each) { return each.number == point.number; });
            }));
    }
};

// Goal: an operation, an order of two of them, and an error each show once.
TEST_F(CoverageTest, TellsWhatWasNotSeenBefore)
{
    auto const asks = [&](u32 operation) {
        return [this, operation] { coverage_->entered(client_, call, operation, no_object, 1); };
    };
    EXPECT_EQ(added(asks(1)), 1u); // after nothing
    EXPECT_EQ(added(asks(1)), 1u); // after itself
    EXPECT_EQ(added(asks(2)), 1u);
    EXPECT_EQ(added(asks(1)), 1u);
    EXPECT_EQ(added([&] { coverage_->resumed(5, 0); }), 0u);
    coverage_->resumed(5, 0xFFFF'FFFF'0000'0004); // what it asks next, it asks after an error
    EXPECT_EQ(added(asks(2)), 1u);
}

// Goal: threads are alike when their tasks and they have the same names, whatever their numbers.
TEST_F(CoverageTest, KnowsThreadsByName)
{
    coverage_->entered(client_, call, 1, no_object, 1);
    auto const once = coverage_->points();
    auto const same = added([&] {
        coverage_->entered(Caller { 6, "client" }, call, 1, no_object, 1);
    });
    EXPECT_EQ(same, 1u); // the same place twice: another class
    EXPECT_EQ(coverage_->points().size(), once.size());
    Caller other { 7, "server" };
    EXPECT_EQ(added([&] { coverage_->entered(other, call, 1, no_object, 1); }), 1u);
    other.named("writer");
    coverage_->next_boot();
    EXPECT_EQ(added([&] { coverage_->entered(other, call, 1, no_object, 1); }), 1u);
}

// Goal: who comes to an object after whom shows; the same thread coming back does not.
TEST_F(CoverageTest, TellsWhoMeetsWhom)
{
    constexpr u64 port = 77;
    coverage_->entered(client_, call, 1, port, 1);
    coverage_->entered(Caller { 6, "server" }, call, 2, port, 1);
    auto const apart = std::make_unique<Coverage>();
    apart->entered(client_, call, 1, port, 1);
    apart->entered(Caller { 6, "server" }, call, 2, port + 1, 1);
    EXPECT_EQ(coverage_->points().size(), apart->points().size() + 1);
}

// Goal: twice as often is another point, once more of many is not.
TEST_F(CoverageTest, CountsInClasses)
{
    auto const again = [this] { coverage_->met(3, 1, 2); };
    EXPECT_EQ(added(again), 1u);
    EXPECT_EQ(added(again), 1u);
    for (u32 i = 0; i < 20; ++i)
        again();
    EXPECT_EQ(added(again), 0u);
    for (u32 i = 0; i < 1000; ++i)
        again();
    EXPECT_EQ(coverage_->points().size(), 1u);
    EXPECT_LT(coverage_->points()[0].number, Coverage::points_max);
}

// Goal: a point says when it came to be: at its first time, and again when it was in the next
// class.
TEST_F(CoverageTest, SaysWhen)
{
    for (u64 event : { 10, 20, 30, 40, 50, 60, 70, 80 })
        coverage_->entered(client_, call, 1, no_object, event);
    auto const points = coverage_->points(); // after nothing, and seven times after itself
    ASSERT_EQ(points.size(), 2u);
    auto const first = points[0].event == 10 ? 0u : 1u;
    EXPECT_EQ(points[first].event, 10u);
    EXPECT_EQ(points[1 - first].event, 70u); // the sixth: 6 to 8 are one class
}

} // namespace
} // namespace gemel::sim
