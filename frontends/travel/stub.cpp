#include "frontends/travel/stub.hpp"

#include "frontends/travel/packets.hpp"
#include "frontends/travel/registers.hpp"
#include "frontends/travel/requests.hpp"
#include "frontends/travel/timeline.hpp"

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
constexpr char const* no_such_thread = "E01";
constexpr char const* no_request = "E01";

constexpr u64 where_count_max = 200'000; // instructions: a second

std::string number_text(u64 number)
{
    char text[20];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(number));
    return text;
}

std::string hexadecimal_of(std::string_view text)
{
    return hexadecimal({ reinterpret_cast<u8 const*>(text.data()), text.size() });
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
    std::string thread_query(std::string const& packet);
    std::string part_of(std::string const& whole, std::string const& packet);
    std::string memory(std::string_view words);
    std::string point(std::string const& packet);
    std::string resumed(std::string const& packet);
    std::string gone(Target const& target);
    Stop step(u32 id);
    Stop step_back(u32 id);
    std::string told(Stop const& stop, Resume::How how, u32 stepping);
    std::string at_thread(u32 id);
    std::string command(std::string const& words);
    // As the system's threads are now.
    Threads const& threads();
    u32 chosen(); // by gdb, for what it asks of a thread
    std::string choose(std::string_view words);
    std::string registers();
    std::string thread_list();
    std::string thread_document();
    std::string where();
    std::string marks();
    std::string go_to(std::string_view words);

    Packets packets_;
    Timeline timeline_;
    std::optional<Target> target_; // of a goto
    std::string last_; // how it came to stand; empty: it never went
    std::optional<Threads> threads_; // until the run goes on
    u32 general_ = 0; // the thread that gdb asks about; 0: the one that is live
    ThreadWord continued_; // that is to go on, for requests that do not say it themselves
};

// --- threads ---

Threads const& Stub::threads()
{
    if (!threads_)
        threads_.emplace(timeline_.here());
    return *threads_;
}

u32 Stub::chosen()
{
    return general_ != 0 && threads().contains(general_) ? general_ : threads().live();
}

// "Hg1c": for registers; "Hc-1": for what goes on.
std::string Stub::choose(std::string_view words)
{
    auto const thread = words.empty() ? std::nullopt : thread_of(words.substr(1));
    if (!thread)
        return no_request;
    auto const one = thread->which == ThreadWord::Which::one;
    if (one && !threads().contains(thread->id))
        return no_such_thread;
    if (words[0] == 'g')
        general_ = one ? thread->id : 0;
    else if (words[0] == 'c')
        continued_ = *thread;
    else
        return no_request;
    return "OK";
}

std::string Stub::registers()
{
    auto const id = chosen();
    if (auto const saved = threads().saved(id))
        return register_text(timeline_.here(), *saved, threads().stack_of(id));
    return register_text(timeline_.here());
}

std::string Stub::thread_list()
{
    std::string text;
    for (auto const id : threads().ids())
        text += (text.empty() ? "m" : ",") + number_text(id);
    return text;
}

// gdb manual, "Thread List Format".
std::string Stub::thread_document()
{
    std::string xml = "<?xml version=\"1.0\"?>\n<threads>\n";
    for (auto const id : threads().ids())
        xml += "<thread id=\"" + number_text(id) + "\" name=\"" + quoted_for_xml(threads().name(id))
            + "\">" + quoted_for_xml(threads().state(id)) + "</thread>\n";
    return xml + "</threads>\n";
}

std::string Stub::thread_query(std::string const& packet)
{
    constexpr std::string_view extra = "qThreadExtraInfo,";
    if (packet == "qC")
        return "QC" + number_text(chosen());
    if (packet == "qfThreadInfo")
        return thread_list();
    if (packet == "qsThreadInfo")
        return "l";
    if (!packet.starts_with(extra))
        return "";
    auto const thread = thread_of(std::string_view { packet }.substr(extra.size()));
    if (!thread || !threads().contains(thread->id))
        return no_such_thread;
    return hexadecimal_of(threads().name(thread->id) + ": " + threads().state(thread->id));
}

// --- packets ---

std::string Stub::answer_to(std::string const& packet)
{
    auto const words = std::string_view { packet }.substr(packet.empty() ? 0 : 1);
    switch (packet.empty() ? '\0' : packet[0]) {
    case '?':
        return last_.empty() ? told({}, Resume::How::step, threads().live()) : last_;
    case 'g':
        return registers();
    case 'p': {
        auto const numbers = numbers_of(words);
        auto const text = numbers.count == 1 ? one_register(registers(), numbers.values[0]) : "";
        return text.empty() ? no_request : text;
    }
    case 'm':
        return memory(words);
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
        return resumed(packet);
    case 'b':
        return packet == "bc" || packet == "bs" ? resumed(packet) : "";
    case 'v':
        if (packet == "vCont?")
            return "vCont;c;C;s;S";
        return packet.starts_with("vCont;") ? resumed(packet) : "";
    case 'H':
        return choose(words);
    case 'T': {
        auto const thread = thread_of(words);
        auto const there = thread && threads().contains(thread->id);
        return there ? "OK" : no_such_thread;
    }
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
               "qXfer:features:read+;qXfer:auxv:read+;qXfer:threads:read+;vContSupported+";
    if (is("QStartNoAckMode"))
        return "OK";
    if (is("qXfer:features:read:target.xml:"))
        return part_of(target_description(), packet);
    if (is("qXfer:auxv:read:")) {
        std::ifstream file { "/proc/" + std::to_string(timeline_.here().process()) + "/auxv",
            std::ios::binary };
        return part_of({ std::istreambuf_iterator<char> { file }, {} }, packet);
    }
    if (is("qXfer:threads:read::"))
        return part_of(thread_document(), packet);
    if (is("qAttached"))
        return "1"; // gdb lets go of it when it ends, and does not kill it: either ends the replay
    if (is("qRcmd,"))
        return command(text_of_hexadecimal(std::string_view { packet }.substr(6)));
    return thread_query(packet);
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

// --- going on ---

std::string Stub::at_thread(u32 id)
{
    return "thread:" + number_text(id) + ";hexname:" + hexadecimal_of(threads().name(id)) + ";";
}

// Who waited for a step of one thread is told with no signal when another one stands there.
std::string Stub::told(Stop const& stop, Resume::How how, u32 stepping)
{
    auto const live = threads().live();
    auto const thread = at_thread(live);
    auto const back = how == Resume::How::back || how == Resume::How::step_back;
    switch (stop.why) {
    case Why::stepped:
        return (live == stepping ? "T05" : "T00") + thread;
    case Why::breakpoint:
        return "T05swbreak:;" + thread;
    case Why::watch:
        return "T05watch:" + number_text(stop.address) + ";" + thread;
    case Why::signal:
        return "T" + hexadecimal({ { static_cast<u8>(stop.signal) } }) + thread;
    case Why::interrupted:
        return "T02" + thread;
    case Why::begin:
        return "T05replaylog:begin;" + thread;
    case Why::lost:
        std::fprintf(stderr,
            "gemel: the run went another way than before: it is no function of "
            "its journal\n");
        return (back ? "T05replaylog:begin;" : "T05replaylog:end;") + thread;
    case Why::end:
        return "T05replaylog:end;" + thread;
    }
    return no_request;
}

// One instruction of a thread. One that waits takes it when its turn comes: the others go on until
// then. So they do when the instruction is the switch to another thread.
Stop Stub::step(u32 id)
{
    if (id != threads().live()) {
        auto const ahead = threads().ahead(id);
        auto const stop = ahead ? timeline_.forward_to(*ahead) : Stop {};
        if (stop.why != Why::stepped)
            return stop;
    }
    auto const before = timeline_.here().registers();
    auto const stop = timeline_.step();
    auto const switched
        = before.rip == hosted::switch_begin() && timeline_.here().registers().rsp != before.rsp;
    if (!switched || stop.why != Why::stepped)
        return stop;
    auto const behind = before.rip + hosted::switch_bytes;
    return timeline_.forward_to({ behind, before.rsp, before.rsp });
}

// The same backwards: to before the last instruction that the thread ran.
Stop Stub::step_back(u32 id)
{
    if (id != threads().live()) {
        auto const behind = threads().behind(id);
        return behind ? timeline_.back_to(*behind) : timeline_.step_back();
    }
    auto const begin = hosted::switch_begin();
    auto const before = timeline_.here().registers();
    auto const first = hosted::is_first(timeline_.here().get<hosted::SavedContext>(before.rsp));
    auto const stop = timeline_.step_back();
    if (begin == 0 || before.rip != begin + hosted::switch_bytes || first
        || stop.why != Why::stepped)
        return stop;
    return timeline_.back_to({ begin, before.rsp, before.rsp });
}

std::string Stub::gone(Target const& target)
{
    auto const stop = target.kind == Target::Kind::event ? timeline_.to_event(target.value)
                                                         : timeline_.to_time(target.value);
    threads_.reset();
    if (stop.why == Why::end)
        std::fprintf(stderr, "gemel: that is behind the end of the run, where it stands now\n");
    return told(stop.why == Why::end ? Stop {} : stop, Resume::How::go, 0);
}

std::string Stub::resumed(std::string const& packet)
{
    auto const resume = resume_of(packet);
    if (!resume)
        return no_request;
    auto const said = resume->thread.which == ThreadWord::Which::any ? continued_ : resume->thread;
    auto const one = said.which == ThreadWord::Which::one;
    if (one && !threads().contains(said.id))
        return no_such_thread;
    auto const id = one ? said.id : chosen();
    if (target_) {
        last_ = gone(*std::exchange(target_, std::nullopt));
    } else {
        Stop stop;
        switch (resume->how) {
        case Resume::How::go:
            stop = timeline_.forward();
            break;
        case Resume::How::back:
            stop = timeline_.back();
            break;
        case Resume::How::step:
            stop = step(id);
            break;
        case Resume::How::step_back:
            stop = step_back(id);
            break;
        }
        threads_.reset();
        last_ = told(stop, resume->how, id);
    }
    general_ = threads().live();
    return last_;
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
    else if (words == "thread")
        text = "thread " + std::to_string(threads().live()) + "\n";
    else if (words == "marks")
        text = marks();
    else if (words.starts_with(go))
        text = go_to(std::string_view { words }.substr(go.size()));
    if (text.empty())
        text = "monitor where | thread | marks | goto event:N | goto +N | goto -N | goto "
               "NANOSECONDS\n";
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
