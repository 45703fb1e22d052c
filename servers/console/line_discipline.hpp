// What typed bytes mean. Raw: themselves. Lines: the line is edited and echoed here, and read
// whole.
#pragma once

#include "core/base/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gemel::console {

enum class Mode : u8 { lines, raw };

// What is at the other end. A stream (a file or pipe of the host) has no keys to edit with and sees
// no echo: in lines mode only Ctrl-C, Ctrl-D (the end, for good) and Ctrl-V mean something.
enum class FarEnd : u8 { terminal, stream };

class LineDiscipline {
public:
    static constexpr usize typed_bytes_max = 64 * 1024;
    static constexpr usize line_bytes_max = 4096;

    explicit LineDiscipline(FarEnd far_end = FarEnd::terminal)
        : far_end_(far_end)
    {
    }

    enum class Taken : u8 { kept, interrupt, dropped };

    // One byte from the line. In lines mode Ctrl-C (0x03) is not kept: it drops what was typed
    // before it and is reported at once, whether or not anybody reads. Ctrl-V (0x16) takes the
    // meaning from the byte after it. With typed_bytes_max bytes unread, more are dropped.
    Taken type(u8 byte);
    bool full() const { return typed_.size() >= typed_bytes_max; }
    void set_mode(Mode mode);
    Mode mode() const { return mode_; }

    // What a reader gets now, at most `bytes_max`; nothing: it has to wait; empty: end of file.
    // `echo` receives what the terminal is to show. Takes nothing away: see consume.
    std::optional<std::string_view> peek(usize bytes_max, std::string& echo);
    // After a peek: so many bytes of it were given out.
    void consume(usize bytes);
    // Bytes that a reader took too many of: they are read again first.
    void put_back(std::string_view bytes) { typed_.insert(0, bytes); }

private:
    enum class LineState : u8 { editing, complete, end_of_file };

    void edit(u8 byte, std::string& echo);
    void take_stream(u8 byte);
    void erase_character(std::string& echo);
    void add(u8 byte, std::string& echo);

    FarEnd far_end_;
    bool ended_ = false; // a stream's Ctrl-D was met
    Mode mode_ = Mode::lines;
    std::string typed_; // not looked at yet
    std::string line_; // lines mode: being edited, or what is left of a complete one
    LineState state_ = LineState::editing;
    bool literal_typed_ = false; // the last typed byte was a Ctrl-V
    bool literal_edited_ = false; // the last edited byte was one
};

} // namespace gemel::console
