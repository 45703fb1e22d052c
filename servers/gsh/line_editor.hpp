// Edits one line on any terminal that understands the usual ANSI sequences. It is fed bytes and
// gives back bytes; whose they are it does not know. Long lines wrap; UTF-8 characters are one
// unit.
#pragma once

#include "core/base/types.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gemel::gsh {

// What Tab may put in place of the text from byte `start` to the cursor.
struct Completion {
    usize start = 0;
    std::vector<std::string> texts; // each whole, as it stands in the line; sorted
    std::vector<std::string> names; // as they are listed: one for each text
};

class LineEditor {
public:
    static constexpr usize line_bytes_max = 8192;

    enum class Event : u8 {
        more, // all bytes were taken, the line goes on
        line, // line() is complete
        end_of_input, // Ctrl-D on an empty line
        interrupted, // Ctrl-C: the line was dropped
    };
    struct Fed {
        Event event;
        usize consumed; // bytes; those after them belong to what comes next
    };
    using Complete = std::function<Completion(std::string_view before_cursor)>;

    // `history`, oldest first, is only read, and must outlive the editor.
    LineEditor(std::vector<std::string> const& history, Complete complete)
        : history_(history)
        , complete_(std::move(complete))
    {
    }

    // Starts a new line. `columns` is the terminal's width, at least 1; the cursor is at its left
    // edge.
    void begin(std::string_view prompt, u32 columns);
    Fed feed(std::string_view bytes);
    std::string const& line() const { return line_; }
    // What the terminal is to be sent since the last call.
    std::string take_output() { return std::exchange(output_, {}); }

private:
    enum class State : u8 { text, escape, sequence, single_shift };
    struct Place {
        u32 row = 0;
        u32 column = 0;
    };

    Event byte(char c);
    Event control(char c);
    void movement(char c);
    void deletion(char c);
    void escape(char c);
    void sequence_end(char c);
    void text_byte(char c);
    void insert(std::string_view text);
    void erase(usize begin, usize end);
    void move_to(usize at);
    void recall(int direction);
    void complete();
    void list(Completion const& completion);
    Event finish(Event event, std::string_view ending);
    usize word_before() const;
    usize word_after() const;
    Place place_after(std::string_view text, Place from) const;
    void redraw();
    void flush();

    std::vector<std::string> const& history_;
    Complete complete_;
    std::string prompt_;
    std::string line_;
    std::string output_;
    std::string pending_; // the first bytes of a character
    std::string sequence_; // of an escape sequence, after its [
    std::string draft_; // what was being typed before history was recalled
    usize cursor_ = 0; // byte in line_, at a character's start
    usize recalled_ = 0; // index into history_; its size: the draft
    u32 columns_ = 80;
    u32 cursor_row_ = 0; // on the terminal, below the prompt's first row
    State state_ = State::text;
    bool dirty_ = false; // line_ is not what the terminal shows
    usize appended_ = 0; // bytes at the end that alone are not shown yet
    bool after_return_ = false; // a \n after a \r belongs to it
};

} // namespace gemel::gsh
