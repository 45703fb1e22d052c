#include "servers/clock/date.hpp"

#include <array>

namespace gemel::clock {

namespace {

constexpr u8 status_24_hours = 0x02;
constexpr u8 status_binary = 0x04;
constexpr u8 hour_afternoon = 0x80;
constexpr u32 year_max = 2400;
constexpr u32 century_assumed = 20;

bool is_leap(u32 year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

u32 days_in(u32 month, u32 year)
{
    constexpr std::array<u8, 12> days { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month - 1] + (month == 2 && is_leap(year));
}

} // namespace

std::optional<u64> seconds_of(Date const& date)
{
    if (date.year < 1970 || date.year > year_max || date.month < 1 || date.month > 12
        || date.day < 1 || date.day > days_in(date.month, date.year) || date.hour > 23
        || date.minute > 59 || date.second > 59)
        return std::nullopt;
    u64 days = date.day - 1;
    for (u32 year = 1970; year < date.year; ++year)
        days += is_leap(year) ? 366 : 365;
    for (u32 month = 1; month < date.month; ++month)
        days += days_in(month, date.year);
    return ((days * 24 + date.hour) * 60 + date.minute) * 60 + date.second;
}

Date date_of(CmosRegisters const& registers)
{
    bool const binary = (registers.status_b & status_binary) != 0;
    auto const number
        = [&](u8 value) -> u32 { return binary ? value : (value >> 4) * 10u + (value & 0xF); };
    auto hour = number(registers.hour & static_cast<u8>(~hour_afternoon));
    if ((registers.status_b & status_24_hours) == 0)
        hour = hour % 12 + ((registers.hour & hour_afternoon) != 0 ? 12 : 0);
    auto const century = registers.century != 0 ? number(registers.century) : century_assumed;
    return { century * 100 + number(registers.year), number(registers.month), number(registers.day),
        hour, number(registers.minute), number(registers.second) };
}

} // namespace gemel::clock
