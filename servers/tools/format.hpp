// Numbers, times and tables as text. Pure functions.
#pragma once

#include "servers/protocols/file_status.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gemel::tools {

enum class Align : u8 { left, right };
// At least `width` columns wide.
std::string padded(std::string_view text, usize width, Align align = Align::left);
// "5", "1.5K", "23M": at most three digits and a unit of 1,024; rounded up, as df does.
std::string human_size(u64 bytes);
// "drwxr-xr-x"
std::string mode_text(FileKind kind, u16 mode);
// "2026-11-20 13:05" in universal time; before 1970 too.
std::string time_text(FileTime time);
// "12.345" seconds from nanoseconds.
std::string seconds_text(u64 ns);
std::string hexadecimal(u64 value, usize digits = 1);
// One row of `hexdump -C`, without its newline: at most 16 bytes.
std::string hexdump_row(u64 offset, std::string_view bytes);

// How wide columns are, for rows that are not kept: every row is measured before a line is made.
class Layout {
public:
    explicit Layout(std::vector<Align> columns)
        : columns_(std::move(columns))
        , widths_(columns_.size())
    {
    }
    // At most as many cells as columns.
    void measure(std::vector<std::string> const& row);
    // Two blanks apart, without blanks at its end and without its newline.
    std::string line(std::vector<std::string> const& row) const;

private:
    std::vector<Align> columns_;
    std::vector<usize> widths_;
};

// Rows of cells to lines: columns as wide as their widest cell, two blanks apart.
class Table {
public:
    explicit Table(std::vector<Align> columns)
        : columns_(std::move(columns))
    {
    }
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text() const;

private:
    std::vector<Align> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// Names side by side, in columns read downwards.
std::string in_columns(std::vector<std::string> const& names, usize width);

// Characters, not bytes.
usize width_of(std::string_view text);

} // namespace gemel::tools
