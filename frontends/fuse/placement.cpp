#include "frontends/fuse/placement.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace gemel::fuse {

u64 Placement::monotonic_ns()
{
    timespec now {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

// proc(5), /proc/pid/stat: the 39th word, the 37th behind the name.
std::optional<u32> processor_of(pid_t thread)
{
    constexpr int words_before = 36;
    char path[64];
    char text[1024];
    std::snprintf(path, sizeof path, "/proc/%d/stat", thread);
    auto const file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return std::nullopt;
    auto const got = ::read(file, text, sizeof text - 1);
    ::close(file);
    if (got <= 0)
        return std::nullopt;
    text[got] = '\0';
    auto const* at = std::strrchr(text, ')');
    for (int word = 0; at != nullptr && word <= words_before; ++word)
        at = std::strchr(at + 1, ' ');
    if (at == nullptr)
        return std::nullopt;
    return static_cast<u32>(std::strtoul(at, nullptr, 10));
}

Placement::Placement(Clock clock)
    : clock_(clock)
{
    if (::sched_getaffinity(0, sizeof allowed_, &allowed_) != 0)
        CPU_ZERO(&allowed_);
    has_choice_ = CPU_COUNT(&allowed_) >= 2;
}

Placement::~Placement()
{
    release();
}

void Placement::release()
{
    if (beside_)
        ::sched_setaffinity(0, sizeof allowed_, &allowed_);
    beside_.reset();
}

bool Placement::waits()
{
    if (!has_choice_)
        return false;
    waiting_since_ns_ = clock_();
    if (choice_.way() == WaitChoice::Way::beside)
        return false;
    if (still_left_out_ == 0)
        return true;
    --still_left_out_;
    return false;
}

bool Placement::looks_on()
{
    if (clock_() - *waiting_since_ns_ < look_ns)
        return true;
    leave_out_ = std::clamp(leave_out_ * 2, 1u, looks_left_out_max);
    still_left_out_ = leave_out_;
    return false;
}

void Placement::count_wait(u64 now)
{
    if (!waiting_since_ns_)
        return;
    auto const waited = now - *std::exchange(waiting_since_ns_, std::nullopt);
    if (waited < look_ns)
        leave_out_ = 0;
    choice_.waited(waited);
}

void Placement::note(pid_t caller, Size size)
{
    if (caller == 0 || !has_choice_)
        return;
    auto const now = clock_();
    count_wait(now);
    ++requests_;
    large_ += size == Size::large ? 1 : 0;
    bool const apart = choice_.way() == WaitChoice::Way::apart;
    if (apart)
        release();
    if (requests_ < window_requests && now - placed_ns_ < patience_ns)
        return;
    placed_ns_ = now;
    if (apart || large_ > large_max || (large_ > 0 && requests_ < window_requests))
        release();
    else
        go_beside(caller);
    requests_ = 0;
    large_ = 0;
}

void Placement::go_beside(pid_t caller)
{
    auto const processor = processor_of(caller);
    if (!processor || *processor >= CPU_SETSIZE || !CPU_ISSET(*processor, &allowed_))
        return release();
    if (beside_ == processor)
        return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(*processor, &one);
    if (::sched_setaffinity(0, sizeof one, &one) == 0)
        beside_ = processor;
}

} // namespace gemel::fuse
