#include "frontends/travel/stub.hpp"

#include "frontends/travel/packets.hpp"
#include "frontends/travel/registers.hpp"
#include "frontends/travel/timeline.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <sys/personality.h>
#include <unistd.h>

namespace gemel::travel {

namespace {

constexpr std::string_view unchangeable = "E.the past is as it was: a replay cannot be changed";

constexpr u64 where_count_max = 200'000; // instructions: a second

// Numbers with one letter between them: "addr,length", "type,addr,kind".
struct Numbers {
    u64 values[3] = {};
    u32 count = 0;
};

Numbers numbers_of(std::string_view text)
{
    Numbers numbers;
    auto const* at = text.data();
    auto const* const end = at + text.size();
    while (at < end && numbers.count < 3) {
        auto const [behind, error] = std::from_chars(at, end, numbers.values[numbers.count], 16);
        if (error != std::errc {})
            break;
        ++numbers.count;
        at = behind < end ? behind + 1 : end;
    }
    return numbers;
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

std::string hexadecimal_of(std::string_view text)
{
    return hexadecimal({ reinterpret_cast<u8 const*>(text.data()), text.size() });
}

std::optional<u64> decimal(std::string_view text)
{
    u64 value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc {} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

class Stub {
public:
    Stub(std::function<void()> const& body, int from, int to)
        : packets_(from, to)
        , timeline_(body, from, [this] { return packets_.interrupt(); })
    {
    }

    void serve()
    {
        while (auto const packet = packets_.next()) {
            if (*packet == "k")
                return; // which has no answer
            packets_.answer(answer_to(*packet));
            if (*packet == "QStartNoAckMode")
                packets_.trust();
            if (packet->starts_with("D"))
                return;
        }
    }

private:
    struct Target {
        enum class Kind : u8 { event, time };
        Kind kind = Kind::event;
        u64 value = 0;
    };

    std::string answer_to(std::string const& packet);
    std::string query(std::string const& packet);
    std::string part_of(std::string const& whole, std::string const& packet);
    std::string memory(std::string_view words);
    std::string point(std::string const& packet);
    std::string resumed(std::string const& packet);
    std::string told(Stop const& stop, bool back);
    std::string command(std::string const& words);
    std::string where();
    std::string marks();
    std::string go_to(std::string_view words);

    Packets packets_;
    Timeline timeline_;
    std::optional<Target> target_; // of a goto
    std::string last_ = "T05thread:1;"; // how it came to stand
};

std::string Stub::answer_to(std::string const& packet)
{
    switch (packet.empty() ? '\0' : packet[0]) {
    case '?':
        return last_;
    case 'g':
        return register_text(timeline_.here());
    case 'm':
        return memory(std::string_view { packet }.substr(1));
    case 'G':
    case 'P':
    case 'M':
    case 'X':
        return std::string { unchangeable };
    case 'Z':
    case 'z':
        return point(packet);
    case 'c':
    case 's':
    case 'C':
    case 'S':
        return last_ = resumed(packet);
    case 'b':
        return packet == "bc" || packet == "bs" ? last_ = resumed(packet) : "";
    case 'H':
    case 'T':
    case 'D':
        return "OK";
    case 'q':
    case 'Q':
        return query(packet);
    default:
        return ""; // not known
    }
}

std::string Stub::query(std::string const& packet)
{
    auto const is = [&](std::string_view word) { return packet.starts_with(word); };
    if (is("qSupported"))
        return "PacketSize=8000;QStartNoAckMode+;ReverseStep+;ReverseContinue+;swbreak+;hwbreak+;"
               "qXfer:features:read+;qXfer:auxv:read+";
    if (is("QStartNoAckMode"))
        return "OK";
    if (is("qXfer:features:read:target.xml:"))
        return part_of(target_description(), packet);
    if (is("qXfer:auxv:read:")) {
        std::ifstream file { "/proc/" + std::to_string(timeline_.here().process()) + "/auxv",
            std::ios::binary };
        return part_of({ std::istreambuf_iterator<char> { file }, {} }, packet);
    }
    if (is("qfThreadInfo"))
        return "m1";
    if (is("qsThreadInfo"))
        return "l";
    if (is("qAttached"))
        return "1"; // gdb lets go of it when it ends, and does not kill it: either ends the replay
    if (packet == "qC")
        return "QC1";
    if (is("qRcmd,"))
        return command(text_of_hexadecimal(std::string_view { packet }.substr(6)));
    return "";
}

// "...:offset,length": 'm' and a part, or 'l' and the last.
std::string Stub::part_of(std::string const& whole, std::string const& packet)
{
    auto const numbers = numbers_of(std::string_view { packet }.substr(packet.rfind(':') + 1));
    auto const offset = std::min<u64>(numbers.values[0], whole.size());
    auto const part = whole.substr(offset, numbers.values[1]);
    return (offset + part.size() < whole.size() ? "m" : "l") + part;
}

std::string Stub::memory(std::string_view words)
{
    auto const numbers = numbers_of(words);
    std::vector<u8> bytes(std::min<u64>(numbers.values[1], Packets::bytes_max / 2 - 16));
    bytes.resize(timeline_.here().read(numbers.values[0], bytes));
    return bytes.empty() ? "E14" : hexadecimal(bytes);
}

namespace {

// gdb does not pass on what stands in the answer.
char const* refusal(Watch const& watch)
{
    auto const* const reason = watch.access && !debug_registers_work()
        ? "E.this machine's debug registers do nothing: writes can be watched, reads cannot"
        : "E.there are debug registers for four words alone";
    std::fprintf(stderr, "gemel: %s\n", reason + 2);
    return reason;
}

} // namespace

// "Z0,addr,kind": a breakpoint; "Z2" and "Z4": watched for writes, for any access.
std::string Stub::point(std::string const& packet)
{
    auto const numbers = numbers_of(std::string_view { packet }.substr(1));
    auto const address = numbers.values[1];
    auto const insert = packet[0] == 'Z';
    if (numbers.count != 3 || numbers.values[0] == 3 || numbers.values[0] > 4)
        return "";
    if (numbers.values[0] <= 1) {
        if (insert)
            timeline_.insert(address);
        else
            timeline_.remove(address);
        return "OK";
    }
    Watch const watch { address, static_cast<u32>(numbers.values[2]), numbers.values[0] == 4 };
    if (insert)
        return timeline_.insert(watch) ? "OK" : refusal(watch);
    timeline_.remove(watch);
    return "OK";
}

std::string Stub::told(Stop const& stop, bool back)
{
    char text[64] = "T05thread:1;";
    switch (stop.why) {
    case Why::stepped:
        break;
    case Why::breakpoint:
        return "T05swbreak:;thread:1;";
    case Why::watch:
        std::snprintf(text, sizeof text, "T05watch:%llx;thread:1;",
            static_cast<unsigned long long>(stop.address));
        break;
    case Why::signal:
        std::snprintf(text, sizeof text, "T%02xthread:1;", stop.signal);
        break;
    case Why::interrupted:
        return "T02thread:1;";
    case Why::begin:
        return "T05replaylog:begin;thread:1;";
    case Why::lost:
        std::fprintf(stderr,
            "gemel: the run went another way than before: it is no function of "
            "its journal\n");
        return back ? "T05replaylog:begin;thread:1;" : "T05replaylog:end;thread:1;";
    case Why::end:
        return "T05replaylog:end;thread:1;";
    }
    return text;
}

std::string Stub::resumed(std::string const& packet)
{
    if (target_) {
        auto const target = *std::exchange(target_, std::nullopt);
        auto const stop = target.kind == Target::Kind::event ? timeline_.to_event(target.value)
                                                             : timeline_.to_time(target.value);
        if (stop.why == Why::end)
            std::fprintf(stderr, "gemel: that is behind the end of the run, where it stands now\n");
        return told(stop.why == Why::end ? Stop {} : stop, false);
    }
    if (packet == "bc")
        return told(timeline_.back(), true);
    if (packet == "bs")
        return told(timeline_.step_back(), true);
    auto const step = packet[0] == 's' || packet[0] == 'S';
    return told(step ? timeline_.step() : timeline_.forward(), false);
}

// --- monitor ---

std::string Stub::where()
{
    auto const place = timeline_.place(where_count_max);
    return "event " + std::to_string(timeline_.event()) + " steps "
        + (place ? std::to_string(place->steps) : "?") + " time "
        + std::to_string(timeline_.time_ns()) + " seen " + std::to_string(timeline_.last_event())
        + (timeline_.differed() ? " DIFFERED" : "") + "\n";
}

std::string Stub::marks()
{
    std::string text;
    for (auto const& [place, time] : timeline_.marks())
        text += "event " + std::to_string(place.event) + " steps " + std::to_string(place.steps)
            + " time " + std::to_string(time) + "\n";
    return text;
}

std::string Stub::go_to(std::string_view words)
{
    constexpr std::string_view event = "event:";
    auto const sign = words.empty() ? ' ' : words[0];
    auto const relative = sign == '+' || sign == '-';
    auto const absolute = words.starts_with(event);
    auto const value = decimal(words.substr(relative ? 1 : absolute ? event.size() : 0));
    if (!value)
        return "";
    auto const now = timeline_.event();
    if (relative)
        target_ = Target { Target::Kind::event,
            sign == '+' ? now + *value : now - std::min(now, *value) };
    else
        target_ = Target { absolute ? Target::Kind::event : Target::Kind::time, *value };
    return "gone\n";
}

std::string Stub::command(std::string const& words)
{
    constexpr std::string_view go = "goto ";
    std::string text;
    if (words == "where")
        text = where();
    else if (words == "marks")
        text = marks();
    else if (words.starts_with(go))
        text = go_to(std::string_view { words }.substr(go.size()));
    if (text.empty())
        text = "monitor where | marks | goto event:N | goto +N | goto -N | goto NANOSECONDS\n";
    return hexadecimal_of(text);
}

} // namespace

int serve_debugger(std::function<void()> const& body)
{
    // Standard output is gdb's.
    auto const to = ::dup(STDOUT_FILENO);
    auto const from = ::dup(STDIN_FILENO);
    auto const nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::fcntl(to, F_SETFD, FD_CLOEXEC);
    ::fcntl(from, F_SETFD, FD_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGPIPE, SIG_IGN);
    Stub { body, from, to }.serve();
    return 0;
}

} // namespace gemel::travel
