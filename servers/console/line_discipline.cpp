#include "servers/console/line_discipline.hpp"

#include <algorithm>
#include <utility>

namespace gemel::console {
namespace {

constexpr u8 interrupt_key = 0x03; // Ctrl-C
constexpr u8 end_key = 0x04; // Ctrl-D
constexpr u8 literal_key = 0x16; // Ctrl-V
constexpr u8 kill_key = 0x15; // Ctrl-U
constexpr u8 word_key = 0x17; // Ctrl-W
constexpr u8 backspace_key = 0x08;
constexpr u8 delete_key = 0x7F;

bool continues_character(char c)
{
    return (static_cast<u8>(c) & 0xC0) == 0x80;
}

} // namespace

LineDiscipline::Taken LineDiscipline::type(u8 byte)
{
    auto const literal = std::exchange(literal_typed_, !literal_typed_ && byte == literal_key);
    if (mode_ == Mode::lines && byte == interrupt_key && !literal) {
        typed_.clear();
        line_.clear();
        state_ = LineState::editing;
        return Taken::interrupt;
    }
    if (full())
        return Taken::dropped;
    typed_ += static_cast<char>(byte);
    return Taken::kept;
}

// What was edited but not read is typed again: the other mode looks at it in its own way.
void LineDiscipline::set_mode(Mode mode)
{
    if (mode == mode_)
        return;
    mode_ = mode;
    typed_.insert(0, line_);
    line_.clear();
    state_ = LineState::editing;
    literal_edited_ = false;
}

std::optional<std::string_view> LineDiscipline::peek(usize bytes_max, std::string& echo)
{
    if (mode_ == Mode::raw)
        return typed_.empty() ? std::nullopt
                              : std::optional(std::string_view(typed_).substr(0, bytes_max));
    usize edited = 0;
    while (edited < typed_.size() && state_ == LineState::editing) {
        auto const byte = static_cast<u8>(typed_[edited++]);
        if (far_end_ == FarEnd::stream)
            take_stream(byte);
        else
            edit(byte, echo);
    }
    typed_.erase(0, edited);
    if (ended_ && state_ == LineState::editing)
        state_ = line_.empty() ? LineState::end_of_file : LineState::complete;
    if (state_ == LineState::editing)
        return std::nullopt;
    return std::string_view(line_).substr(0, bytes_max);
}

void LineDiscipline::consume(usize bytes)
{
    if (mode_ == Mode::raw) {
        typed_.erase(0, bytes);
        return;
    }
    line_.erase(0, bytes);
    if (line_.empty())
        state_ = LineState::editing;
}

void LineDiscipline::take_stream(u8 byte)
{
    auto const literal = std::exchange(literal_edited_, !literal_edited_ && byte == literal_key);
    if (literal_edited_)
        return;
    if (byte == end_key && !literal) {
        ended_ = true;
        state_ = line_.empty() ? LineState::end_of_file : LineState::complete;
        return;
    }
    line_ += static_cast<char>(byte);
    if (byte == '\n' || line_.size() >= line_bytes_max)
        state_ = LineState::complete;
}

void LineDiscipline::edit(u8 byte, std::string& echo)
{
    if (std::exchange(literal_edited_, false)) {
        add(byte, echo);
        return;
    }
    switch (byte) {
    case literal_key:
        literal_edited_ = true;
        return;
    case end_key:
        // With text before it, the text is given without waiting for the line's end.
        state_ = line_.empty() ? LineState::end_of_file : LineState::complete;
        return;
    case backspace_key:
    case delete_key:
        erase_character(echo);
        return;
    case kill_key:
        while (!line_.empty())
            erase_character(echo);
        return;
    case word_key:
        while (line_.ends_with(' '))
            erase_character(echo);
        while (!line_.empty() && !line_.ends_with(' '))
            erase_character(echo);
        return;
    case '\r':
    case '\n':
        line_ += '\n';
        echo += '\n';
        state_ = LineState::complete;
        return;
    }
    add(byte, echo);
}

// A full line is given out as it stands; its rest follows.
void LineDiscipline::add(u8 byte, std::string& echo)
{
    line_ += static_cast<char>(byte);
    if (byte >= 0x20 || byte == '\t')
        echo += static_cast<char>(byte);
    else
        echo.append("^").append(1, static_cast<char>(byte + 0x40));
    if (line_.size() >= line_bytes_max)
        state_ = LineState::complete;
}

void LineDiscipline::erase_character(std::string& echo)
{
    if (line_.empty())
        return;
    while (line_.size() > 1 && continues_character(line_.back()))
        line_.pop_back();
    auto const control = static_cast<u8>(line_.back()) < 0x20 && line_.back() != '\t';
    line_.pop_back();
    echo += control ? "\b \b\b \b" : "\b \b";
}

} // namespace gemel::console
