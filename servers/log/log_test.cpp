#include "servers/log/service.hpp"
#include "servers/rt/test/in_program.hpp"

#include <gtest/gtest.h>

namespace gemel::log {
namespace {

std::string all_of(Ring const& ring, u64 cursor = 0)
{
    std::string out;
    for (auto piece = ring.read(cursor, 1000); !piece.empty(); piece = ring.read(cursor, 1000))
        out += piece;
    return out;
}

std::string line(unsigned number)
{
    return concatenate("line ", number, " of a log that is long enough\n");
}

} // namespace

// Goal: a short log takes one piece; a long one keeps its newest whole lines and no more memory.
TEST(Ring, KeepsTheNewestLines)
{
    Ring ring { 4 * Ring::piece_bytes };
    ring.append(line(0));
    EXPECT_EQ(ring.held_bytes(), Ring::piece_bytes);
    EXPECT_EQ(all_of(ring), line(0));
    constexpr unsigned lines = 20'000;
    for (unsigned i = 1; i < lines; ++i)
        ring.append(line(i));
    EXPECT_EQ(ring.held_bytes(), 4 * Ring::piece_bytes);
    auto const kept = all_of(ring);
    EXPECT_GT(kept.size(), 3 * Ring::piece_bytes - 100);
    EXPECT_TRUE(kept.starts_with("line "));
    EXPECT_TRUE(kept.ends_with(line(lines - 1)));
}

// Goal: the tail begins at a line's start, and a cursor goes on where it stood.
TEST(Ring, TailsAndGoesOn)
{
    Ring ring { 2 * Ring::piece_bytes };
    EXPECT_EQ(ring.tail(100), 0u);
    for (unsigned i = 0; i < 10; ++i)
        ring.append(line(i));
    EXPECT_EQ(all_of(ring, ring.tail(line(9).size() + 5)), line(9));
    EXPECT_EQ(all_of(ring, ring.tail(100'000)).size(), ring.end());
    u64 cursor = ring.end();
    EXPECT_TRUE(ring.read(cursor, 10).empty());
    ring.append("next\n");
    EXPECT_EQ(ring.read(cursor, 10), "next\n");
    u64 beyond = 1u << 30;
    EXPECT_TRUE(ring.read(beyond, 10).empty());
}

// Goal: lines arrive whole under their writer's name; levels drop; control characters are not
// passed on. A log that was started again hears its writers.
TEST(Log, WritersHaveNames)
{
    EXPECT_EQ(test::in_program([](Env&) {
        Handle const port { *system::port_allocate() };
        Journal journal { 2 * Ring::piece_bytes };
        ObjectServer server { port };
        server.set_root<protocol::Log>(make_ref<Writer>(journal, server, "root", WriterKind::root));
        std::function<void()> run = [&] { (void)server.run(); };
        test::in_thread(run);
        Client<protocol::Log> const root { std::move(*port.derive(rights_all)) };
        EXPECT_TRUE(root.call(protocol::Log::SetLevel { LogLevel::info, 4 }));
        EXPECT_EQ(root.call(protocol::Log::SetLevel { LogLevel::info, 5 }).error(), Error::invalid);
        Log log;
        log.connect(*root.duplicate(), "ext4");
        std::string const forty(40, 'x');
        log.info("mounted ", 3, " volumes with a name longer than one message carries");
        log.debug("dropped");
        log.warn(forty);
        log.error("a\nb\x1B[2J");
        server.drop_all(); // what it had made is gone, as after a restart; its port is not
        server.set_root<protocol::Log>(make_ref<Writer>(journal, server, "root", WriterKind::root));
        log.info("again");
        std::string text;
        for (u64 cursor = 0;;) {
            auto const piece = root.call(protocol::Log::ReadTail { cursor });
            if (piece->text.view().empty())
                break;
            cursor = piece->cursor;
            text += piece->text.view();
        }
        EXPECT_NE(text.find(" INFO ext4: mounted 3 volumes with a name longer than one message "
                            "carries\n"),
            text.npos);
        EXPECT_NE(text.find(" WARN ext4: " + forty + "\n"), text.npos);
        EXPECT_NE(text.find(" ERROR ext4: a?b?[2J\n"), text.npos);
        EXPECT_EQ(text.find("dropped"), text.npos);
        EXPECT_NE(text.find(" INFO ext4: again\n"), text.npos);
        EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
    }),
        0);
}

// Goal: who follows is signalled once when there is more than the end that it found, and nobody
// else changes that; what is kept is told to who follows next. Method: the signals that a port
// holds, looked at after each step.
TEST(Log, FollowersAreSignalled)
{
    EXPECT_EQ(test::in_program([](Env&) {
        using protocol::Log;
        Handle const port { *system::port_allocate() };
        Journal journal { 2 * Ring::piece_bytes };
        ObjectServer server { port };
        server.set_root<Log>(make_ref<Writer>(journal, server, "root", WriterKind::root));
        std::function<void()> run = [&] { (void)server.run(); };
        test::in_thread(run);
        Client<Log> const root { std::move(*port.derive(rights_all)) };
        Handle const mine { *system::port_allocate() };
        auto const mine_to_give
            = [&] { return std::move(*mine.derive(Right::send | Right::derive)); };
        auto const signals = [&] {
            auto const seen = system::port_poll(mine.value());
            return seen ? seen->message.words[0] : 0;
        };
        auto const open
            = [&] { return Client<Log> { std::move(root.call(Log::Open { "reader" })->log) }; };
        auto const follow = [&](auto const& log) {
            return log.call(Log::Follow { 4, mine_to_give() });
        };
        EXPECT_EQ(follow(root).error(), Error::invalid); // the root is everybody's
        auto reader = open();
        EXPECT_EQ(reader.call(Log::Keep { 0 }).error(), Error::invalid); // it does not follow yet
        EXPECT_EQ(follow(reader)->cursor, 0u);
        EXPECT_TRUE(root.call(Log::Write { LogLevel::info, "before the end was found" }));
        EXPECT_EQ(signals(), 0u);
        u64 cursor = 0;
        for (bool end = false; !end;) {
            auto const piece = reader.call(Log::ReadTail { cursor });
            end = piece->text.view().empty();
            cursor = piece->cursor;
        }
        EXPECT_TRUE(root.call(Log::ReadTail { 0 })); // another reader's
        EXPECT_TRUE(root.call(Log::Write { LogLevel::info, "one" }));
        EXPECT_TRUE(root.call(Log::Write { LogLevel::info, "two" }));
        EXPECT_EQ(signals(), 4u);
        EXPECT_EQ(signals(), 0u);
        EXPECT_TRUE(root.call(Log::Write { LogLevel::info, "three" }));
        EXPECT_EQ(signals(), 0u); // the end was not found again
        EXPECT_EQ(reader.call(Log::Keep { 1u << 20 }).error(), Error::invalid);
        EXPECT_TRUE(reader.call(Log::Keep { cursor }));
        EXPECT_TRUE(reader.call(Log::Follow {}));
        EXPECT_EQ(reader.call(Log::Keep { 0 }).error(), Error::invalid);
        std::vector<Client<Log>> readers;
        for (usize i = 0; i < Journal::followers_max; ++i) {
            readers.push_back(open());
            EXPECT_EQ(follow(readers.back())->cursor, cursor);
        }
        EXPECT_EQ(follow(reader).error(), Error::too_big);
        readers.pop_back(); // one that is gone follows no more
        while (server.count() > Journal::followers_max)
            system::sched_yield();
        EXPECT_TRUE(follow(reader));
    }),
        0);
}

} // namespace gemel::log
