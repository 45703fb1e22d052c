// From a calendar to seconds, and from the registers of a PC's clock to a calendar.
#pragma once

#include "core/base/types.hpp"

#include <optional>

namespace gemel::clock {

struct Date {
    u32 year;
    u32 month; // 1 to 12
    u32 day; // 1 to 31
    u32 hour;
    u32 minute;
    u32 second;

    bool operator==(Date const&) const = default;
};

// Since 1970, UTC. Nothing for a date that cannot be, or before 1970.
std::optional<u64> seconds_of(Date const& date);

// As the chip has them (MC146818 data sheet).
struct CmosRegisters {
    u8 second;
    u8 minute;
    u8 hour;
    u8 day;
    u8 month;
    u8 year; // of the century
    u8 century; // 0: the chip has no such register
    u8 status_b;

    bool operator==(CmosRegisters const&) const = default;
};

// Binary or decimal digits, 12 or 24 hours, as status B says.
Date date_of(CmosRegisters const& registers);

} // namespace gemel::clock
