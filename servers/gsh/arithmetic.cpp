#include "servers/gsh/arithmetic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace gemel::gsh {
namespace {

using Number = std::expected<i64, std::string>;

constexpr u32 depth_max = 32;

struct BinaryOperator {
    std::string_view text;
    u8 strength; // a larger one binds tighter
};

// The longer of two that start alike comes first.
constexpr std::array<BinaryOperator, 15> operators { { { "||", 1 }, { "&&", 2 }, { "==", 3 },
    { "!=", 3 }, { "<<", 5 }, { ">>", 5 }, { "<=", 4 }, { ">=", 4 }, { "<", 4 }, { ">", 4 },
    { "+", 6 }, { "-", 6 }, { "*", 7 }, { "/", 7 }, { "%", 7 } } };

Number apply(std::string_view what, i64 left, i64 right)
{
    auto const a = static_cast<u64>(left);
    auto const b = static_cast<u64>(right);
    switch (what[0]) {
    case '+':
        return static_cast<i64>(a + b);
    case '-':
        return static_cast<i64>(a - b);
    case '*':
        return static_cast<i64>(a * b);
    case '/':
    case '%':
        if (right == 0)
            return std::unexpected("division by zero");
        if (right == -1) // the one quotient that does not fit wraps
            return what[0] == '/' ? static_cast<i64>(0 - a) : 0;
        return what[0] == '/' ? left / right : left % right;
    case '<':
        if (what == "<<")
            return static_cast<i64>(a << (b & 63));
        return what.size() == 2 ? left <= right : left < right;
    case '>':
        if (what == ">>")
            return left >> (b & 63);
        return what.size() == 2 ? left >= right : left > right;
    case '=':
        return left == right;
    case '!':
        return left != right;
    case '&':
        return left != 0 && right != 0;
    }
    return left != 0 || right != 0;
}

class Evaluator {
public:
    Evaluator(std::string_view text, NumberOf const& value_of)
        : text_(text)
        , value_of_(value_of)
    {
    }

    Number whole()
    {
        auto result = binary(1);
        if (result && !blank())
            return std::unexpected("unexpected `" + std::string(text_.substr(at_)) + "`");
        return result;
    }

private:
    bool blank()
    {
        while (
            at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n'))
            ++at_;
        return at_ >= text_.size();
    }
    bool take(std::string_view text)
    {
        if (blank() || !text_.substr(at_).starts_with(text))
            return false;
        at_ += text.size();
        return true;
    }
    BinaryOperator const* take_operator(u8 strength)
    {
        for (auto const& candidate : operators)
            if (!blank() && text_.substr(at_).starts_with(candidate.text)) {
                if (candidate.strength < strength)
                    return nullptr;
                at_ += candidate.text.size();
                return &candidate;
            }
        return nullptr;
    }
    Number binary(u8 strength);
    Number unary();
    Number primary();

    std::string_view text_;
    NumberOf const& value_of_;
    usize at_ = 0;
    u32 depth_ = 0;
};

Number Evaluator::binary(u8 strength)
{
    if (++depth_ > depth_max)
        return std::unexpected("nested too deeply");
    auto left = unary();
    while (left) {
        auto const* found = take_operator(strength);
        if (!found)
            break;
        auto const right = binary(found->strength + 1);
        if (!right)
            return right;
        left = apply(found->text, *left, *right);
    }
    --depth_;
    return left;
}

Number Evaluator::unary()
{
    auto negative = false;
    auto inverted = false;
    for (;;) {
        if (take("-"))
            negative = !negative;
        else if (!take("+"))
            break;
    }
    if (!blank() && text_[at_] == '!' && !text_.substr(at_).starts_with("!=")) {
        ++at_;
        inverted = true;
    }
    auto value = primary();
    if (!value)
        return value;
    auto const result = inverted ? (*value == 0 ? 1 : 0) : *value;
    return negative ? static_cast<i64>(0 - static_cast<u64>(result)) : result;
}

Number Evaluator::primary()
{
    if (take("(")) {
        auto value = binary(1);
        if (value && !take(")"))
            return std::unexpected("expected `)`");
        return value;
    }
    if (blank())
        return std::unexpected("expected a number at the end");
    auto const dollar = take("$");
    auto const start = at_;
    auto const in_word = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || c == '_';
    };
    while (at_ < text_.size() && in_word(text_[at_]))
        ++at_;
    auto const word = text_.substr(start, at_ - start);
    if (word.empty())
        return std::unexpected("expected a number at `" + std::string(text_.substr(start)) + "`");
    if (!dollar && word[0] >= '0' && word[0] <= '9')
        return number_in(word);
    auto const value = value_of_(word);
    return value.empty() ? Number(0) : number_in(value);
}

} // namespace

Number number_in(std::string_view text)
{
    // What a command printed may stand in columns.
    constexpr std::string_view blanks = " \t\n";
    auto digits = text.substr(std::min(text.find_first_not_of(blanks), text.size()));
    digits = digits.substr(0, digits.find_last_not_of(blanks) + 1);
    auto const negative = digits.starts_with('-');
    if (negative || digits.starts_with('+'))
        digits.remove_prefix(1);
    auto const hexadecimal = digits.starts_with("0x") || digits.starts_with("0X");
    if (hexadecimal)
        digits.remove_prefix(2);
    u64 value = 0;
    auto const* end = digits.data() + digits.size();
    auto const [stopped, status]
        = std::from_chars(digits.data(), end, value, hexadecimal ? 16 : 10);
    if (status != std::errc {} || stopped != end)
        return std::unexpected("`" + std::string(text) + "` is not a number");
    auto const limit = static_cast<u64>(std::numeric_limits<i64>::max()) + (negative ? 1 : 0);
    if (value > limit)
        return std::unexpected("`" + std::string(text) + "` is too large");
    return static_cast<i64>(negative ? 0 - value : value);
}

Number evaluate(std::string_view expression, NumberOf const& value_of)
{
    return Evaluator(expression, value_of).whole();
}

} // namespace gemel::gsh
