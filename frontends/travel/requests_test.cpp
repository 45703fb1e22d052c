#include "frontends/travel/requests.hpp"

#include <gtest/gtest.h>

namespace gemel::travel {

namespace {

Resume one(Resume::How how, u32 thread)
{
    return { how, { ThreadWord::Which::one, thread } };
}

} // namespace

// Goal: who is to step is found among vCont's actions, wherever it stands; signals are left out.
TEST(Requests, WhoSteps)
{
    EXPECT_EQ(resume_of("vCont;s:1c;c"), one(Resume::How::step, 0x1C));
    EXPECT_EQ(resume_of("vCont;c:2;S05:1c;c"), one(Resume::How::step, 0x1C));
    EXPECT_EQ(resume_of("vCont;C0b:2;c"), one(Resume::How::go, 2));
    EXPECT_EQ(resume_of("vCont;s"), (Resume { Resume::How::step, {} }));
    EXPECT_EQ(resume_of("bs"), (Resume { Resume::How::step_back, {} }));
    EXPECT_EQ(resume_of("S05"), (Resume { Resume::How::step, {} }));
}

// Goal: what is no such request is none, and nothing of it is taken.
TEST(Requests, Refused)
{
    for (auto const* packet : { "", "b", "bx", "c1000", "S5", "Sxx", "S05;1000", "vCont", "vCont;",
             "vCont;c;", "vCont;;c", "vCont;t", "vCont;s:", "vCont;s:zz", "vCont;s:1c;x",
             "vCont;r1,2:1", "vCont;s:p1.1", "vCont;s:100000000" })
        EXPECT_EQ(resume_of(packet), std::nullopt) << packet;
}

// Goal: a thread is all, any, or one with a number in whole.
TEST(Requests, Threads)
{
    EXPECT_EQ(thread_of("-1")->which, ThreadWord::Which::all);
    EXPECT_EQ(thread_of("0")->which, ThreadWord::Which::any);
    EXPECT_EQ(thread_of("3ff")->id, 0x3FFu);
    for (auto const* word : { "", "-", "-2", "0x1", "1 ", "p1.1", "123456789" })
        EXPECT_EQ(thread_of(word), std::nullopt) << word;
}

} // namespace gemel::travel
