#include "servers/gsh/line_editor.hpp"

#include "servers/gsh/utf8.hpp"

#include <algorithm>

namespace gemel::gsh {
namespace {

constexpr char control_key(char letter)
{
    return static_cast<char>(letter & 0x1F);
}

constexpr char escape_key = 0x1B;
constexpr char delete_key = 0x7F;
constexpr char bell = 0x07;

std::string cursor_move(u32 count, char direction)
{
    return count == 0 ? std::string {} : "\x1b[" + std::to_string(count) + direction;
}

std::string common_start(std::vector<std::string> const& texts)
{
    auto result = texts.front();
    for (auto const& text : texts) {
        auto const [end, unused] = std::ranges::mismatch(result, text);
        result.erase(end, result.end());
    }
    // Never half a character.
    auto const start = utf8_before(result, result.size());
    if (!result.empty() && start + utf8_length(static_cast<u8>(result[start])) > result.size())
        result.erase(start);
    return result;
}

} // namespace

void LineEditor::begin(std::string_view prompt, u32 columns)
{
    prompt_ = prompt;
    columns_ = std::max(columns, 1u);
    line_.clear();
    pending_.clear();
    draft_.clear();
    cursor_ = 0;
    recalled_ = history_.size();
    cursor_row_ = 0;
    state_ = State::text;
    dirty_ = true;
    flush();
}

LineEditor::Fed LineEditor::feed(std::string_view bytes)
{
    for (usize i = 0; i < bytes.size(); ++i) {
        auto const event = byte(bytes[i]);
        if (event != Event::more)
            return { event, i + 1 };
    }
    flush();
    return { Event::more, bytes.size() };
}

LineEditor::Event LineEditor::byte(char c)
{
    auto const after_return = std::exchange(after_return_, c == '\r');
    if (c == '\n' && after_return)
        return Event::more;
    if (state_ != State::text) {
        escape(c);
        return Event::more;
    }
    if (static_cast<u8>(c) >= 0x20 && c != delete_key) {
        text_byte(c);
        return Event::more;
    }
    pending_.clear();
    return control(c);
}

void LineEditor::text_byte(char c)
{
    if (utf8_continues(c) == pending_.empty())
        pending_.clear(); // not UTF-8: what has begun, or this byte, is dropped
    if (utf8_continues(c) && pending_.empty())
        return;
    pending_ += c;
    auto const length = utf8_length(static_cast<u8>(pending_[0]));
    if (length == 0)
        pending_.clear();
    else if (pending_.size() == length)
        insert(std::exchange(pending_, {}));
}

LineEditor::Event LineEditor::control(char c)
{
    switch (c) {
    case '\r':
    case '\n':
        return finish(Event::line, "\r\n");
    case control_key('c'):
        return finish(Event::interrupted, "^C\r\n");
    case control_key('d'):
        if (line_.empty())
            return finish(Event::end_of_input, "\r\n");
        erase(cursor_, utf8_after(line_, cursor_));
        break;
    case '\t':
        complete();
        break;
    case control_key('l'):
        output_ += "\x1b[H\x1b[2J";
        cursor_row_ = 0;
        dirty_ = true;
        break;
    case escape_key:
        state_ = State::escape;
        break;
    default:
        movement(c);
        deletion(c);
    }
    return Event::more;
}

void LineEditor::movement(char c)
{
    if (c == control_key('a'))
        move_to(0);
    else if (c == control_key('e'))
        move_to(line_.size());
    else if (c == control_key('b'))
        move_to(utf8_before(line_, cursor_));
    else if (c == control_key('f'))
        move_to(utf8_after(line_, cursor_));
    else if (c == control_key('p'))
        recall(-1);
    else if (c == control_key('n'))
        recall(1);
}

void LineEditor::deletion(char c)
{
    if (c == delete_key || c == control_key('h'))
        erase(utf8_before(line_, cursor_), cursor_);
    else if (c == control_key('k'))
        erase(cursor_, line_.size());
    else if (c == control_key('u'))
        erase(0, cursor_);
    else if (c == control_key('w'))
        erase(word_before(), cursor_);
}

// ESC [ parameters letter, ESC O letter, or ESC letter.
void LineEditor::escape(char c)
{
    if (state_ == State::escape) {
        sequence_.clear();
        state_ = c == '[' ? State::sequence : c == 'O' ? State::single_shift : State::text;
        if (c == 'b')
            move_to(word_before());
        else if (c == 'f')
            move_to(word_after());
        else if (c == delete_key)
            erase(word_before(), cursor_);
        else if (c == escape_key)
            state_ = State::escape;
        return;
    }
    auto const ends = c >= 0x40 && c <= 0x7E;
    if (!ends && sequence_.size() < 16) {
        sequence_ += c;
        return;
    }
    state_ = State::text;
    sequence_end(c);
}

void LineEditor::sequence_end(char c)
{
    auto const by_word = sequence_ == "1;5" || sequence_ == "1;3"; // Ctrl, Alt
    if (c == 'A')
        recall(-1);
    else if (c == 'B')
        recall(1);
    else if (c == 'C')
        move_to(by_word ? word_after() : utf8_after(line_, cursor_));
    else if (c == 'D')
        move_to(by_word ? word_before() : utf8_before(line_, cursor_));
    else if (c == 'H' || (c == '~' && (sequence_ == "1" || sequence_ == "7")))
        move_to(0);
    else if (c == 'F' || (c == '~' && (sequence_ == "4" || sequence_ == "8")))
        move_to(line_.size());
    else if (c == '~' && sequence_ == "3")
        erase(cursor_, utf8_after(line_, cursor_));
}

void LineEditor::insert(std::string_view text)
{
    if (line_.size() + text.size() > line_bytes_max) {
        output_ += bell;
        return;
    }
    auto const at_end = cursor_ == line_.size();
    line_.insert(cursor_, text);
    cursor_ += text.size();
    if (at_end && !dirty_)
        appended_ += text.size();
    else
        dirty_ = true;
}

void LineEditor::erase(usize begin, usize end)
{
    if (begin == end)
        return;
    line_.erase(begin, end - begin);
    cursor_ = begin;
    dirty_ = true;
}

void LineEditor::move_to(usize at)
{
    dirty_ = dirty_ || at != cursor_;
    cursor_ = at;
}

void LineEditor::recall(int direction)
{
    if ((direction < 0 && recalled_ == 0) || (direction > 0 && recalled_ >= history_.size())) {
        output_ += bell;
        return;
    }
    if (recalled_ == history_.size())
        draft_ = line_;
    recalled_ += direction < 0 ? -1 : 1;
    line_ = recalled_ == history_.size() ? draft_ : history_[recalled_];
    cursor_ = line_.size();
    dirty_ = true;
}

usize LineEditor::word_before() const
{
    auto at = cursor_;
    while (at > 0 && line_[at - 1] == ' ')
        --at;
    while (at > 0 && line_[at - 1] != ' ')
        --at;
    return at;
}

usize LineEditor::word_after() const
{
    auto const start = std::min(line_.find_first_not_of(' ', cursor_), line_.size());
    return std::min(line_.find(' ', start), line_.size());
}

void LineEditor::complete()
{
    auto const before = std::string_view(line_).substr(0, cursor_);
    auto const completion = complete_(before);
    if (completion.texts.empty()) {
        output_ += bell;
        return;
    }
    auto replacement = common_start(completion.texts);
    if (completion.texts.size() == 1 && !replacement.ends_with('/'))
        replacement += ' ';
    auto const present = before.substr(completion.start);
    if (replacement.size() > present.size()
        || !std::string_view(present).starts_with(replacement)) {
        erase(completion.start, cursor_);
        insert(replacement);
    } else if (completion.texts.size() > 1) {
        list(completion);
    }
}

void LineEditor::list(Completion const& completion)
{
    u32 widest = 0;
    for (auto const& name : completion.names)
        widest = std::max(widest, columns_of(std::string_view(name)));
    auto const per_row = std::max(1u, columns_ / (widest + 2));
    auto const rows = (completion.names.size() + per_row - 1) / per_row;
    cursor_ = line_.size();
    dirty_ = true;
    flush();
    output_ += "\r\n";
    for (usize row = 0; row < rows; ++row) {
        for (auto i = row; i < completion.names.size(); i += rows) {
            auto const& name = completion.names[i];
            output_ += name;
            if (i + rows < completion.names.size())
                output_.append(widest + 2 - columns_of(std::string_view(name)), ' ');
        }
        output_ += "\r\n";
    }
    cursor_row_ = 0;
    dirty_ = true;
}

LineEditor::Event LineEditor::finish(Event event, std::string_view ending)
{
    move_to(line_.size());
    flush();
    output_ += ending;
    return event;
}

LineEditor::Place LineEditor::place_after(std::string_view text, Place from) const
{
    for (usize at = 0; at < text.size(); at = utf8_after(text, at)) {
        auto const width = columns_of(utf8_decode(text.substr(at)));
        if (from.column + width > columns_) {
            ++from.row;
            from.column = 0;
        }
        from.column += width;
    }
    return from;
}

void LineEditor::redraw()
{
    output_ += cursor_move(cursor_row_, 'A');
    output_ += "\r\x1b[J";
    output_ += prompt_;
    output_ += line_;
    auto const start = place_after(prompt_, {});
    auto end = place_after(line_, start);
    auto cursor = place_after(std::string_view(line_).substr(0, cursor_), start);
    // A full last row leaves the terminal's cursor on it until something follows.
    if (end.column == columns_) {
        output_ += "\r\n";
        end = { end.row + 1, 0 };
    }
    if (cursor.column == columns_)
        cursor = { cursor.row + 1, 0 };
    if (cursor.row != end.row || cursor.column != end.column) {
        output_ += cursor_move(end.row - cursor.row, 'A');
        output_ += '\r';
        output_ += cursor_move(cursor.column, 'C');
    }
    cursor_row_ = cursor.row;
}

void LineEditor::flush()
{
    auto const appended = std::exchange(appended_, 0);
    auto const place = place_after(line_, place_after(prompt_, {}));
    if (!dirty_ && (appended == 0 || (place.row == cursor_row_ && place.column < columns_))) {
        output_.append(line_, line_.size() - appended);
        return;
    }
    dirty_ = false;
    redraw();
}

} // namespace gemel::gsh
