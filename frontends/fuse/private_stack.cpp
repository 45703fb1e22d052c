#include "frontends/fuse/private_stack.hpp"

#include <csignal>
#include <thread>

namespace gemel::fuse {

// The machine's signals are for the thread that it runs on.
void on_private_stack(std::function<void()> const& call)
{
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(call);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    thread.join();
}

} // namespace gemel::fuse
