#include "frontends/cli/serial_filter.hpp"

#include <array>
#include <charconv>

namespace gemel::cli {

namespace {

constexpr std::string_view up_marker = "gemel: up in ";
constexpr std::string_view off_marker = "gemel: power off, status ";
constexpr std::size_t held_bytes_max = 64;

// Only `g` can begin a marker, and a marker has no second one: after a mismatch nothing but a last
// `g` needs to be looked at again.
constexpr char marker_first = 'g';

bool could_become(std::string_view text, std::string_view marker)
{
    auto const common = std::min(text.size(), marker.size());
    return text.substr(0, common) == marker.substr(0, common);
}

} // namespace

SerialFilter::SerialFilter(BootText boot_text, LineEnd line_end, Output output)
    : line_end_(line_end)
    , output_(std::move(output))
    , hiding_(boot_text == BootText::hide)
{
}

void SerialFilter::take(std::string_view bytes)
{
    for (auto const byte : bytes)
        take_byte(byte);
}

void SerialFilter::take_byte(char byte)
{
    if (carriage_return_) {
        carriage_return_ = false;
        if (byte != '\n' || line_end_ == LineEnd::as_is)
            held_ += '\r';
    }
    if (byte == '\r') {
        carriage_return_ = true;
        return;
    }
    held_ += byte;
    if (byte == '\n')
        return end_held_line();
    if (held_is_ours())
        return;
    auto const again = byte == marker_first;
    if (again)
        held_.pop_back();
    show(held_);
    held_.assign(again ? 1 : 0, marker_first);
}

bool SerialFilter::held_is_ours() const
{
    return held_.size() <= held_bytes_max
        && (could_become(held_, up_marker) || could_become(held_, off_marker));
}

void SerialFilter::end_held_line()
{
    auto const said_up = held_.starts_with(up_marker);
    auto const said_off = held_.starts_with(off_marker);
    if (said_off) {
        int status = 0;
        std::from_chars(held_.data() + off_marker.size(), held_.data() + held_.size(), status);
        status_ = status;
    } else {
        show(held_);
    }
    held_.clear();
    if (said_up) {
        up_ = true;
        hiding_ = false;
    }
}

void SerialFilter::finish()
{
    show(held_);
    held_.clear();
}

void SerialFilter::show(std::string_view text)
{
    if (text.empty())
        return;
    if (hiding_)
        hidden_ += text;
    else
        output_(text);
}

} // namespace gemel::cli
