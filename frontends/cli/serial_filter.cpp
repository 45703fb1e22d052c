#include "frontends/cli/serial_filter.hpp"

#include <array>
#include <charconv>

namespace gemel::cli {

namespace {

constexpr std::string_view up_marker = "gemel: up in ";
constexpr std::string_view off_marker = "\ngemel: power off, status ";
constexpr std::size_t held_bytes_max = 64;

bool could_become(std::string_view text, std::string_view marker)
{
    auto const common = std::min(text.size(), marker.size());
    return text.substr(0, common) == marker.substr(0, common);
}

} // namespace

SerialFilter::SerialFilter(BootText boot_text, Use use, Output output)
    : use_(use)
    , off_marker_(off_marker.substr(use == Use::script ? 0 : 1))
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
        if (byte != '\n' || use_ == Use::prompt)
            take_text('\r');
    }
    if (byte == '\r')
        carriage_return_ = true;
    else
        take_text(byte);
}

// Holds back the longest end of the text that could still become one of our lines.
void SerialFilter::take_text(char byte)
{
    held_ += byte;
    if (byte == '\n' && (held_.starts_with(up_marker) || held_.starts_with(off_marker_)))
        return take_our_line();
    std::size_t ended = 0;
    while (ended < held_.size() && !could_be_ours(std::string_view { held_ }.substr(ended)))
        ++ended;
    show(std::string_view { held_ }.substr(0, ended));
    held_.erase(0, ended);
}

bool SerialFilter::could_be_ours(std::string_view text) const
{
    return text.size() <= held_bytes_max
        && (could_become(text, up_marker) || could_become(text, off_marker_));
}

void SerialFilter::take_our_line()
{
    if (held_.starts_with(off_marker_)) {
        int status = 0;
        std::from_chars(held_.data() + off_marker_.size(), held_.data() + held_.size(), status);
        status_ = status;
    } else {
        show(held_);
        up_ = true;
        hiding_ = false;
    }
    held_.clear();
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
