#include "servers/ext4/attention.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

// In the time that deadlines are in.
Deadline deadline_for(i64 left_ns)
{
    auto const left = static_cast<u64>(std::max<i64>(0, left_ns));
    return Deadline::at_us((system::time_ns() + left) / 1'000 + 1);
}

} // namespace

Deadline Attention::deadline()
{
    auto const volume = served_.volume.lock();
    if (served_.syncs.any())
        return Deadline::at_us(1);
    auto const* const writer = volume->writer();
    auto const due = writer ? writer->due_ns() : std::nullopt;
    if (due != due_) { // is asked for before each request, and seldom another
        deadline_ = due ? deadline_for(*due - writer->now()) : Deadline::none();
        due_ = due;
    }
    return deadline_;
}

void Attention::give()
{
    auto const volume = served_.volume.lock();
    auto* const writer = volume->writer();
    if (!writer)
        return;
    if (served_.syncs.any())
        served_.syncs.answer(*writer);
    static_cast<void>(writer->attend()); // a failure was told to the log
}

} // namespace gemel::ext4
