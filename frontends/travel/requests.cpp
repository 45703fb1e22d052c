#include "frontends/travel/requests.hpp"

#include <charconv>

namespace gemel::travel {

namespace {

// The whole of it, or nothing.
template <typename Number>
std::optional<Number> number_of(std::string_view text, int base)
{
    Number value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc {} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

// "s:1c", "c", "C05:2": the letter, a signal that nobody gets here, and for whom.
std::optional<Resume> action_of(std::string_view action)
{
    auto const colon = action.find(':');
    auto const words = action.substr(0, colon);
    auto const has_signal = words.size() == 3 && number_of<u8>(words.substr(1), 16);
    Resume resume;
    if (words == "s" || (has_signal && words[0] == 'S'))
        resume.how = Resume::How::step;
    else if (words != "c" && !(has_signal && words[0] == 'C'))
        return std::nullopt;
    if (colon == std::string_view::npos)
        return resume;
    auto const thread = thread_of(action.substr(colon + 1));
    if (!thread)
        return std::nullopt;
    resume.thread = *thread;
    return resume;
}

std::optional<Resume> resume_of_actions(std::string_view actions)
{
    std::optional<Resume> chosen;
    for (;;) {
        auto const end = actions.find(';');
        auto const action = action_of(actions.substr(0, end));
        if (!action)
            return std::nullopt;
        if (!chosen || (chosen->how == Resume::How::go && action->how == Resume::How::step))
            chosen = action;
        if (end == std::string_view::npos)
            return chosen;
        actions.remove_prefix(end + 1);
    }
}

} // namespace

Numbers numbers_of(std::string_view text)
{
    Numbers numbers;
    auto const* at = text.data();
    auto const* const end = at + text.size();
    while (at < end && numbers.count < Numbers::count_max) {
        auto const [behind, error] = std::from_chars(at, end, numbers.values[numbers.count], 16);
        if (error != std::errc {})
            break;
        ++numbers.count;
        at = behind < end ? behind + 1 : end;
    }
    return numbers;
}

std::optional<ThreadWord> thread_of(std::string_view word)
{
    if (word == "-1")
        return ThreadWord { ThreadWord::Which::all, 0 };
    auto const id = number_of<u32>(word, 16);
    if (!id)
        return std::nullopt;
    if (*id == 0)
        return ThreadWord {};
    return ThreadWord { ThreadWord::Which::one, *id };
}

std::optional<Resume> resume_of(std::string_view packet)
{
    constexpr std::string_view actions = "vCont;";
    if (packet.starts_with(actions))
        return resume_of_actions(packet.substr(actions.size()));
    if (packet == "bc")
        return Resume { Resume::How::back, {} };
    if (packet == "bs")
        return Resume { Resume::How::step_back, {} };
    // An address to go on at may follow: that would be to write a register.
    auto const letter = packet.empty() ? '\0' : packet[0];
    auto const has_signal = packet.size() == 3 && number_of<u8>(packet.substr(1), 16);
    if (packet == "c" || (letter == 'C' && has_signal))
        return Resume { Resume::How::go, {} };
    if (packet == "s" || (letter == 'S' && has_signal))
        return Resume { Resume::How::step, {} };
    return std::nullopt;
}

std::string text_of_hexadecimal(std::string_view digits)
{
    std::string text;
    for (usize i = 0; i + 1 < digits.size(); i += 2) {
        u8 byte = 0;
        std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
        text += static_cast<char>(byte);
    }
    return text;
}

std::optional<u64> decimal(std::string_view text)
{
    return number_of<u64>(text, 10);
}

std::string quoted_for_xml(std::string_view text)
{
    std::string quoted;
    for (auto const letter : text)
        switch (letter) {
        case '&':
            quoted += "&amp;";
            break;
        case '<':
            quoted += "&lt;";
            break;
        case '>':
            quoted += "&gt;";
            break;
        case '"':
            quoted += "&quot;";
            break;
        default:
            quoted += letter;
        }
    return quoted;
}

} // namespace gemel::travel
