#include "sim/devices/block_log.hpp"

#include <cstdio>
#include <utility>

namespace gemel::sim {

using hosted::FileOutcome;

BlockLog::BlockLog(Medium& medium, Now now, Sink sink)
    : medium_(medium)
    , now_(std::move(now))
    , sink_(std::move(sink))
{
}

void BlockLog::begin(char const* what)
{
    constexpr u64 second = 1'000'000'000;
    auto const now = now_();
    char text[64];
    std::snprintf(text, sizeof text, "+%llu.%09llus  %-5s  ",
        static_cast<unsigned long long>(now / second),
        static_cast<unsigned long long>(now % second), what);
    sink_(text);
}

void BlockLog::begin(char const* what, u64 offset, u64 bytes)
{
    begin(what);
    char text[64];
    std::snprintf(text, sizeof text, "sector %llu + %llu  ",
        static_cast<unsigned long long>(offset / sector_bytes),
        static_cast<unsigned long long>(bytes / sector_bytes));
    sink_(text);
}

FileOutcome BlockLog::ended(FileOutcome outcome)
{
    sink_(outcome == FileOutcome::done ? "done\n" : "failed\n");
    return outcome;
}

FileOutcome BlockLog::read(u64 offset, u8* to, u32 bytes)
{
    begin("read", offset, bytes);
    return ended(medium_.read(offset, to, bytes));
}

FileOutcome BlockLog::write(u64 offset, u8 const* from, u32 bytes)
{
    begin("write", offset, bytes);
    return ended(medium_.write(offset, from, bytes));
}

FileOutcome BlockLog::flush()
{
    begin("flush");
    return ended(medium_.flush());
}

FileOutcome BlockLog::discard(u64 offset, u64 bytes)
{
    begin("discard", offset, bytes);
    return ended(medium_.discard(offset, bytes));
}

void BlockLog::power_failed()
{
    sink_("the power fails\n");
}

} // namespace gemel::sim
