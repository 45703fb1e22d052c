// Tools that ask a service: date, df, fsck, fstrim, log, mount, service, sleep.
#include "servers/protocols/init.hpp"
#include "servers/protocols/log.hpp"
#include "servers/protocols/scheduler.hpp"
#include "servers/rt/wall_clock.hpp"
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"

#include <algorithm>

namespace gemel::tools {
namespace {

constexpr u32 log_line_bytes = 256; // a guess: more is asked for than is shown
constexpr u32 log_bytes_max = 4 << 20;

// A line of the vfs's mounts: source, path, type, "ro" or "rw".
struct MountLine {
    std::string source;
    std::string path;
    std::string type;
    std::string access;
};

std::string unescape_mount(std::string_view text)
{
    auto result = std::string {};
    for (usize i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            result += static_cast<char>(
                (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

std::vector<MountLine> parse_mounts(std::string_view text)
{
    auto result = std::vector<MountLine> {};
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        auto const word = [&line] {
            auto const blank = std::min(line.find(' '), line.size());
            auto const found = line.substr(0, blank);
            line.remove_prefix(std::min(blank + 1, line.size()));
            return unescape_mount(found);
        };
        auto entry = MountLine {};
        entry.source = word();
        entry.path = word();
        entry.type = word();
        entry.access = word();
        result.push_back(std::move(entry));
    }
    return result;
}

std::vector<std::string> volume_row(VolumeStatus const& volume, std::string const& path, bool human)
{
    auto const size
        = [human](u64 bytes) { return human ? human_size(bytes) : std::to_string(bytes / 1024); };
    auto const used = volume.bytes_total - std::min(volume.bytes_free, volume.bytes_total);
    auto const for_files = used + volume.bytes_available; // what is reserved is neither
    auto const percent = for_files == 0
        ? std::string("-")
        : std::to_string((used * 100 + for_files - 1) / for_files) + "%";
    auto const type = std::string(volume.type, strnlen(volume.type, sizeof(volume.type)));
    return { type, size(volume.bytes_total), size(used), size(volume.bytes_available), percent,
        path };
}

std::optional<protocol::LogLevel> level_of(std::string_view text)
{
    constexpr std::array<std::string_view, 4> names { "debug", "info", "warn", "error" };
    auto const found = std::ranges::find(names, text);
    if (found == names.end())
        return std::nullopt;
    return static_cast<protocol::LogLevel>(found - names.begin());
}

// "SECONDS.MICROS LEVEL NAME: TEXT"
protocol::LogLevel level_in(std::string_view line)
{
    auto const start = std::min(line.find_first_not_of(' '), line.size());
    auto const blank = std::min(line.find(' ', start), line.size());
    auto word = std::string(line.substr(std::min(line.find_first_not_of(' ', blank), line.size())));
    word.erase(std::min(word.find(' '), word.size()));
    for (auto& c : word)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return level_of(word).value_or(protocol::LogLevel::error);
}

Result<std::vector<std::string>> log_lines(Client<protocol::Log> const& log, u64 count)
{
    auto const bytes = static_cast<u32>(std::min<u64>(
        count > log_bytes_max ? log_bytes_max : count * log_line_bytes, log_bytes_max));
    auto cursor = TRY(log.call(protocol::Log::TailCursor { bytes })).cursor;
    auto text = std::string {};
    for (;;) {
        auto const piece = TRY(log.call(protocol::Log::ReadTail { cursor }));
        if (piece.text.view().empty())
            break;
        text += piece.text.view();
        cursor = piece.cursor;
    }
    auto lines = std::vector<std::string> {};
    for (usize begin = 0; begin < text.size();) {
        auto const end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

std::string_view state_text(protocol::ServiceState state)
{
    switch (state) {
    case protocol::ServiceState::stopped:
        return "stopped";
    case protocol::ServiceState::starting:
        return "starting";
    case protocol::ServiceState::running:
        return "running";
    case protocol::ServiceState::failed:
        return "failed";
    case protocol::ServiceState::stopping:
        return "stopping";
    }
    return "?";
}

template <typename Reply>
int outcome(Context& context, std::string const& service, Result<Reply> const& reply)
{
    return reply ? status_ok : context.fail(service, reply.error());
}

int list_services(Context& context, Client<protocol::Init> const& init)
{
    auto table = Table({ Align::left, Align::left, Align::right, Align::right });
    table.add({ "SERVICE", "STATE", "TASK", "RESTARTS" });
    for (u32 index = 0;; ++index) {
        auto const service = init.call(protocol::Init::ListServices { index });
        if (!service && service.error() == Error::not_found)
            break;
        if (!service)
            return context.fail(std::string(name_of(service.error())));
        table.add({ std::string(service->name.view()), std::string(state_text(service->state)),
            service->task == 0 ? "" : std::to_string(service->task),
            std::to_string(service->restarts) });
    }
    context.out().write(table.text());
    return status_ok;
}

// "1.5" seconds in nanoseconds.
std::optional<u64> duration(Context& context, std::string const& text)
{
    auto const dot = std::min(text.find('.'), text.size());
    auto const whole = dot == 0 ? std::optional<u64>(0) : context.number(text.substr(0, dot));
    auto fraction = text.substr(std::min(dot + 1, text.size())).substr(0, 9);
    fraction.append(9 - fraction.size(), '0');
    auto const nanoseconds = context.number(fraction);
    constexpr u64 seconds_max = 1'000'000'000;
    if (!whole || !nanoseconds || text.empty() || *whole > seconds_max)
        return std::nullopt;
    return *whole * 1'000'000'000 + *nanoseconds;
}

} // namespace

int run_mount(Context& context)
{
    auto const text = context.files().mounts();
    if (!text)
        return context.fail(std::string(name_of(text.error())));
    for (auto const& line : parse_mounts(*text))
        context.out().line(concatenate(
            line.source, " on ", line.path, " type ", line.type, " (", line.access, ")"));
    return status_ok;
}

int run_df(Context& context)
{
    auto const options = context.options("h");
    if (!options)
        return status_usage;
    auto paths = options->operands;
    if (paths.empty()) {
        auto const text = context.files().mounts();
        if (!text)
            return context.fail(std::string(name_of(text.error())));
        for (auto const& line : parse_mounts(*text))
            paths.push_back(line.path);
    }
    auto const human = options->has('h');
    auto table = Table(
        { Align::left, Align::right, Align::right, Align::right, Align::right, Align::left });
    table.add({ "TYPE", human ? "SIZE" : "KIB", "USED", "FREE", "USE%", "MOUNTED ON" });
    auto status = status_ok;
    for (auto const& path : paths) {
        auto const volume = context.files().volume(context.absolute(path));
        if (volume)
            table.add(volume_row(*volume, path, human));
        else
            status = context.fail(path, volume.error());
    }
    context.out().write(table.text());
    return status;
}

int run_date(Context& context)
{
    auto const options = context.options("s");
    if (!options)
        return status_usage;
    if (!options->operands.empty())
        return context.usage("it takes no words: the time cannot be set");
    auto const now = WallClock::create(context.env()).now_ns();
    if (!now)
        return context.fail("this machine has no clock that knows the date");
    constexpr i64 ns_per_second = 1'000'000'000;
    auto const seconds = *now / ns_per_second;
    auto const second = std::to_string(100 + seconds % 60).substr(1);
    context.out().line(options->has('s')
            ? std::to_string(seconds)
            : concatenate(time_text(FileTime::from_ns(*now)), ":", second, " UTC"));
    return status_ok;
}

int run_fsck(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    if (options->operands.size() != 1)
        return context.usage("one path, in the file system that is meant");
    auto const& path = options->operands[0];
    auto const checked = context.files().check_volume(context.absolute(path));
    if (!checked)
        return context.fail(path, checked.error());
    context.out().write(checked->lines);
    context.out().line(checked->problems == 0
            ? concatenate(path, ": clean")
            : concatenate(path, ": ", std::to_string(checked->problems),
                " problems; unmounted, `gemel fsck -y` repairs"));
    return checked->problems == 0 ? status_ok : status_failed;
}

int run_fstrim(Context& context)
{
    auto const options = context.options("");
    if (!options)
        return status_usage;
    if (options->operands.size() != 1)
        return context.usage("one path, in the file system that is meant");
    auto const& path = options->operands[0];
    auto const bytes = context.files().trim_volume(context.absolute(path));
    if (!bytes)
        return context.fail(path, bytes.error());
    context.out().line(concatenate(path, ": ", std::to_string(*bytes), " bytes are free"));
    return status_ok;
}

int run_log(Context& context)
{
    auto const options = context.options("n:l:");
    if (!options)
        return status_usage;
    u64 count = 20;
    if (options->has('n')) {
        auto const number = context.number(options->values.at('n'));
        if (!number)
            return status_usage;
        count = *number;
    }
    auto const level = options->has('l') ? level_of(options->values.at('l'))
                                         : std::optional(protocol::LogLevel::debug);
    if (!level)
        return context.usage("a level is debug, info, warn or error");
    auto const log = context.client<protocol::Log>("log-tail");
    if (!log)
        return status_failed;
    auto lines = log_lines(*log, options->has('l') ? log_bytes_max : count);
    if (!lines)
        return context.fail(std::string(name_of(lines.error())));
    std::erase_if(*lines, [&](std::string const& line) { return level_in(line) < *level; });
    for (auto i = lines->size() - std::min<u64>(lines->size(), count); i < lines->size(); ++i)
        context.out().line((*lines)[i]);
    return status_ok;
}

int run_service(Context& context)
{
    auto const words = context.arguments();
    auto const init = context.client<protocol::Init>("init");
    if (!init)
        return status_failed;
    if (words.empty())
        return list_services(context, *init);
    using protocol::Init;
    auto const name = std::string_view(words.back());
    if (words.size() == 2 && words[0] == "start")
        return outcome(context, words[1], init->call(Init::StartService { name }));
    if (words.size() == 2 && words[0] == "stop")
        return outcome(context, words[1], init->call(Init::StopService { name }));
    if (words.size() == 2 && words[0] == "kill")
        return outcome(context, words[1], init->call(Init::KillService { name }));
    return context.usage("start, stop or kill, and a name");
}

int run_sleep(Context& context)
{
    auto const words = context.arguments();
    if (words.size() != 1)
        return context.usage("needs a number of seconds");
    auto const ns = duration(context, words[0]);
    if (!ns)
        return context.usage("the time is a number of seconds, 0.5 for instance");
    auto const scheduler = context.client<protocol::Scheduler>("scheduler");
    if (!scheduler)
        return status_failed;
    auto const slept = scheduler->call(protocol::Scheduler::Sleep { *ns });
    return slept ? status_ok : context.fail(std::string(name_of(slept.error())));
}

} // namespace gemel::tools
