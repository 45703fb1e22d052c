// Goal: what is written is what the tree says, and what is wrong is named where it stands.
// Method: small scripts; for errors the line, the column and the words.
#include "servers/gsh/parser.hpp"

#include <gtest/gtest.h>

namespace gemel::gsh {
namespace {

std::string error_of(std::string_view source)
{
    auto const script = parse(source);
    if (script)
        return "no error";
    auto const& error = script.error();
    return std::to_string(error.where.line) + ":" + std::to_string(error.where.column) + ": "
        + error.what;
}

bool is_incomplete(std::string_view source)
{
    auto const script = parse(source);
    return !script && script.error().kind == SyntaxError::Kind::incomplete;
}

TEST(Parser, WordsKeepTheirQuoting)
{
    auto const script = parse("a'b c'\"d$E\"\\*");
    ASSERT_TRUE(script);
    auto const& simple = std::get<SimpleCommand>(script->pipelines.at(0).commands.at(0).kind);
    ASSERT_EQ(simple.words.size(), 1u);
    auto const& parts = simple.words[0].parts;
    ASSERT_EQ(parts.size(), 5u);
    EXPECT_EQ(parts[0].text, "a");
    EXPECT_EQ(parts[1].text, "b c");
    EXPECT_EQ(parts[2].text, "d");
    EXPECT_EQ(parts[3].kind, WordPart::Kind::variable);
    EXPECT_EQ(parts[4].text, "*");
    EXPECT_EQ(parts[4].quoting, WordPart::Quoting::quoted);
}

TEST(Parser, ConnectorsAndPipesNest)
{
    auto const script = parse("a | b && ! c || d; time e\nf # g");
    ASSERT_TRUE(script);
    ASSERT_EQ(script->pipelines.size(), 5u);
    EXPECT_EQ(script->pipelines[0].commands.size(), 2u);
    EXPECT_EQ(script->pipelines[1].connector, Pipeline::Connector::if_succeeded);
    EXPECT_EQ(script->pipelines[1].sense, Pipeline::Sense::inverted);
    EXPECT_EQ(script->pipelines[2].connector, Pipeline::Connector::if_failed);
    EXPECT_EQ(script->pipelines[3].timing, Pipeline::Timing::report);
}

TEST(Parser, CompoundCommands)
{
    EXPECT_EQ(error_of("if a; then b; elif c; then d; else e; fi > f"), "no error");
    EXPECT_EQ(error_of("while a\ndo b\ndone < c | until d; do { e; }; done"), "no error");
    EXPECT_EQ(error_of("for x in 1 \"$@\" *; do echo if then fi; done"), "no error");
    EXPECT_EQ(error_of("x=$(echo $(echo ')')) y=$((1 + (2 * 3))) 2>&1 >>f <g"), "no error");
    EXPECT_EQ(error_of(""), "no error");
    EXPECT_EQ(error_of("# only words"), "no error");
}

TEST(Parser, ErrorsSayWhereAndWhat)
{
    EXPECT_EQ(error_of("echo a\n  | b"), "2:3: `|` does not belong here");
    EXPECT_EQ(error_of("a &"), "1:3: background commands (&) are not offered");
    EXPECT_EQ(error_of("a >"),
        "1:4: expected a file name after the redirection, found the end of the input");
    EXPECT_EQ(error_of("fi"), "1:1: `fi` does not belong here");
    EXPECT_EQ(error_of("if a; then; fi"), "1:11: expected a command after `then`, found `;`");
    EXPECT_EQ(error_of("cat <<x"), "1:5: here-documents (<<) are not offered");
    EXPECT_EQ(error_of("f() { a; }"), "1:2: subshells and functions are not offered; use { ...; }");
    EXPECT_EQ(error_of("case a in"), "1:1: `case` is not offered");
    EXPECT_EQ(error_of("echo ${a:-b}"), "1:6: only ${NAME} is offered");
    EXPECT_EQ(error_of("a 3>b"), "1:3: only descriptors 0, 1 and 2 are offered");
    EXPECT_EQ(error_of("a\n b $(c |)"), "2:9: expected a command, found the end of the input");
}

TEST(Parser, IncompleteIsToldFromWrong)
{
    for (auto const* source : { "echo 'a", "echo \"a", "a |", "a &&", "if a", "for x in 1; do a",
             "{ a;", "echo $(a", "echo $((1", "a \\" })
        EXPECT_TRUE(is_incomplete(source)) << source;
    for (auto const* source : { "echo $(if a)", "if a; fi", ")", "a;;" })
        EXPECT_FALSE(is_incomplete(source)) << source;
}

TEST(Parser, NestingHasABound)
{
    auto deep = std::string {};
    auto substitutions = std::string {};
    for (u32 i = 0; i <= nesting_max; ++i) {
        deep += "{ ";
        substitutions += "echo $(";
    }
    EXPECT_NE(error_of(deep).find("nested too deeply"), std::string::npos);
    substitutions.append(nesting_max + 1, ')');
    EXPECT_NE(error_of(substitutions).find("nested too deeply"), std::string::npos);
}

// Goal: no input makes the parser read outside its text or run for ever.
// Method: every prefix and every single-byte damage of a script that uses everything.
TEST(Parser, SurvivesDamage)
{
    std::string const whole
        = "if a 'b'; then x=\"$y$(z \\)\" | c > d; fi; for i in $((1+2)); do e; done";
    for (usize i = 0; i < whole.size(); ++i) {
        static_cast<void>(parse(std::string_view(whole).substr(0, i)));
        for (int byte = 0; byte < 256; byte += 3) {
            auto damaged = whole;
            damaged[i] = static_cast<char>(byte);
            static_cast<void>(parse(damaged));
        }
    }
}

} // namespace
} // namespace gemel::gsh
