// Dispatch against hand-made messages: no kernel below.
#include "servers/rt/dispatch.hpp"
#include "servers/rt/test/garden.hpp"
#include "servers/rt/thread.hpp"

#include <gtest/gtest.h>

namespace gemel {

using test::Garden;

namespace {

struct Gardener {
    u64 planted = 0;
    Result<Garden::Plant::Reply> on(Garden::Plant const& request)
    {
        if (request.where == 13)
            throw std::bad_alloc();
        if (request.where == 14)
            throw std::length_error("too long");
        if (request.where == 15)
            return Error::no_space;
        planted = request.where;
        return Garden::Plant::Reply { 3, "rose" };
    }
    Result<Garden::Give::Reply> on(Garden::Give request)
    {
        return Garden::Give::Reply { std::move(request.second), std::move(request.first) };
    }
    void on(Garden::Wait const&, Deferred<Garden, Garden::Wait> deferred)
    {
        waiting.push_back(std::move(deferred));
    }
    Result<Garden::Empty::Reply> on(Garden::Empty const&) { return Garden::Empty::Reply {}; }
    std::vector<Deferred<Garden, Garden::Wait>> waiting;
};
static_assert(Serves<Gardener, Garden>);

struct Lazy {
    Result<Garden::Empty::Reply> on(Garden::Empty const&) { return Garden::Empty::Reply {}; }
};
static_assert(!Serves<Lazy, Garden>, "a handler that lacks messages must not pass");

u16 outcome(system::Message message, Gardener& gardener)
{
    Incoming in { message };
    ReplyToken token;
    auto const reply = dispatch<Garden>(gardener, in, token);
    return static_cast<u16>(reply->message().tag);
}

} // namespace

// Goal: the number finds the handler, and the answer carries its words.
TEST(Dispatch, TheNumberFindsTheHandler)
{
    Gardener gardener;
    Incoming in { system::Message { .tag = 2, .words = { 77, 0, 1, 0, 0, 0 } } };
    ReplyToken token;
    auto const reply = dispatch<Garden>(gardener, in, token);
    ASSERT_TRUE(reply);
    EXPECT_EQ(gardener.planted, 77u);
    EXPECT_EQ(reply->message().tag, 0u);
    EXPECT_EQ(reply->message().words[0], 3u);
}

// Goal: errors, the end of memory, unknown numbers and bad words each have their answer.
TEST(Dispatch, FailuresAreErrorNumbers)
{
    Gardener gardener;
    EXPECT_EQ(outcome({ .tag = 2, .words = { 15, 0, 1 } }, gardener), u16(Error::no_space));
    EXPECT_EQ(outcome({ .tag = 2, .words = { 13, 0, 1 } }, gardener), u16(Error::no_memory));
    EXPECT_EQ(outcome({ .tag = 2, .words = { 14, 0, 1 } }, gardener), u16(Error::no_memory));
    EXPECT_EQ(outcome({ .tag = 99, .words = {} }, gardener), u16(Error::bad_call));
    EXPECT_EQ(outcome({ .tag = 0, .words = {} }, gardener), u16(Error::bad_call));
    EXPECT_EQ(outcome({ .tag = 2, .words = { 0, 0, 256 } }, gardener), u16(Error::invalid_request));
}

// Goal: the sink is the task's own, found through the thread; outside a task there is none.
TEST(Dispatch, TheTraceSinkIsTheTasks)
{
    TraceBuffer buffer;
    Startup startup;
    TaskState task { startup, {}, 0 };
    task.trace = &buffer;
    ThreadBlock block { .task = &task };
    ThreadControl control { &control, &block };
    auto* const before = arch::thread_pointer();
    EXPECT_EQ(trace_sink(), nullptr);
    arch::set_thread_pointer(&control);
    auto* const sink = trace_sink();
    arch::set_thread_pointer(before);
    ASSERT_EQ(sink, &buffer);
    sink->line("garden.empty() -> ok");
    EXPECT_EQ(buffer.take(), std::vector<std::string> { "garden.empty() -> ok" });
    EXPECT_TRUE(buffer.take().empty());
}

} // namespace gemel
