#include "frontends/cli/signature.hpp"

#include "frontends/cli/place.hpp"

#include <algorithm>
#include <string_view>

namespace gemel::cli {

namespace {

constexpr std::string_view digits = "0123456789";
constexpr std::string_view hexadecimal = "0123456789abcdefABCDEF";

// Each number, decimal or 0x, is N.
std::string without_numbers(std::string_view text)
{
    std::string result;
    while (!text.empty()) {
        auto const begin = std::min(text.find_first_of(digits), text.size());
        result += text.substr(0, begin);
        text.remove_prefix(begin);
        if (text.empty())
            break;
        auto const is_hexadecimal = text.size() > 2 && text.starts_with("0x")
            && hexadecimal.find(text[2]) != std::string_view::npos;
        auto const end = is_hexadecimal ? text.find_first_not_of(hexadecimal, 2)
                                        : text.find_first_not_of(digits);
        text.remove_prefix(std::min(end, text.size()));
        result += 'N';
    }
    return result;
}

std::string on_one_line(std::string text)
{
    for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at))
        text.replace(at, std::min(text.find_first_not_of("\n ", at), text.size()) - at, "; ");
    return text;
}

// What the jail caught is told with the way to it, which leads through the world that ran it.
std::string told_of(sim::Failure const& failure)
{
    return failure.check == "jail" ? failure.what.substr(0, failure.what.find('\n'))
                                   : with_lines(failure.what);
}

} // namespace

std::string signature_of(sim::Failure const& failure)
{
    return failure.check + ": " + without_numbers(on_one_line(told_of(failure)));
}

} // namespace gemel::cli
