// Goal: what is remembered by a number never finds another that has the same number by now.
// Method: the counters are set to where they end, which takes minutes on a machine of its own.
#include "tests/model/scene.hpp"

namespace gemel {

// A row's handle, and the epoch that what was derived from it remembers.
TEST(Wear, ARowWithoutNumbersIsNobodysForEver)
{
    for (auto const epoch : { false, true }) {
        Scene scene;
        auto const first = scene.allocate_port();
        auto& row = scene.row_of(first);
        if (epoch)
            row.epoch = row_epoch_max - 1;
        auto const below = scene.derived(first);
        if (!epoch)
            row.generation = handle_generation_max;
        auto const port = u64 { row.generation } << 32 | (first & 0xFFFF'FFFF);
        auto const free = scene.kernel.free_rows();
        auto const left = scene.kernel.task(1)->rows;
        ASSERT_EQ(scene.cap(CapOperation::close, port), status_ok);
        EXPECT_EQ(scene.kernel.free_rows(), free) << "who had it may have another, of those left";
        EXPECT_EQ(scene.kernel.task(1)->rows, left + 1);
        EXPECT_EQ(scene.call(Call::signal, { below, 1 }), status_of(Error::dead));
        EXPECT_EQ(scene.call(Call::signal, { port, 1 }), status_of(Error::cap_invalid));
        auto const second = scene.allocate_port();
        EXPECT_NE(second & 0xFFFF'FFFF, first & 0xFFFF'FFFF);
        EXPECT_EQ(scene.audit(), "");
    }
}

// Revoking what nothing was derived from uses nothing up.
TEST(Wear, RevokingAnewKeepsTheDeadDead)
{
    Scene scene;
    auto const port = scene.allocate_port();
    scene.row_of(port).epoch = row_epoch_max - 1;
    auto const below = scene.derived(port);
    for (unsigned i = 0; i < 3; ++i) {
        ASSERT_EQ(scene.cap(CapOperation::revoke, port), status_ok);
        EXPECT_EQ(scene.call(Call::signal, { below, 1 }), status_of(Error::revoked));
    }
    EXPECT_EQ(scene.row_of(port).epoch, row_epoch_max);
    EXPECT_EQ(scene.call(Call::signal, { port, 1 }), status_ok);
    EXPECT_EQ(scene.audit(), "");
}

// A capability that came in a message is as good as closed when it cannot be passed on any more.
TEST(Wear, WhatIsWornOutDoesNotFollowAMessage)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const gift = scene.allocate_port();
    scene.run(scene.new_thread(scene.self));
    scene.yield();
    scene.trap(
        { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift }, number_of(Call::port_receive, flag_call));
    auto& caller = const_cast<Thread&>(*scene.first_in_queue(scene.row_of(port)));
    scene.row_of(gift).generation = handle_generation_max;
    caller.frame.words()[7] = u64 { handle_generation_max } << 32 | (gift & 0xFFFF'FFFF);
    ASSERT_EQ(scene.call(Call::port_receive, {}, port), status_ok);
    EXPECT_EQ(scene.word(7), 0u);
    EXPECT_EQ(scene.row_of(gift).owner, 0);
    EXPECT_EQ(scene.audit(), "");
}

// A page's generation says whether a capability still has its object.
TEST(Wear, APageWithoutNumbersIsNobodysForEver)
{
    Scene scene;
    auto const port = scene.allocate_port();
    auto const below = scene.derived(port);
    scene.page_of(port).generation = page_generation_max - 1;
    for (auto const handle : { port, below })
        scene.row_of(handle).object_generation = page_generation_max - 1;
    auto const number = scene.row_of(port).object;
    auto const free = scene.kernel.free_pages();
    auto const left = scene.kernel.task(1)->pages;
    ASSERT_EQ(scene.cap(CapOperation::destroy, port), status_ok);
    EXPECT_EQ(scene.kernel.free_pages(), free);
    EXPECT_EQ(scene.kernel.task(1)->pages, left + 1);
    EXPECT_EQ(scene.call(Call::signal, { below, 1 }), status_of(Error::dead));
    EXPECT_NE(scene.row_of(scene.allocate_port()).object, number);
    EXPECT_EQ(scene.audit(), "");
}

} // namespace gemel
