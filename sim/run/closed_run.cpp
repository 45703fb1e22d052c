// boot -> safety (faults on) -> heal -> liveness (must finish) -> shutdown -> audit.
#include "sim/run/closed_run.hpp"

#include "sim/devices/map.hpp"
#include "sim/devices/uart_16550.hpp"
#include "sim/devices/virtio_block.hpp"
#include "sim/faults/disk.hpp"

#include <cstring>

namespace gemel::sim {

namespace {

// The shell joins the words, so that an echo of what is typed is no marker.
constexpr std::string_view type_safety_over = "echo @safety\"-over\"\n";
constexpr std::string_view safety_over = "@safety-over";
constexpr std::string_view type_alive = "echo @ali\"ve\"\n";
constexpr std::string_view alive = "@alive";
constexpr std::string_view boot_over = "gemel: up in";
constexpr std::string_view end_of_input = "\x04";
constexpr u64 typing_delay_ns = 5'000'000;
constexpr u32 retypes_max = 4;

enum class Phase : u8 { boot, safety, liveness, shutdown };

class Run {
public:
    explicit Run(Setup const& setup);
    Outcome run();

private:
    static hosted::Options options_of(Setup const& setup);
    Oracle oracle_of() const;
    void take(char byte);
    void enter(Phase phase);
    void type(std::string text);
    bool type_again();
    void judge(Outcome& outcome);
    void fill(Outcome& outcome);
    Hash memory_hash();

    Setup const& setup_;
    Oracle oracle_;
    Trace trace_;
    Strategy strategy_;
    hosted::System system_;
    ClosedWorld world_;
    Uart16550 uart_;
    SimDisk medium_;
    VirtioBlock disk_;
    Phase phase_ = Phase::boot;
    std::string console_;
    usize line_begin_ = 0;
    bool stopped_ = false;
    u32 retyped_ = 0;
};

hosted::Options Run::options_of(Setup const& setup)
{
    hosted::Options options;
    options.memory_bytes = setup.memory_bytes;
    options.bundle = setup.bundle;
    options.init_entry = setup.init_entry;
    options.command_line = "GEMEL_INTERACTIVE=0 ";
    return options;
}

Oracle Run::oracle_of() const
{
    if (setup_.decisions)
        return Oracle { setup_.seed, *setup_.decisions };
    return Oracle { setup_.seed, swarm(setup_.seed, setup_.fault_kinds) };
}

Run::Run(Setup const& setup)
    : setup_(setup)
    , oracle_(oracle_of())
    , trace_(setup.keep)
    , strategy_(setup.strategy, setup.seed)
    , system_(options_of(setup))
    , world_(system_, oracle_, trace_, strategy_)
    , uart_(system_.machine(), uart_line, [this](char byte) { take(byte); })
    , medium_(setup.disk, oracle_, 0,
          [this](u64 delay_ns, std::function<void()> done) {
              world_.at(world_.now_ns() + delay_ns, std::move(done));
          })
    , disk_(system_.machine(), virtio_line, medium_, setup.disk.size(), ImageAccess::read_write)
{
    auto& machine = system_.machine();
    machine.live_in(world_);
    machine.on_console([this](std::string_view text) {
        for (auto const byte : text)
            take(byte);
    });
    machine.attach(uart_port, uart_ports, uart_);
    if (!setup.disk.empty())
        machine.attach(virtio_port, virtio_ports, disk_);
    world_.end_by(setup.until_ns);
    world_.on_stuck([this] { return type_again(); });
    world_.on_failure([this] {
        if (!setup_.failing)
            return;
        Outcome outcome;
        fill(outcome);
        setup_.failing(outcome);
    });
    if (setup.stop_event != 0 || setup.stop_ns != 0)
        world_.on_event([this] {
            auto const there = (setup_.stop_event != 0 && trace_.count() >= setup_.stop_event)
                || (setup_.stop_ns != 0 && world_.now_ns() >= setup_.stop_ns);
            if (there && !stopped_) {
                stopped_ = true;
                setup_.stopped();
            }
        });
}

void Run::type(std::string text)
{
    world_.at(
        world_.now_ns() + typing_delay_ns, [this, text = std::move(text)] { uart_.type(text); });
}

// A console that was killed takes along what was typed and not yet read: its user types again.
bool Run::type_again()
{
    if (retyped_++ == retypes_max)
        return false;
    switch (phase_) {
    case Phase::boot:
        return false;
    case Phase::safety:
        type("\n" + std::string { type_safety_over });
        return true;
    case Phase::liveness:
        type("\n" + std::string { type_alive });
        return true;
    case Phase::shutdown:
        type(std::string { end_of_input });
        return true;
    }
    return false;
}

void Run::enter(Phase phase)
{
    phase_ = phase;
    world_.phase(static_cast<u32>(phase));
    oracle_.faults(phase == Phase::safety);
    strategy_.on(phase == Phase::safety);
    switch (phase) {
    case Phase::boot:
        return;
    case Phase::safety:
        return type(setup_.script.safety + std::string { type_safety_over });
    case Phase::liveness:
        return type(setup_.script.liveness + std::string { type_alive });
    case Phase::shutdown:
        return type(std::string { end_of_input });
    }
}

// What the system writes; whole lines move the run on.
void Run::take(char byte)
{
    world_.console(byte);
    console_ += byte;
    if (byte != '\n')
        return;
    auto const line = std::string_view { console_ }.substr(line_begin_);
    line_begin_ = console_.size();
    auto const begins
        = [line](std::string_view word) { return line.find(word) != std::string_view::npos; };
    if (phase_ == Phase::boot && begins(boot_over))
        enter(Phase::safety);
    else if (phase_ == Phase::safety && line.starts_with(safety_over))
        enter(Phase::liveness);
    else if (phase_ == Phase::liveness && line.starts_with(alive))
        enter(Phase::shutdown);
    if (line.starts_with("FAIL "))
        world_.fail("workload", std::string { line.substr(5, line.find_last_not_of("\r\n") - 4) });
}

Hash Run::memory_hash()
{
    auto hash = trace_.hash();
    auto& kernel = system_.kernel();
    auto const pages = kernel.pages();
    for (u32 i = 0; i < pages.size(); ++i) {
        if (pages[i].use == PageUse::free)
            continue;
        u64 words[page_bytes / 8];
        std::memcpy(words,
            system_.machine().at_physical(arch::Machine::first_physical + i * page_bytes),
            sizeof words);
        hash.add(i);
        for (auto const word : words)
            hash.add(word);
    }
    return hash;
}

void Run::judge(Outcome& outcome)
{
    auto const set = [&](char const* check, std::string what) {
        if (!outcome.failure)
            outcome.failure
                = Failure { check, std::move(what), "", world_.now_ns(), trace_.count() };
    };
    if (phase_ != Phase::shutdown) {
        constexpr char const* names[] = { "boot", "safety", "liveness", "shutdown" };
        set(names[static_cast<u32>(phase_)], "the machine ended in the middle of this phase");
    }
    if (outcome.status != 0)
        set("shutdown", "the machine ended with status " + std::to_string(outcome.status));
    std::string wrong;
    for (auto const& line : Inspector { system_.kernel() }.audit())
        wrong += (wrong.empty() ? "" : "\n    ") + line;
    if (!wrong.empty())
        set("audit", wrong);
}

void Run::fill(Outcome& outcome)
{
    if (auto const* failure = world_.failure())
        outcome.failure = *failure;
    outcome.time_ns = world_.now_ns();
    outcome.l1 = trace_.hash();
    outcome.events = trace_.count();
    outcome.strategy = strategy_.kind();
    outcome.decisions = oracle_.decisions();
    outcome.digests = trace_.digests();
    outcome.reached = world_.reached_counts();
    outcome.console = console_;
}

Outcome Run::run()
{
    Outcome outcome;
    if (setup_.closing)
        setup_.closing();
    outcome.status = system_.run();
    fill(outcome);
    judge(outcome);
    outcome.l2 = memory_hash();
    outcome.log = trace_.events();
    return outcome;
}

} // namespace

Outcome run_closed(Setup const& setup)
{
    return Run { setup }.run();
}

} // namespace gemel::sim
