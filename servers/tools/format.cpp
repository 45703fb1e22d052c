#include "servers/tools/format.hpp"

#include <algorithm>
#include <array>

namespace gemel::tools {

usize width_of(std::string_view text)
{
    return static_cast<usize>(
        std::ranges::count_if(text, [](char c) { return (static_cast<u8>(c) & 0xC0) != 0x80; }));
}

std::string padded(std::string_view text, usize width, Align align)
{
    auto result = std::string(text);
    auto const present = width_of(text);
    auto const missing = width > present ? width - present : 0;
    result.insert(align == Align::right ? 0 : result.size(), missing, ' ');
    return result;
}

std::string human_size(u64 bytes)
{
    constexpr std::string_view units = "BKMGTPE";
    usize unit = 0;
    u64 scale = 1;
    while (unit + 1 < units.size() && bytes / scale >= 1024) {
        scale *= 1024;
        ++unit;
    }
    if (unit == 0)
        return std::to_string(bytes);
    auto const tenths = bytes / scale * 10 + (bytes % scale * 10 + scale - 1) / scale;
    if (tenths >= 100)
        return std::to_string((tenths + 9) / 10) + units[unit];
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + units[unit];
}

std::string mode_text(FileKind kind, u16 mode)
{
    constexpr std::string_view kinds = "?-dlcbps";
    constexpr std::string_view letters = "rwxrwxrwx";
    auto result = std::string(1, kinds[std::min<usize>(static_cast<usize>(kind), 7)]);
    for (unsigned i = 0; i < 9; ++i)
        result += (mode & (0400u >> i)) != 0 ? letters[i] : '-';
    auto const special = [&](u16 bit, usize place, char with, char without) {
        if ((mode & bit) != 0)
            result[place] = result[place] == 'x' ? with : without;
    };
    special(04000, 3, 's', 'S');
    special(02000, 6, 's', 'S');
    special(01000, 9, 't', 'T');
    return result;
}

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days to year, month, day.
std::string time_text(FileTime time)
{
    constexpr i64 minute_seconds = 60;
    constexpr i64 day_minutes = 24 * 60;
    auto const minutes
        = time.seconds / minute_seconds - (time.seconds % minute_seconds < 0 ? 1 : 0);
    auto const days = minutes / day_minutes - (minutes % day_minutes < 0 ? 1 : 0);
    auto const shifted = days + 719'468; // from 0000-03-01
    auto const era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    auto const day_of_era = shifted - era * 146'097;
    auto const year_of_era
        = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    auto const day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    auto const month_from_march = (5 * day_of_year + 2) / 153;
    auto const day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    auto const month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    auto const year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    auto const minute = minutes - days * day_minutes;
    auto const two = [](i64 value) { return (value < 10 ? "0" : "") + std::to_string(value); };
    return std::to_string(year) + "-" + two(month) + "-" + two(day) + " " + two(minute / 60) + ":"
        + two(minute % 60);
}

std::string seconds_text(u64 ns)
{
    auto fraction = std::to_string(ns / 1'000'000 % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    return std::to_string(ns / 1'000'000'000) + "." + fraction;
}

std::string hexadecimal(u64 value, usize digits)
{
    auto result = std::string {};
    for (; value != 0 || result.size() < digits; value >>= 4)
        result.insert(result.begin(), "0123456789abcdef"[value & 15]);
    return result;
}

std::string hexdump_row(u64 offset, std::string_view bytes)
{
    auto result = hexadecimal(offset, 8) + "  ";
    for (usize i = 0; i < 16; ++i) {
        result += i < bytes.size() ? hexadecimal(static_cast<u8>(bytes[i]), 2) : "  ";
        result += i == 7 || i == 15 ? "  " : " ";
    }
    result += '|';
    for (auto const c : bytes)
        result += c >= 0x20 && c < 0x7F ? c : '.';
    return result + '|';
}

void Layout::measure(std::vector<std::string> const& row)
{
    for (usize i = 0; i < row.size(); ++i)
        widths_[i] = std::max(widths_[i], width_of(row[i]));
}

std::string Layout::line(std::vector<std::string> const& row) const
{
    auto line = std::string {};
    for (usize i = 0; i < row.size(); ++i)
        line += (i == 0 ? "" : "  ") + padded(row[i], widths_[i], columns_[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

std::string Table::text() const
{
    auto layout = Layout(columns_);
    for (auto const& row : rows_)
        layout.measure(row);
    auto result = std::string {};
    for (auto const& row : rows_)
        result += layout.line(row) + "\n";
    return result;
}

std::string in_columns(std::vector<std::string> const& names, usize width)
{
    usize widest = 0;
    for (auto const& name : names)
        widest = std::max(widest, width_of(name));
    auto const columns = std::max<usize>(1, (width + 1) / (widest + 2));
    auto const rows = (names.size() + columns - 1) / columns;
    auto result = std::string {};
    for (usize row = 0; row < rows; ++row) {
        for (auto i = row; i < names.size(); i += rows)
            result += i + rows < names.size() ? padded(names[i], widest + 2) : names[i];
        result += '\n';
    }
    return result;
}

} // namespace gemel::tools
