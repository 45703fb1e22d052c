#include "sim/devices/cmos_clock.hpp"

namespace gemel::sim {

namespace {

constexpr i64 day_seconds = 86'400;

u8 digits(i64 value)
{
    return static_cast<u8>(value / 10 % 10 << 4 | value % 10);
}

struct Date {
    i64 year;
    i64 month; // 1 to 12
    i64 day;
};

// Days since 1970, which is how the calendar's own eras of 400 years count best from March of year
// 0 on. The host's library would look for time zones, which a closed world has none of.
Date date_of(i64 days)
{
    auto const shifted = days + 719'468;
    auto const era = shifted / 146'097;
    auto const day = shifted % 146'097;
    auto const year = (day - day / 1'460 + day / 36'524 - day / 146'096) / 365;
    auto const day_of_year = day - (365 * year + year / 4 - year / 100);
    auto const from_march = (5 * day_of_year + 2) / 153;
    auto const month = from_march < 10 ? from_march + 3 : from_march - 9;
    return { year + era * 400 + (month <= 2), month, day_of_year - (153 * from_march + 2) / 5 + 1 };
}

} // namespace

u32 CmosClock::read(u32 offset, u32)
{
    if (offset == 0)
        return index_;
    auto const seconds = seconds_();
    auto const date = date_of(seconds / day_seconds);
    switch (index_) {
    case 0x00:
        return digits(seconds % 60);
    case 0x02:
        return digits(seconds / 60 % 60);
    case 0x04:
        return digits(seconds / 3600 % 24);
    case 0x06:
        return digits((seconds / day_seconds + 4) % 7 + 1);
    case 0x07:
        return digits(date.day);
    case 0x08:
        return digits(date.month);
    case 0x09:
        return digits(date.year);
    case 0x0A:
        return 0x26; // its usual rates, and no update under way
    case 0x0B:
        return 0x02; // 24 hours, decimal digits
    case 0x0D:
        return 0x80; // the battery is good
    case 0x32:
        return digits(date.year / 100);
    }
    return 0;
}

void CmosClock::write(u32 offset, u32, u32 value)
{
    if (offset == 0)
        index_ = static_cast<u8>(value & 0x7F);
}

} // namespace gemel::sim
