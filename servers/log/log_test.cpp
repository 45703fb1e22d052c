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
        server.set_root<protocol::Log>(make_ref<Writer>(journal, server, "root"));
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
        server.set_root<protocol::Log>(make_ref<Writer>(journal, server, "root"));
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

} // namespace gemel::log
