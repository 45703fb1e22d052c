#include "frontends/cli/process.hpp"

#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gemel::cli {
namespace {

// Goal: what is to end with the process that started it does, even if that one is killed.
// Method: the descriptor that it writes to has no other holder, so its end is heard.
TEST(Process, EndsWithWhoStartedIt)
{
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    auto const starter = ::fork();
    if (starter == 0) {
        ::close(ends[0]);
        (void)start_program(ending_with_us({ "sh", "-c", "printf s; exec sleep 60" }), ends[1]);
        for (;;)
            ::pause();
    }
    ::close(ends[1]);
    char text[2];
    ASSERT_EQ(::read(ends[0], text, 1), 1) << "it was not started";
    ::kill(starter, SIGKILL);
    ASSERT_EQ(128 + SIGKILL, wait_for(starter));
    constexpr int patience_ms = 20'000;
    pollfd heard { ends[0], POLLIN, 0 };
    EXPECT_EQ(::poll(&heard, 1, patience_ms), 1) << "it runs on";
    EXPECT_EQ(::read(ends[0], text, 1), 0);
    ::close(ends[0]);
}

TEST(Process, TellsWhyItCannotBeStarted)
{
    EXPECT_EQ(start_program({ "/nowhere/at-all" }, STDOUT_FILENO), -1);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(start_program({ "/dev/null" }, STDOUT_FILENO), -1);
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(run_program({ "/nowhere/at-all" }), 127);
    EXPECT_EQ(run_program({ "false" }), 1);
}

} // namespace
} // namespace gemel::cli
