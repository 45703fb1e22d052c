// Tools that make or sift text: clear, echo, env, false, grep, seq, sort, true, yes.
#include "servers/tools/commands.hpp"
#include "servers/tools/pattern.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <memory>
#include <span>

namespace gemel::tools {
namespace {

constexpr usize sort_bytes_max = 64 << 20;

std::string joined(std::vector<std::string> const& words, usize from)
{
    auto result = std::string {};
    for (auto i = from; i < words.size(); ++i)
        result.append(i == from ? "" : " ").append(words[i]);
    return result;
}

std::optional<i64> signed_number(Context& context, std::string_view text)
{
    i64 value = 0;
    auto const* end = text.data() + text.size();
    auto const [stopped, status] = std::from_chars(text.data(), end, value);
    if (status == std::errc {} && stopped == end)
        return value;
    context.usage(concatenate("`", text, "` is not a number"));
    return std::nullopt;
}

// The number at a line's start; a line without one counts as 0.
i64 leading_number(std::string_view line)
{
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    i64 value = 0;
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
}

struct GrepTotals {
    bool any = false;
    u64 in_file = 0;
};

Result<void> grep_file(Context& context, Context::Options const& options, Pattern const& pattern,
    fskit::OpenFile& file, std::string const& prefix, GrepTotals& totals)
{
    auto reader = fskit::LineReader(file);
    u64 number = 0;
    while (auto const line = TRY(reader.next())) {
        ++number;
        if (pattern.found_in(*line) == options.has('v'))
            continue;
        totals.any = true;
        ++totals.in_file;
        if (options.has('q') || context.out().error())
            return {};
        if (options.has('c'))
            continue;
        context.out().write(prefix);
        if (options.has('n'))
            context.out().write(std::to_string(number) + ":");
        context.out().line(*line);
    }
    if (options.has('c') && !options.has('q'))
        context.out().line(prefix + std::to_string(totals.in_file));
    return {};
}

// The text of many lines, close together: a string for each would take twice as much.
class LineStore {
public:
    std::string_view keep(std::string_view line)
    {
        if (line.size() > left_.size()) {
            auto const bytes = std::max(line.size(), block_bytes);
            blocks_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
            left_ = { blocks_.back().get(), bytes };
        }
        auto const place = left_.first(line.size());
        std::ranges::copy(line, place.begin());
        left_ = left_.subspan(line.size());
        return { place.data(), place.size() };
    }

private:
    static constexpr usize block_bytes = 16 * 1024;
    std::vector<std::unique_ptr<char[]>> blocks_;
    std::span<char> left_; // of the last block
};

// A deque: it grows without a second copy of all lines.
using Lines = std::deque<std::string_view>;

void order(Lines& lines, Context::Options const& options)
{
    auto const less = [&](std::string_view a, std::string_view b) {
        if (options.has('n') && leading_number(a) != leading_number(b))
            return leading_number(a) < leading_number(b);
        return a < b;
    };
    std::ranges::sort(lines, less);
    if (options.has('u')) {
        auto const repeated = std::ranges::unique(lines);
        lines.erase(repeated.begin(), repeated.end());
    }
    if (options.has('r'))
        std::ranges::reverse(lines);
}

} // namespace

int run_true(Context&)
{
    return status_ok;
}

int run_false(Context&)
{
    return status_failed;
}

int run_clear(Context& context)
{
    context.out().write("\x1b[H\x1b[2J");
    return status_ok;
}

int run_echo(Context& context)
{
    auto const words = context.arguments();
    auto const bare = !words.empty() && words[0] == "-n";
    context.out().write(joined(words, bare ? 1 : 0) + (bare ? "" : "\n"));
    return status_ok;
}

int run_env(Context& context)
{
    for (auto const variable : context.env().variables())
        context.out().line(variable);
    return status_ok;
}

int run_yes(Context& context)
{
    auto const words = context.arguments();
    auto const line = words.empty() ? "y" : joined(words, 0);
    while (!context.out().error())
        context.out().line(line);
    return status_failed;
}

int run_seq(Context& context)
{
    auto const words = context.arguments();
    if (words.empty() || words.size() > 3)
        return context.usage("needs one to three numbers");
    auto numbers = std::vector<i64> {};
    for (auto const& word : words) {
        auto const number = signed_number(context, word);
        if (!number)
            return status_usage;
        numbers.push_back(*number);
    }
    auto const last = numbers.back();
    auto const first = numbers.size() > 1 ? numbers[0] : 1;
    auto const step = numbers.size() > 2 ? numbers[1] : 1;
    if (step == 0)
        return context.usage("a step of 0 leads nowhere");
    for (auto i = first; (step > 0 ? i <= last : i >= last) && !context.out().error();) {
        context.out().line(std::to_string(i));
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    return status_ok;
}

int run_sort(Context& context)
{
    auto const options = context.options("nru");
    if (!options)
        return status_usage;
    auto store = LineStore {};
    auto lines = Lines {};
    usize bytes = 0;
    auto const status = context.for_each_input(
        options->operands, [&](fskit::OpenFile& file, std::string const&) -> Result<void> {
            auto reader = fskit::LineReader(file);
            while (auto line = TRY(reader.next())) {
                bytes += line->size();
                if (bytes > sort_bytes_max)
                    return Error::too_big;
                lines.push_back(store.keep(*line));
            }
            return {};
        });
    order(lines, *options);
    for (auto const& line : lines)
        context.out().line(line);
    return status;
}

int run_grep(Context& context)
{
    auto const options = context.options("civnq");
    if (!options)
        return status_usage;
    if (options->operands.empty())
        return context.usage("needs a text to look for");
    auto const pattern = Pattern(
        options->operands[0], options->has('i') ? Pattern::Case::ignored : Pattern::Case::matters);
    auto const paths = std::vector(options->operands.begin() + 1, options->operands.end());
    auto totals = GrepTotals {};
    auto const status
        = context.for_each_input(paths, [&](fskit::OpenFile& file, std::string const& path) {
              totals.in_file = 0;
              auto const prefix = paths.size() > 1 ? path + ":" : "";
              return grep_file(context, *options, pattern, file, prefix, totals);
          });
    if (status != status_ok)
        return status_usage;
    return totals.any ? status_ok : status_failed;
}

} // namespace gemel::tools
