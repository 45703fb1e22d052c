// Goal: keys do to the line, and to the screen, what they do in every other shell.
// Method: bytes in; the line out, and a small terminal that draws what the editor sends.
#include "servers/gsh/line_editor.hpp"

#include "servers/gsh/utf8.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace gemel::gsh {
namespace {

// Understands what the editor uses, and wraps as terminals do: late.
struct Screen {
    u32 columns;
    std::vector<std::vector<std::string>> rows { {} };
    u32 row = 0;
    u32 column = 0;

    void put(std::string_view character)
    {
        auto const width = columns_of(utf8_decode(character));
        if (column + width > columns) {
            column = 0;
            down();
        }
        auto& cells = rows[row];
        cells.resize(std::max<usize>(cells.size(), column + width), " ");
        cells[column] = character;
        column += width;
    }
    void down()
    {
        if (++row == rows.size())
            rows.emplace_back();
    }
    void sequence(u32 count, char c)
    {
        if (c == 'A')
            row -= std::min(count, row);
        if (c == 'C')
            column += count;
        if (c == 'J' && count == 1) {
            rows[row].resize(std::min<usize>(rows[row].size(), column));
            rows.resize(row + 1);
        }
        if (c == 'H')
            row = column = 0;
        if (c == 'J' && count == 2)
            rows.assign(row + 1, {});
    }
    void write(std::string_view text)
    {
        for (usize i = 0; i < text.size();) {
            if (text[i] == '\x1b') {
                u32 count = 0;
                for (i += 2; text[i] >= '0' && text[i] <= '9'; ++i)
                    count = count * 10 + static_cast<u32>(text[i] - '0');
                sequence(count == 0 ? 1 : count, text[i++]);
                continue;
            }
            auto const next = utf8_after(text, i);
            if (text[i] == '\r')
                column = 0;
            else if (text[i] == '\n')
                down();
            else if (text[i] != '\a')
                put(text.substr(i, next - i));
            i = next;
        }
    }
    std::string text() const
    {
        auto result = std::string {};
        for (auto const& cells : rows) {
            for (auto const& cell : cells)
                result += cell;
            result += '|';
        }
        return result;
    }
};

struct Typing {
    std::vector<std::string> history;
    Completion offered;
    LineEditor editor { history, [this](std::string_view) { return offered; } };
    Screen screen;

    explicit Typing(u32 columns = 80, std::vector<std::string> lines = {})
        : history(std::move(lines))
        , screen { columns }
    {
        editor.begin("$ ", columns);
        screen.write(editor.take_output());
    }
    LineEditor::Event type(std::string_view keys)
    {
        auto const fed = editor.feed(keys);
        screen.write(editor.take_output());
        return fed.event;
    }
    // One byte a time: no key may depend on arriving together.
    std::string line_after(std::string_view keys)
    {
        for (auto const c : keys)
            type({ &c, 1 });
        return editor.line();
    }
};

constexpr std::string_view up = "\x1b[A";
constexpr std::string_view down = "\x1b[B";
constexpr std::string_view right = "\x1b[C";
constexpr std::string_view left = "\x1b[D";

std::string keys(std::initializer_list<std::string_view> parts)
{
    auto result = std::string {};
    for (auto const part : parts)
        result += part;
    return result;
}

TEST(LineEditor, InsertsAndMoves)
{
    EXPECT_EQ(Typing().line_after(keys({ "ac", left, "b", right, "d" })), "abcd");
    EXPECT_EQ(Typing().line_after("bc\x01"
                                  "a\x05"
                                  "d"),
        "abcd");
    EXPECT_EQ(Typing().line_after("bc\x1b[Ha\x1b[Fd\x1b[1~X\x1bOFY"), "XabcdY");
    EXPECT_EQ(Typing().line_after("one two\x1b[1;5D\x1b[1;5D_\x1b"
                                  "f+"),
        "_one+ two");
    EXPECT_EQ(Typing().line_after("abc\x02\x02\x7f"), "bc");
    EXPECT_EQ(Typing().line_after("abc\x01\x04\x1b[3~"), "c");
    EXPECT_EQ(Typing().line_after("one two \x17three\x15x\x0b"), "x");
    EXPECT_EQ(Typing().line_after("one two\x17"), "one ");
}

TEST(LineEditor, Utf8IsOneUnit)
{
    Typing typing;
    EXPECT_EQ(typing.line_after("a\xC3\xA9\xE2\x82\xAC\x7f\x1b[D\x1b[D\x1b[C!"), "a!\xC3\xA9");
    EXPECT_EQ(Typing().line_after("\xC3\xFF\x80"
                                  "a\xE2\x82"
                                  "b"),
        "ab");
}

TEST(LineEditor, HistoryKeepsTheDraft)
{
    Typing typing(80, { "first", "second" });
    EXPECT_EQ(typing.line_after(keys({ "dr", up })), "second");
    EXPECT_EQ(typing.line_after(keys({ up, up })), "first");
    EXPECT_EQ(typing.line_after(keys({ down, down, down })), "dr");
    EXPECT_EQ(typing.line_after(keys({ up, "!" })), "second!");
}

TEST(LineEditor, EndsOfALine)
{
    Typing typing;
    EXPECT_EQ(typing.type("abc\rdef"), LineEditor::Event::line);
    EXPECT_EQ(typing.editor.line(), "abc");
    typing.editor.begin("$ ", 80);
    EXPECT_EQ(typing.type("\ndef\x03"), LineEditor::Event::interrupted); // \n belonged to the \r
    EXPECT_NE(typing.screen.text().find("$ def^C|"), std::string::npos);
    typing.editor.begin("$ ", 80);
    EXPECT_EQ(typing.type("a\x04"), LineEditor::Event::more);
    EXPECT_EQ(typing.type("\x7f\x04"), LineEditor::Event::end_of_input);
    auto const fed = LineEditor(typing.history, {}).feed("one\ntwo\n");
    EXPECT_EQ(fed.consumed, 4u);
}

TEST(LineEditor, NarrowTerminalsWrap)
{
    for (u32 columns = 3; columns < 12; ++columns) {
        Typing typing(columns);
        auto const text = std::string("abcd\xC3\xA9\xE4\xB8\xAD") + "fghij";
        typing.line_after(text);
        typing.line_after(keys({ left, left, "XY", right, right, "Z" }));
        Screen expected { columns };
        expected.write("$ abcd\xC3\xA9\xE4\xB8\xAD"
                       "fghXYijZ");
        EXPECT_EQ(typing.screen.text().substr(0, expected.text().size() - 1),
            expected.text().substr(0, expected.text().size() - 1))
            << columns;
        typing.line_after("\x15");
        EXPECT_EQ(typing.screen.text(), "$ |") << columns;
    }
}

TEST(LineEditor, Completion)
{
    Typing typing;
    typing.offered = { 3, { "motd", "motor" }, { "motd", "motor" } };
    EXPECT_EQ(typing.line_after("ls m\t"), "ls mot");
    EXPECT_EQ(typing.line_after("\t"), "ls mot");
    EXPECT_EQ(typing.screen.text(), "$ ls mot|motd   motor|$ ls mot|");
    typing.offered = { 3, { "motd" }, { "motd" } };
    EXPECT_EQ(typing.line_after("\t"), "ls motd ");
    typing.offered = {};
    EXPECT_EQ(typing.line_after("\t"), "ls motd ");
}

TEST(LineEditor, ALineHasABound)
{
    Typing typing;
    typing.type(std::string(LineEditor::line_bytes_max + 100, 'a'));
    EXPECT_EQ(typing.editor.line().size(), LineEditor::line_bytes_max);
}

} // namespace
} // namespace gemel::gsh
