#include "servers/gsh/expand.hpp"

#include "servers/fskit/name_pattern.hpp"
#include "servers/gsh/arithmetic.hpp"

#include <optional>

namespace gemel::gsh {
namespace {

constexpr std::string_view blanks = " \t\n";

// The fields of one word while it is put together. A field exists once anything, be it an empty
// quoted text, has been put into it.
class FieldBuilder {
public:
    void add(std::string_view pattern) { current() += pattern; }
    void end_field() { open_ = false; }
    // Unquoted values are split at blanks; wildcards in them count.
    void add_split(std::string_view value)
    {
        while (!value.empty()) {
            auto const start = value.find_first_not_of(blanks);
            if (start != 0)
                end_field();
            if (start == std::string_view::npos)
                return;
            auto const end = std::min(value.find_first_of(blanks, start), value.size());
            add(value.substr(start, end - start));
            value.remove_prefix(end);
        }
    }
    std::vector<std::string> take() { return std::move(fields_); }

private:
    std::string& current()
    {
        if (!open_)
            fields_.emplace_back();
        open_ = true;
        return fields_.back();
    }

    std::vector<std::string> fields_;
    bool open_ = false;
};

} // namespace

Expanded<std::string> Expander::value_of(Word const& word, WordPart const& part)
{
    switch (part.kind) {
    case WordPart::Kind::text:
        return part.text;
    case WordPart::Kind::variable:
        return variables_.get(part.text);
    case WordPart::Kind::arithmetic: {
        auto const number
            = evaluate(part.text, [this](std::string_view name) { return variables_.get(name); });
        if (!number)
            return ExpandError { word.where, "$((" + part.text + ")): " + number.error() };
        return std::to_string(*number);
    }
    case WordPart::Kind::substitution:
        break;
    }
    auto output = substitute_(*part.script);
    if (!output)
        return ExpandError { word.where, output.error() };
    while (output->ends_with('\n'))
        output->pop_back();
    return *std::move(output);
}

// The word's fields as patterns: what was quoted is escaped.
Expanded<std::vector<std::string>> Expander::patterns(Word const& word)
{
    auto builder = FieldBuilder {};
    for (auto const& part : word.parts) {
        auto const quoted = part.quoting == WordPart::Quoting::quoted;
        if (quoted && part.kind == WordPart::Kind::variable && part.text == "@") {
            // "$@": each argument stays a field of its own.
            for (usize i = 1; i < variables_.arguments.size(); ++i) {
                if (i > 1)
                    builder.end_field();
                builder.add(fskit::escape_pattern(variables_.arguments[i]));
            }
            continue;
        }
        auto const value = TRY(value_of(word, part));
        if (quoted)
            builder.add(fskit::escape_pattern(value));
        else if (part.kind == WordPart::Kind::text)
            builder.add(value);
        else
            builder.add_split(value);
    }
    return builder.take();
}

Expanded<void> Expander::add_fields(Word const& word, std::vector<std::string>& result)
{
    for (auto const& pattern : TRY(patterns(word))) {
        if (fskit::has_wildcard(pattern)) {
            auto names = glob(world_, directory_, pattern);
            if (!names)
                return ExpandError { word.where, "too many file names fit" };
            if (!names->empty()) {
                result.insert(result.end(), names->begin(), names->end());
                continue;
            }
        }
        result.push_back(fskit::unescape_pattern(pattern));
    }
    return {};
}

Expanded<std::vector<std::string>> Expander::fields(std::vector<Word> const& words)
{
    auto result = std::vector<std::string> {};
    for (auto const& word : words)
        TRY(add_fields(word, result));
    return result;
}

Expanded<std::string> Expander::text(Word const& word)
{
    auto result = std::string {};
    for (auto const& part : word.parts)
        result += TRY(value_of(word, part));
    return result;
}

Expanded<std::string> Expander::file_name(Word const& word)
{
    auto names = TRY(fields({ word }));
    if (names.size() != 1 || names[0].empty())
        return ExpandError { word.where, "a redirection needs exactly one file name" };
    return std::move(names[0]);
}

} // namespace gemel::gsh
