#include "frontends/cli/sim_run.hpp"

#include "frontends/cli/event_file.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/volume_check.hpp"
#include "frontends/travel/inside.hpp"

#include <gemel/arch/program.hpp>
#include <gemel/hosted/heap_fill.hpp>
#include <gemel/hosted/inspector.hpp>
#include <gemel/hosted/jail.hpp>
#include <gemel/hosted/site.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace gemel::cli {

namespace {

constexpr u32 decisions_max = 1u << 20;
constexpr u32 reached_max = 1024;

template <usize n>
void put(char (&to)[n], std::string_view from)
{
    auto const bytes = std::min(from.size(), n - 1);
    std::memcpy(to, from.data(), bytes);
    to[bytes] = 0;
}

} // namespace

// Memory that the child writes and the parent reads, whatever became of the child.
struct SimShared {
    Verdict verdict = Verdict::inconclusive;
    u64 time_ns = 0;
    u64 events = 0;
    u64 failure_ns = 0;
    u64 failure_event = 0;
    sim::Hash l1;
    sim::Hash l2;
    sim::Hash boot_l1 { 0, 0 };
    sim::StrategyKind strategy = sim::StrategyKind::run_to_block;
    u32 power_cuts = 0;
    u32 crash_states = 0;
    u32 decision_count = 0;
    u32 reached_count = 0;
    u32 covered_count = 0;
    u64 begun_event = 0;
    u64 free_event = 0;
    u32 stop_count = 0;
    u32 stops_kept = 0;
    u64 edges = 0;
    sim::Stop stops[sim::ClosedWorld::stops_kept];
    u64 reached[reached_max] = {};
    char check[64] = {};
    char what[4096] = {};
    char task[32] = {};
    char console[8192] = {};
    char not_jailed[128] = {};
    bool stopped = false;
    bool is_given = false; // to an executed run: what is in `decisions`, first of all
    sim::Decision decisions[decisions_max];
    sim::CoveredPoint covered[sim::Coverage::places];
};

namespace {

SimShared* own_shared = nullptr; // the child's, for the jail's handler
int own_transcript = -1;
usize transcript_bytes = 0; // that are in there

void write_whole(int to, std::string_view text)
{
    while (!text.empty()) {
        auto const wrote = ::write(to, text.data(), text.size());
        if (wrote <= 0)
            return;
        text.remove_prefix(static_cast<usize>(wrote));
    }
}

// -1: no path, or no file.
int open_for_writing(std::string const& path)
{
    return path.empty() ? -1 : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

void write_transcript(std::string_view console)
{
    auto const fresh = own_transcript < 0 ? "" : console.substr(transcript_bytes);
    transcript_bytes = console.size();
    write_whole(own_transcript, fresh);
}

void report(sim::Outcome const& outcome)
{
    auto& to = *own_shared;
    to.time_ns = outcome.time_ns;
    to.events = outcome.events;
    to.l1 = outcome.l1;
    to.l2 = outcome.l2;
    to.boot_l1 = outcome.boot_l1;
    to.strategy = outcome.strategy;
    to.power_cuts = outcome.power_cuts;
    to.crash_states = outcome.crash_states;
    to.decision_count = static_cast<u32>(std::min<usize>(outcome.decisions.size(), decisions_max));
    std::copy_n(outcome.decisions.begin(), to.decision_count, to.decisions);
    to.reached_count = static_cast<u32>(std::min<usize>(outcome.reached.size(), reached_max));
    std::copy_n(outcome.reached.begin(), to.reached_count, to.reached);
    to.begun_event = outcome.begun_event;
    to.free_event = outcome.free_event;
    to.covered_count = static_cast<u32>(outcome.covered.size());
    std::copy_n(outcome.covered.begin(), to.covered_count, to.covered);
    to.edges = outcome.edges;
    to.stop_count = outcome.stop_count;
    to.stops_kept = static_cast<u32>(outcome.stops.size());
    std::copy_n(outcome.stops.begin(), to.stops_kept, to.stops);
    auto const tail = std::min(outcome.console.size(), sizeof to.console - 1);
    put(to.console, std::string_view { outcome.console }.substr(outcome.console.size() - tail));
    if (outcome.failure) {
        put(to.check, outcome.failure->check);
        put(to.what, outcome.failure->what);
        put(to.task, outcome.failure->task);
        to.failure_ns = outcome.failure->time_ns;
        to.failure_event = outcome.failure->event;
    }
    to.verdict = outcome.failure ? Verdict::failed : Verdict::passed;
    write_transcript(outcome.console);
}

// While it runs: whoever ends the process may be quicker than the run's own report.
void note(sim::Decision const& decision)
{
    if (own_shared->decision_count < decisions_max)
        own_shared->decisions[own_shared->decision_count++] = decision;
}

void leaked(char const* what)
{
    put(own_shared->check, "jail");
    put(own_shared->what, what);
    own_shared->verdict = Verdict::leaked;
}

void close_jail(int events, int block_log)
{
    auto const missing = hosted::close_jail({ { events, own_transcript, block_log }, leaked });
    put(own_shared->not_jailed, missing.calls);
}

// Our code throws nothing; what the library throws when memory ends has to be caught where it is.
[[noreturn]] void uncaught()
{
    auto* system = hosted::running();
    auto* world = system ? system->machine().world() : nullptr;
    if (world)
        world->broke("an exception that nobody catches");
    ::_exit(0);
}

// At --to: who waits for what, to standard error, which the jail leaves open.
void say_who_waits()
{
    own_shared->stopped = true;
    auto* system = hosted::running();
    if (!system)
        return;
    auto const* current = system->kernel().cpu().current;
    std::fprintf(stderr, "reached; %s runs\n", current ? current->task->name : "nobody");
    for (auto const& line : Inspector { system->kernel() }.waits())
        std::fprintf(stderr, "  %s\n", line.c_str());
}

// The guard of its stack changes while it runs, so it has none itself.
[[noreturn, gnu::noinline]] __attribute__((no_stack_protector)) void run_lower(
    sim::Setup setup, SimWay const& way, sim::Recording const* recording = nullptr)
{
    own_transcript = way.transcript;
    auto const& perturbation = way.perturbation;
    auto const& events = way.events;
    auto const jail = way.jail;
    if (perturbation.stack_bytes != 0) {
        auto* room = static_cast<char volatile*>(__builtin_alloca(perturbation.stack_bytes));
        room[0] = 1;
    }
    hosted::fix_protector_words();
    std::set_terminate(uncaught);
    if (perturbation.heap_fill != 0) {
        ::mallopt(M_PERTURB, perturbation.heap_fill);
        hosted::fill_fresh_memory(static_cast<u8>(perturbation.heap_fill));
    }
    auto const file = open_for_writing(events);
    setup.failing = [](sim::Outcome const& outcome) {
        report(outcome);
        travel::gemel_replay_failed();
    };
    setup.decided = note;
    setup.stop_event = way.stop_event;
    setup.stop_ns = way.stop_ns;
    setup.stopped = say_who_waits;
    if (way.each_event)
        setup.each_event = way.each_event;
    auto const block_log = open_for_writing(way.block_log);
    if (block_log >= 0)
        setup.block_log = [block_log](std::string_view text) { write_whole(block_log, text); };
    setup.closing = [jail, file, block_log, each_event = way.each_event] {
        if (jail == Jail::closed)
            close_jail(file, block_log);
        if (each_event)
            each_event(0, 0);
    };
    if (!events.empty())
        setup.keep = sim::Trace::Keep::events;
    auto const outcome
        = recording ? sim::PlayedSession { *recording, setup }.run() : sim::run_closed(setup);
    report(outcome);
    travel::gemel_replay_over();
    if (file >= 0)
        write_event_file(file, outcome);
    ::_exit(0);
}

void limit_process(SimSpec const& spec)
{
    rlimit const limit { spec.processor_seconds_max, spec.processor_seconds_max };
    ::setrlimit(RLIMIT_CPU, &limit);
    rlimit const no_core { 0, 0 };
    ::setrlimit(RLIMIT_CORE, &no_core);
}

SimShared* shared_from(int descriptor)
{
    auto* memory = ::mmap(nullptr, sizeof(SimShared), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (memory == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap");
    return static_cast<SimShared*>(memory); // zeroes: nothing is known yet
}

// The words of an executed run, in order.
std::vector<std::string> words_of(SimSpec const& spec, SimWay const& way, int descriptor)
{
    return { "gemel", "sim-run", std::to_string(descriptor), std::to_string(spec.seed),
        spec.workload, std::to_string(static_cast<u32>(spec.strategy)),
        std::to_string(spec.fault_kinds), std::to_string(spec.until_ns),
        std::to_string(way.perturbation.heap_fill), std::to_string(way.perturbation.stack_bytes),
        way.jail == Jail::closed ? "1" : "0", way.events, spec.preempts ? "1" : "0",
        std::to_string(spec.cpus), spec.traces_messages ? "1" : "0" };
}

// What does not fit into words.
void give(SimSpec const& spec, SimShared& to)
{
    to.is_given = spec.decisions.has_value();
    to.decision_count = to.is_given
        ? static_cast<u32>(std::min<usize>(spec.decisions->size(), decisions_max))
        : 0;
    if (to.is_given)
        std::copy_n(spec.decisions->begin(), to.decision_count, to.decisions);
}

std::optional<std::vector<sim::Decision>> taken(SimShared& from)
{
    auto const count = std::exchange(from.decision_count, 0);
    if (!std::exchange(from.is_given, false))
        return std::nullopt;
    return std::vector<sim::Decision> { from.decisions, from.decisions + count };
}

[[noreturn]] void execute(std::vector<std::string> const& words)
{
    ::personality(ADDR_NO_RANDOMIZE);
    std::vector<char*> pointers;
    for (auto const& word : words)
        pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    char* const no_environment[] = { nullptr };
    ::execve("/proc/self/exe", pointers.data(), no_environment);
    ::_exit(127);
}

} // namespace

std::optional<SimHost> SimHost::open()
{
    SimHost host;
    std::ifstream file { build_tree() + "/bundle.cpio", std::ios::binary };
    host.bundle_ = { std::istreambuf_iterator<char> { file }, {} };
    auto const path = build_tree() + "/sim-disk.img";
    auto const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status { };
    if (descriptor < 0 || ::fstat(descriptor, &status) != 0) {
        std::fprintf(stderr, "gemel: %s: %s. Build it: ninja sim_disk\n", path.c_str(),
            std::strerror(errno));
        return std::nullopt;
    }
    host.disk_bytes_ = static_cast<u64>(status.st_size);
    auto* disk
        = ::mmap(nullptr, host.disk_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    ::close(descriptor);
    if (disk == MAP_FAILED) {
        std::fprintf(
            stderr, "gemel: %s cannot be mapped: %s\n", path.c_str(), std::strerror(errno));
        return std::nullopt;
    }
    host.disk_ = static_cast<u8*>(disk);
    return host;
}

sim::Setup SimHost::setup_of(SimSpec const& spec) const
{
    sim::Setup setup;
    setup.seed = spec.seed;
    setup.bundle = bundle_;
    setup.init_entry = arch::linked_program("init");
    setup.disk = { disk_, disk_bytes_ };
    if (spec.recording)
        return setup;
    setup.script = sim::script_of(spec.workload, spec.seed);
    setup.strategy = spec.strategy;
    setup.fault_kinds = spec.fault_kinds;
    setup.preempts = spec.preempts;
    setup.cpus = spec.cpus;
    setup.traces_messages = spec.traces_messages;
    setup.until_ns = spec.until_ns;
    setup.decisions = spec.decisions;
    setup.branch = spec.branch;
    setup.covers = spec.covers;
    auto const* workload = sim::find_workload(spec.workload);
    if (workload && workload->crash_states != 0) {
        setup.crash_states = workload->crash_states;
        setup.check_disk = volume_problems;
    }
    return setup;
}

int SimHost::disk_copy() const
{
    auto const descriptor = ::memfd_create("gemel-sim-disk", MFD_CLOEXEC);
    if (descriptor < 0 || ::ftruncate(descriptor, static_cast<off_t>(disk_bytes_)) != 0)
        throw std::system_error(errno, std::generic_category(), "memfd_create");
    auto* copy = ::mmap(nullptr, disk_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (copy == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap");
    std::memcpy(copy, disk_, disk_bytes_);
    ::munmap(copy, disk_bytes_);
    return descriptor;
}

SimChild SimHost::start(SimSpec const& spec, SimWay const& way) const
{
    auto const descriptor = ::memfd_create("gemel-sim", 0);
    if (descriptor < 0 || ::ftruncate(descriptor, sizeof(SimShared)) != 0)
        throw std::system_error(errno, std::generic_category(), "memfd_create");
    SimChild child;
    child.shared = shared_from(descriptor);
    if (way.disk == DiskAfter::kept)
        child.disk = disk_copy();
    std::fflush(nullptr);
    child.process = ::fork();
    if (child.process < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    if (child.process != 0) {
        ::close(descriptor);
        return child;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    own_shared = child.shared;
    limit_process(spec);
    if (way.process == Process::executed) {
        give(spec, *own_shared);
        execute(words_of(spec, way, descriptor));
    }
    try {
        auto setup = setup_of(spec);
        setup.hashes_memory = false; // the host chose its addresses
        if (child.disk >= 0
            && ::mmap(disk_, disk_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                   child.disk, 0)
                != disk_)
            throw std::system_error(errno, std::generic_category(), "mmap");
        run_lower(std::move(setup), way, spec.recording.get());
    } catch (std::system_error const& error) {
        put(own_shared->check, "host");
        put(own_shared->what, error.what());
        own_shared->verdict = Verdict::failed;
    }
    ::_exit(0);
}

void SimHost::run_here(SimSpec const& spec, SimWay const& way) const
{
    auto* memory = ::mmap(nullptr, sizeof(SimShared), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap");
    own_shared = static_cast<SimShared*>(memory);
    auto here = way;
    here.jail = Jail::open;
    run_lower(setup_of(spec), here, spec.recording.get());
}

void SimHost::run_booted(SimSpec const& boot, SimShared& shared, Next const& next) const
{
    own_shared = &shared;
    rlimit const no_core { 0, 0 };
    ::setrlimit(RLIMIT_CORE, &no_core);
    auto setup = setup_of(boot);
    setup.hashes_memory = false;
    setup.booted = [this, &next](sim::Plan& plan, hosted::System& system) {
        auto const [spec, jail] = next(system);
        limit_process(spec);
        plan = setup_of(spec);
        if (jail == Jail::closed)
            close_jail(-1, -1);
    };
    SimWay way;
    way.jail = Jail::open;
    run_lower(std::move(setup), way);
}

void SimHost::run_words(std::vector<std::string> const& words) const
{
    SimSpec spec;
    SimWay way;
    auto const number = [&](usize at) { return std::strtoull(words[at].c_str(), nullptr, 10); };
    own_shared = shared_from(static_cast<int>(number(2)));
    spec.seed = number(3);
    spec.workload = words[4];
    spec.strategy = static_cast<sim::StrategyKind>(number(5));
    spec.fault_kinds = static_cast<u32>(number(6));
    spec.until_ns = number(7);
    way.perturbation = { static_cast<int>(number(8)), static_cast<u32>(number(9)) };
    way.jail = number(10) != 0 ? Jail::closed : Jail::open;
    way.events = words[11];
    spec.preempts = number(12) != 0;
    spec.cpus = static_cast<u32>(number(13));
    spec.traces_messages = number(14) != 0;
    spec.decisions = taken(*own_shared);
    run_lower(setup_of(spec), way);
}

SimResult SimHost::finish(SimChild child, int wait_status)
{
    auto result = result_of(*child.shared, wait_status);
    result.disk = child.disk;
    free_shared(child.shared);
    return result;
}

SimShared* SimHost::make_shared()
{
    auto* memory = ::mmap(nullptr, sizeof(SimShared), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap");
    return static_cast<SimShared*>(memory);
}

// Decisions and what was covered stay: their numbers say how much of them means something.
void SimHost::reset(SimShared& shared)
{
    std::memset(static_cast<void*>(&shared), 0, offsetof(SimShared, decisions));
}

void SimHost::free_shared(SimShared* shared)
{
    ::munmap(shared, sizeof(SimShared));
}

SimResult SimHost::result_of(SimShared const& from, int wait_status)
{
    SimResult result;
    result.verdict = from.verdict;
    result.failure = { from.check, from.what, from.task, from.failure_ns, from.failure_event };
    result.l1 = from.l1;
    result.l2 = from.l2;
    result.boot_l1 = from.boot_l1;
    result.time_ns = from.time_ns;
    result.events = from.events;
    result.strategy = from.strategy;
    result.power_cuts = from.power_cuts;
    result.crash_states = from.crash_states;
    result.decisions.assign(from.decisions, from.decisions + from.decision_count);
    result.begun_event = from.begun_event;
    result.free_event = from.free_event;
    result.covered.assign(from.covered, from.covered + from.covered_count);
    result.edges = from.edges;
    result.stop_count = from.stop_count;
    result.stops.assign(from.stops, from.stops + from.stops_kept);
    result.reached.assign(from.reached, from.reached + from.reached_count);
    result.console = from.console;
    result.not_jailed = from.not_jailed;
    result.stopped = from.stopped;
    auto const killed = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    if (result.verdict == Verdict::passed && killed != 0)
        result.verdict = Verdict::inconclusive;
    if (result.verdict == Verdict::inconclusive && killed == SIGSYS) {
        result.verdict = Verdict::leaked;
        result.failure.check = "jail";
        result.failure.what = "a system call while signals were blocked (a thread is made so)";
    }
    if (result.verdict == Verdict::inconclusive) {
        auto const slow = killed == SIGKILL || killed == SIGXCPU;
        result.failure.check = slow ? "watchdog" : "host";
        result.failure.what = slow
            ? "no kernel entry ends the run: a loop in some task, or too long"
            : killed != 0 ? std::string { "the run died of: " } + ::strsignal(killed)
                          : "the run ended without a word";
        if (!slow)
            result.verdict = Verdict::failed;
    }
    return result;
}

SimResult SimHost::run(SimSpec const& spec, SimWay const& way) const
{
    auto const child = start(spec, way);
    int status = 0;
    while (::waitpid(child.process, &status, 0) < 0 && errno == EINTR)
        ;
    return finish(child, status);
}

std::string text_of(sim::Hash const& hash)
{
    char text[40];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high),
        static_cast<unsigned long long>(hash.low));
    return text;
}

std::string time_text(u64 nanoseconds)
{
    char text[40];
    std::snprintf(text, sizeof text, "+%llu.%09llus",
        static_cast<unsigned long long>(nanoseconds / 1'000'000'000),
        static_cast<unsigned long long>(nanoseconds % 1'000'000'000));
    return text;
}

} // namespace gemel::cli
