// Servers and clients on the real kernel: round trips, capabilities, objects, answers kept for
// later.
#include "servers/rt/test/garden.hpp"
#include "servers/rt/test/in_program.hpp"

#include <gtest/gtest.h>

namespace gemel {

using test::Garden;
using test::in_program;
using test::in_thread;

namespace {

struct Gardener {
    explicit Gardener(u32 number = 0)
        : number_(number)
    {
    }
    Result<Garden::Plant::Reply> on(Garden::Plant const& request)
    {
        if (request.where == 15)
            return Error::no_space;
        return Garden::Plant::Reply { number_ + request.span.length, "rose" };
    }
    Result<Garden::Give::Reply> on(Garden::Give request)
    {
        return Garden::Give::Reply { std::move(request.third), std::move(request.first) };
    }
    void on(Garden::Wait const&, Deferred<Garden, Garden::Wait> deferred)
    {
        waiting.lock()->push_back(std::move(deferred));
    }
    Result<Garden::Empty::Reply> on(Garden::Empty const&)
    {
        auto const inside = ++inside_;
        if (inside > most_inside)
            most_inside = inside;
        for (int i = 0; i < 5; ++i)
            system::sched_yield();
        --inside_;
        return Garden::Empty::Reply {};
    }
    Guarded<std::vector<Deferred<Garden, Garden::Wait>>> waiting;
    std::atomic<unsigned> most_inside { 0 };

private:
    u32 number_;
    std::atomic<unsigned> inside_ { 0 };
};

// A server in a thread of its own, and a client of it.
struct Served {
    explicit Served(unsigned threads)
        : port(*system::port_allocate())
        , client(std::move(*port.derive(Right::call | Right::derive)))
    {
        run = [this, threads] { (void)serve<Garden>(port, gardener, { .threads = threads }); };
        in_thread(run);
    }
    Gardener gardener;
    Handle port;
    Client<Garden> client;
    std::function<void()> run;
};

// Yields until `condition` holds; false after many turns.
bool eventually(std::function<bool()> const& condition)
{
    for (int i = 0; i < 10'000; ++i) {
        if (condition())
            return true;
        system::sched_yield();
    }
    return false;
}

} // namespace

// Goal: a typed call comes back with its answer or its error, many times.
TEST(Serve, RoundTrips)
{
    EXPECT_EQ(in_program([](Env&) {
        Served served { 1 };
        for (u32 i = 0; i < 1000; ++i) {
            auto const reply = served.client.call(
                Garden::Plant { .where = i == 7 ? 15u : i + 100, .span = { 0, i }, .colour = {} });
            if (i == 7) {
                EXPECT_EQ(reply.error(), Error::no_space);
                continue;
            }
            EXPECT_TRUE(reply);
            EXPECT_EQ(reply->count, i);
            EXPECT_EQ(reply->label.view(), "rose");
        }
    }),
        0);
}

namespace {

// Its gift comes when the caller has given up.
struct LateGardener : Gardener {
    explicit LateGardener(Handle const& from)
        : gift(from)
    {
    }
    using Gardener::on;
    Result<Garden::Give::Reply> on(Garden::Give)
    {
        sleep_until(Deadline::after_ms(30));
        return Garden::Give::Reply { TRY(gift.derive(Right::call | Right::derive)), Handle() };
    }
    Handle const& gift;
};

} // namespace

// Goal: what an answer carries to a caller that is gone comes back, and is closed.
// Method: count what was derived for callers that no longer wait, after the server has gone on.
TEST(Serve, AnAnswerThatNobodyTakesKeepsNothing)
{
    EXPECT_EQ(in_program([](Env&) {
        Handle const gift(*system::port_allocate());
        LateGardener gardener(gift);
        Handle const port(*system::port_allocate());
        Client<Garden> const client(std::move(*port.derive(Right::call | Right::derive)));
        std::function<void()> run = [&] { (void)serve<Garden>(port, gardener, {}); };
        in_thread(run);
        for (int i = 0; i < 3; ++i) {
            auto const late = client.call(Garden::Give {}, Deadline::after_ms(5));
            EXPECT_EQ(late.error(), Error::timed_out);
            EXPECT_TRUE(client.call(Garden::Empty {}));
        }
        EXPECT_TRUE(client.call(Garden::Empty {}));
        EXPECT_EQ(gift.inspect()->children, 0u);
    }),
        0);
}

namespace {

// Has no memory whenever it is told to.
class Starving final : public Service {
public:
    Disposition dispatch(u64, Incoming&, ReplyToken&) override
    {
        if (std::exchange(starve_dispatch, false))
            throw std::bad_alloc();
        return Outgoing();
    }
    void notified(u64 bits) override
    {
        if (notified_throws-- > 0)
            throw std::bad_alloc();
        seen |= bits;
    }
    Deadline next_deadline() override { return due ? Deadline::at_ns(1) : Deadline::none(); }
    void deadline_passed() override
    {
        if (deadline_throws-- > 0)
            throw std::length_error("no room");
        due = false;
    }
    bool starve_dispatch = true;
    std::atomic<int> notified_throws { 3 };
    std::atomic<int> deadline_throws { 3 };
    std::atomic<bool> due { false };
    std::atomic<u64> seen { 0 };
};

} // namespace

// Goal: the end of memory ends no server, and loses no notification and no deadline.
// Method: a service that throws as the library does, a few times each; then all has happened once.
TEST(Serve, TheEndOfMemoryEndsNoServer)
{
    EXPECT_EQ(in_program([](Env&) {
        Starving service;
        Handle const port { *system::port_allocate() };
        std::function<void()> run = [&] { (void)serve_with(port, service); };
        in_thread(run);
        Client<Garden> const client { std::move(*port.derive(Right::call | Right::derive)) };
        EXPECT_EQ(client.call(Garden::Empty {}).error(), Error::no_memory);
        EXPECT_TRUE(client.call(Garden::Empty {}));
        EXPECT_TRUE(system::signal(port.value(), 5));
        EXPECT_TRUE(system::signal(port.value(), 2));
        for (int i = 0; i < 1000 && service.seen != 7; ++i)
            sleep_until(Deadline::after_ms(1));
        EXPECT_EQ(service.seen, 7u);
        service.due = true;
        EXPECT_TRUE(client.call(Garden::Empty {})); // it looks at its deadline again
        for (int i = 0; i < 1000 && service.due; ++i)
            sleep_until(Deadline::after_ms(1));
        EXPECT_FALSE(service.due);
        EXPECT_TRUE(client.call(Garden::Empty {}));
    }),
        0);
}

namespace {

// Wants to be called once many requests came.
class Busy final : public Service {
public:
    static constexpr u64 due_after = 500;
    static constexpr u64 late_max = 128;

    Disposition dispatch(u64, Incoming&, ReplyToken&) override
    {
        ++requests;
        for (int i = 0; i < 3; ++i)
            system::sched_yield(); // meanwhile others queue up
        return Outgoing();
    }
    void notified(u64) override { }
    Deadline next_deadline() override
    {
        return requests >= due_after && called_after == 0 ? Deadline::at_ns(1) : Deadline::none();
    }
    void deadline_passed() override
    {
        if (called_after == 0)
            called_after = requests.load();
    }
    std::atomic<u64> requests { 0 };
    std::atomic<u64> called_after { 0 };
};

} // namespace

// Goal: a deadline is kept by a server that always has a request to answer.
// Method: clients that call as fast as they can; how many more were answered before it was heeded.
TEST(Serve, ADeadlineIsKeptWhileRequestsCome)
{
    EXPECT_EQ(in_program([](Env&) {
        Busy service;
        Handle const port { *system::port_allocate() };
        std::function<void()> run = [&] { (void)serve_with(port, service); };
        in_thread(run);
        Client<Garden> const client { std::move(*port.derive(Right::call | Right::derive)) };
        std::atomic<unsigned> done { 0 };
        std::function<void()> const call = [&] {
            for (int i = 0; i < 1000; ++i)
                EXPECT_TRUE(client.call(Garden::Empty {}));
            ++done;
        };
        std::vector<std::function<void()>> clients(6, call);
        for (auto& one : clients)
            in_thread(one);
        while (done < clients.size() || service.called_after == 0)
            sleep_until(Deadline::after_ms(1));
        EXPECT_LE(service.called_after, Busy::due_after + Busy::late_max);
    }),
        0);
}

// Goal: capabilities travel both ways and still mean the same object; none is lost or doubled.
TEST(Serve, CapabilitiesTravelBothWays)
{
    EXPECT_EQ(in_program([](Env& env) {
        Served served { 2 };
        auto const totals = [&, audit = AuditBroker(std::move(*env.take_handle("broker-audit")))] {
            return audit.totals()->rows_free;
        };
        EXPECT_TRUE(served.client.call(Garden::Empty {})); // the pool is there now
        auto const free_before = totals();
        for (int i = 0; i < 50; ++i) {
            Handle const original { *system::port_allocate() };
            auto reply = served.client.call(Garden::Give { .badge = 1,
                .first = std::move(*original.derive(Right::send | Right::derive)),
                .second = Handle(),
                .third = Handle() });
            EXPECT_TRUE(reply);
            EXPECT_FALSE(reply->first);
            EXPECT_TRUE(reply->second);
            EXPECT_EQ(reply->second.inspect()->object, original.inspect()->object);
        }
        EXPECT_EQ(totals(), free_before);
    }),
        0);
}

// Goal: the pool really works on several requests at once, and on no more than it was told.
TEST(Serve, ThePoolHasItsBound)
{
    EXPECT_EQ(in_program([](Env&) {
        Served served { 3 };
        std::atomic<unsigned> done { 0 };
        std::function<void()> const client = [&] {
            (void)served.client.call(Garden::Empty {});
            ++done;
        };
        std::vector<std::function<void()>> clients(9, client);
        for (auto& one : clients)
            in_thread(one);
        EXPECT_TRUE(eventually([&] { return done == 9; }));
        EXPECT_EQ(served.gardener.most_inside, 3u);
    }),
        0);
}

// Goal: who waits holds no thread of the pool: ten waiters for each thread, and the server still
// serves.
TEST(Serve, DeferredAnswersHoldNoThread)
{
    EXPECT_EQ(in_program([](Env&) {
        Served served { 2 };
        constexpr unsigned waiters = 20;
        std::atomic<unsigned> answered { 0 };
        std::function<void()> const wait = [&] {
            auto const reply = served.client.call(Garden::Wait {});
            if (reply && reply->order == 5)
                ++answered;
        };
        std::vector<std::function<void()>> threads(waiters, wait);
        for (auto& thread : threads)
            in_thread(thread);
        auto& waiting = served.gardener.waiting;
        EXPECT_TRUE(eventually([&] { return waiting.lock()->size() == waiters; }));
        EXPECT_TRUE(served.client.call(Garden::Empty {}));
        EXPECT_EQ(answered, 0u);
        for (auto& deferred : std::exchange(*waiting.lock(), {}))
            EXPECT_TRUE(deferred.reply(Garden::Wait::Reply { 5 }));
        EXPECT_TRUE(eventually([&] { return answered == waiters; }));
    }),
        0);
}

// Goal: nothing waits for ever: a deadline, a dropped answer and a revoked capability each end a
// call.
TEST(Serve, EveryCallEnds)
{
    EXPECT_EQ(in_program([](Env&) {
        Served served { 1 };
        EXPECT_EQ(
            served.client.call(Garden::Wait {}, Deadline::after_ms(20)).error(), Error::timed_out);
        auto late = std::exchange(*served.gardener.waiting.lock(), {});
        EXPECT_FALSE(late[0].reply(Garden::Wait::Reply { 1 }));
        std::optional<Error> heard;
        std::function<void()> wait = [&] { heard = served.client.call(Garden::Wait {}).error(); };
        in_thread(wait);
        EXPECT_TRUE(eventually([&] { return served.gardener.waiting.lock()->size() == 1; }));
        served.gardener.waiting.lock()->clear();
        EXPECT_TRUE(eventually([&] { return heard.has_value(); }));
        EXPECT_EQ(*heard, Error::dead);
        EXPECT_TRUE(served.port.revoke());
        EXPECT_EQ(served.client.call(Garden::Empty {}).error(), Error::revoked);
    }),
        0);
}

namespace {

struct Counted : Gardener {
    Counted(u32 number, std::atomic<int>& alive)
        : Gardener(number)
        , alive_(alive)
    {
        ++alive_;
    }
    ~Counted() { --alive_; }
    std::atomic<int>& alive_;
};

} // namespace

// Goal: a capability is its object, and the object lives exactly as long as capabilities to it do.
TEST(ObjectServer, ObjectsEndWithTheirLastCapability)
{
    EXPECT_EQ(in_program([](Env&) {
        std::atomic<int> alive { 0 };
        Handle const port { *system::port_allocate() };
        ObjectServer server { port };
        server.set_root<Garden>(make_ref<Counted>(7, alive));
        std::function<void()> run = [&] { (void)server.run({ .threads = 2 }); };
        in_thread(run);
        Client<Garden> const root { std::move(*port.derive(Right::call | Right::derive)) };
        std::vector<Client<Garden>> clients;
        for (u32 i = 0; i < 40; ++i)
            clients.emplace_back(
                std::move(*server.publish<Garden>(std::make_unique<Counted>(i * 100, alive))));
        EXPECT_EQ(root.call(Garden::Plant { .colour = {} })->count, 7u);
        EXPECT_EQ(clients[0].call(Garden::Plant { .colour = {} })->count, 0u);
        EXPECT_EQ(clients[39].call(Garden::Plant { .colour = {} })->count, 3900u);
        auto const copy = std::move(*clients[5].duplicate());
        EXPECT_EQ(alive, 41);
        clients.erase(clients.begin() + 6, clients.end());
        EXPECT_TRUE(eventually([&] { return alive == 7; }));
        EXPECT_EQ(copy.call(Garden::Plant { .colour = {} })->count, 500u);
        clients.clear(); // the copy was derived from the fifth and dies with it
        EXPECT_EQ(copy.call(Garden::Plant { .colour = {} }).error(), Error::revoked);
        EXPECT_TRUE(eventually([&] { return alive == 1; }));
        EXPECT_EQ(server.count(), 0u);
    }),
        0);
}

// Goal: signals that are no object's reach the server.
TEST(ObjectServer, OtherNotificationsAreItsOwn)
{
    EXPECT_EQ(in_program([](Env&) {
        Handle const port { *system::port_allocate() };
        ObjectServer server { port };
        std::atomic<u64> bits { 0 };
        server.on_notification([&](u64 told) { bits |= told; });
        std::function<void()> run = [&] { (void)server.run(); };
        in_thread(run);
        EXPECT_TRUE(system::signal(port.value(), 1ull << 63 | 4));
        EXPECT_TRUE(eventually([&] { return bits == 4; }));
    }),
        0);
}

// Goal: what is shared is the same memory, and spans outside it are refused.
TEST(SharedRegion, BothSidesSeeTheSameBytes)
{
    EXPECT_EQ(in_program([](Env&) {
        auto const mine = std::move(*SharedRegion::create(5000));
        EXPECT_EQ(mine.bytes(), 8192u);
        auto const theirs = std::move(*SharedRegion::map(std::move(*mine.handle_for_peer())));
        EXPECT_EQ(theirs.bytes(), 8192u);
        EXPECT_NE(theirs.span().data(), mine.span().data());
        mine.span()[8191] = std::byte { 42 };
        EXPECT_EQ(theirs.span()[8191], std::byte { 42 });
        EXPECT_TRUE(theirs.at({ 8192, 0 }));
        EXPECT_EQ(theirs.at({ 8192, 1 }).error(), Error::invalid);
        EXPECT_EQ(theirs.at({ 1, ~0u }).error(), Error::invalid);
        EXPECT_EQ(SharedRegion::map(std::move(*mine.handle_for_peer(RegionAccess::read))).error(),
            Error::no_rights);
        EXPECT_EQ(SharedRegion::create(0).error(), Error::invalid);
        EXPECT_EQ(SharedRegion::create(region_bytes_max + 1).error(), Error::too_big);
    }),
        0);
}

// Goal: each message a server answered is one line, deepest first.
TEST(Trace, OneLineForEachAnswer)
{
    EXPECT_EQ(in_program([](Env&) {
        TraceBuffer buffer;
        Served served { 1 };
        (void)set_trace_sink(&buffer);
        (void)served.client.call(Garden::Plant { .where = 15, .colour = {} });
        (void)served.client.call(Garden::Empty {});
        (void)set_trace_sink(nullptr);
        auto const lines = buffer.take();
        EXPECT_EQ(lines.size(), 2u);
        EXPECT_EQ(lines[0], "garden.plant(where=15, span=0+0, colour=0, depth=0) -> no space left");
        EXPECT_EQ(lines[1], "garden.empty() -> ok");
    }),
        0);
}

} // namespace gemel
