// boot -> safety (faults on) -> heal -> liveness (must finish) -> shutdown -> audit.
#include "sim/run/closed_run.hpp"

#include "sim/devices/block_log.hpp"
#include "sim/devices/cmos_clock.hpp"
#include "sim/devices/map.hpp"
#include "sim/devices/uart_16550.hpp"
#include "sim/devices/virtio_block.hpp"
#include "sim/faults/disk.hpp"
#include "sim/run/growth.hpp"

#include <charconv>
#include <cstring>

namespace gemel::sim {

namespace {

constexpr i64 epoch_seconds = 1'700'000'000; // when every simulated world begins

// The backslash goes, so that an echo of what is typed is no marker; and what a killed console left
// of the line opens no quotation.
constexpr std::string_view type_safety_over = "echo @safety\\-over\n";
constexpr std::string_view safety_over = "@safety-over";
constexpr std::string_view type_alive = "echo @ali\\ve\n";
constexpr std::string_view alive = "@alive";
constexpr std::string_view boot_over = "gemel: up in";
constexpr std::string_view end_of_input = "\x04";
constexpr char const* interrupt = "\x03\n";
constexpr std::string_view mark = "@mark"; // the workload's: look at what is held
constexpr u64 typing_delay_ns = 5'000'000;
// The promise about supervision (docs/services.md): whatever server was killed, all is well within
// a second.
constexpr u64 healing_ns = 1'000'000'000;
constexpr u32 retypes_max = 4;
constexpr u32 cuts_max = 4; // of the power: then it stays
constexpr u64 domain_processors = 4352;
constexpr u64 boot_ns_max = 10'000'000'000; // of the first boot

bool kills(Setup const& setup)
{
    return (setup.fault_kinds >> static_cast<u32>(Kind::task_kill) & 1) != 0;
}

enum class Phase : u8 { boot, safety, liveness, shutdown };

// The machine from one switching on to the next, with what stands around it.
struct Boot {
    Boot(Setup const& setup, std::shared_ptr<hosted::MachineMemory> memory, Oracle& oracle,
        Trace& trace, Strategy& strategy, Medium& medium, std::function<void(char)> transmitted)
        : system(options_of(setup, std::move(memory)))
        , world(system, oracle, trace, strategy)
        , uart(system.machine(), uart_line, std::move(transmitted))
        , clock([this] { return epoch_seconds + static_cast<i64>(world.now_ns() / 1'000'000'000); })
        , disk(system.machine(), virtio_line, medium, setup.disk.size(), ImageAccess::read_write)
    {
        auto& machine = system.machine();
        machine.live_in(world);
        machine.attach(uart_port, uart_ports, uart);
        machine.attach(clock_port, clock_ports, clock);
        if (!setup.disk.empty())
            machine.attach(virtio_port, virtio_ports, disk);
    }

    static hosted::Options options_of(
        Setup const& setup, std::shared_ptr<hosted::MachineMemory> memory)
    {
        hosted::Options options;
        options.memory = std::move(memory);
        options.memory_bytes = setup.memory_bytes;
        options.cpus = setup.cpus;
        options.bundle = setup.bundle;
        options.init_entry = setup.init_entry;
        // A script's shell ends at half a line, which is what a killed console may leave.
        options.command_line = kills(setup) ? "" : "GEMEL_INTERACTIVE=0 ";
        if (setup.traces_messages)
            options.command_line += "GEMEL_TRACE=1 ";
        return options;
    }

    hosted::System system;
    ClosedWorld world;
    Uart16550 uart;
    CmosClock clock;
    VirtioBlock disk;
};

class Run {
public:
    explicit Run(Setup const& setup);
    Outcome run();

private:
    Oracle oracle_of() const;
    void switch_on();
    std::vector<u64> reached() const;
    void schedule_by(StrategyKind kind, u64 seed);
    void scheduling(bool on);
    void begin();
    void watch_events();
    int run_machine();
    void branch();
    void told(std::string_view text);
    void take(char byte);
    void enter(Phase phase);
    SimDisk::Power power_in(Phase phase) const;
    void type(std::string text, u64 delay_ns = typing_delay_ns);
    bool type_again();
    std::string verify_line() const;
    void recover();
    void prepare_boot();
    bool is_over(Outcome const& outcome);
    void check_disk(char const* when);
    void judge(Outcome& outcome);
    void fill(Outcome& outcome);
    Hash memory_hash();
    ClosedWorld& world() { return boot_->world; }

    Setup setup_; // changed when the first boot is over
    Oracle oracle_;
    Trace trace_;
    Strategy strategy_;
    Strategy processors_; // the same, for whose turn it is among several
    Preemption preemption_;
    SimDisk medium_;
    std::optional<BlockLog> log_;
    std::optional<Boot> boot_;
    Hash boot_l1_ { 0, 0 };
    Phase phase_ = Phase::boot;
    std::string console_;
    usize line_begin_ = 0;
    bool stopped_ = false;
    bool branched_ = false;
    u32 retyped_ = 0;
    u64 begun_ns_ = 0; // virtual time before this boot
    std::vector<u64> reached_before_; // by site, before this boot
    u32 boots_ = 0;
    u32 cuts_ = 0;
    bool may_cut_ = false; // the workload's program said so
    bool cut_ = false;
    bool restarted_ = false;
    u32 crash_states_ = 0;
    u64 step_ = 0; // what the workload's program told
    u64 durable_ = 0;
    std::optional<Failure> disk_failure_;
    Growth growth_;
    std::unique_ptr<Coverage> coverage_;
    u64 begun_event_ = 0;
    u64 free_event_ = 0; // 0: still
};

Oracle Run::oracle_of() const
{
    if (setup_.decisions)
        return Oracle { setup_.seed, *setup_.decisions };
    return Oracle { setup_.seed, swarm(setup_.seed, setup_.fault_kinds) };
}

Run::Run(Setup const& setup)
    : setup_(setup)
    , oracle_(boot_seed_of(setup.seed), Rates {})
    , trace_(setup.keep)
    , strategy_(StrategyKind::run_to_block, 0)
    , processors_(StrategyKind::run_to_block, 0)
    , preemption_(0)
    , medium_(setup_.disk, oracle_, 0, [this](u64 delay_ns, std::function<void()> done) {
        world().at(world().now_ns() + delay_ns, std::move(done));
    })
{
    medium_.on_power_cut([this] {
        cut_ = true;
        if (log_)
            log_->power_failed();
        world().cut_power();
    });
    if (setup_.block_log)
        log_.emplace(
            medium_, [this] { return world().run_ns(); }, setup_.block_log);
    oracle_.on_decision(setup_.decided);
    switch_on();
}

void Run::switch_on()
{
    auto memory = boot_ ? boot_->system.machine().memory() : nullptr;
    if (boot_)
        reached_before_ = reached();
    boot_.reset(); // before the next: both have the same addresses
    auto& medium = log_ ? static_cast<Medium&>(*log_) : medium_;
    boot_.emplace(setup_, std::move(memory), oracle_, trace_, strategy_, medium,
        [this](char byte) { take(byte); });
    ++boots_;
    phase_ = Phase::boot;
    retyped_ = 0;
    world().begin_at(begun_ns_);
    world().end_by(boots_ == 1 ? boot_ns_max : setup_.until_ns);
    if (setup_.preempts && boots_ != 1)
        world().preempt_by(preemption_);
    if (coverage_) {
        coverage_->next_boot();
        world().cover_in(*coverage_);
    }
    if (setup_.cpus != 1)
        world().processors_by(processors_);
    world().on_stuck([this] { return type_again(); });
    boot_->system.machine().on_console([this](std::string_view text) {
        told(text);
        for (auto const byte : text)
            take(byte);
    });
    world().on_failure([this] {
        if (!setup_.failing)
            return;
        Outcome outcome;
        fill(outcome);
        setup_.failing(outcome);
    });
    watch_events();
}

// In all boots.
std::vector<u64> Run::reached() const
{
    auto counts = boot_->world.reached_counts();
    for (usize i = 0; i < reached_before_.size(); ++i)
        counts[i] += reached_before_[i];
    return counts;
}

void Run::watch_events()
{
    if (setup_.branch.event != 0)
        world().on_event([this] { branch(); });
    else if (setup_.each_event)
        world().on_event([this] { setup_.each_event(trace_.count(), world().run_ns()); });
    else if (setup_.stop_event != 0 || setup_.stop_ns != 0)
        world().on_event([this] {
            auto const there = (setup_.stop_event != 0 && trace_.count() >= setup_.stop_event)
                || (setup_.stop_ns != 0 && world().run_ns() >= setup_.stop_ns);
            if (there && !stopped_) {
                stopped_ = true;
                setup_.stopped();
            }
        });
}

void Run::schedule_by(StrategyKind kind, u64 seed)
{
    strategy_ = Strategy { kind, seed };
    processors_ = Strategy { resolved(kind, seed), mix(seed, domain_processors, 0, 0) };
}

void Run::scheduling(bool on)
{
    strategy_.on(on);
    processors_.on(on);
}

// The first boot is over, and the machine stands still: from here on chance is the seed's.
void Run::begin()
{
    boot_l1_ = trace_.hash();
    begun_event_ = trace_.count();
    if (setup_.booted)
        setup_.booted(setup_, boot_->system);
    watch_events();
    world().end_by(setup_.until_ns);
    if (setup_.covers)
        world().cover_in(*(coverage_ = std::make_unique<Coverage>()));
    preemption_ = Preemption { setup_.seed };
    if (setup_.preempts)
        world().preempt_by(preemption_);
    if (branched_)
        return; // amid the boot: what comes is the branch's
    oracle_ = oracle_of();
    oracle_.on_decision(setup_.decided);
    schedule_by(setup_.strategy, setup_.seed);
}

int Run::run_machine()
{
    auto const status = boot_->system.run();
    if (!boot_->system.paused())
        return status;
    begin();
    return boot_->system.resume();
}

// The past stays as it was; the future is another seed's.
void Run::branch()
{
    auto const& branch = setup_.branch;
    if (branched_ || trace_.count() < branch.event)
        return;
    branched_ = true;
    oracle_.branch(branch.seed, swarm(branch.seed, setup_.fault_kinds), branch.entropy);
    auto const on = strategy_.is_on();
    schedule_by(branch.strategy, branch.seed);
    scheduling(on);
}

// The power is gone: what is left on the disk, and on again.
void Run::recover()
{
    world().power_cut(cuts_++);
    if (setup_.check_disk)
        medium_.each_loss(setup_.crash_states, [this](u32) {
            check_disk("a power cut could leave the disk like this: ");
            return !disk_failure_;
        });
    medium_.lose_power();
    if (setup_.check_disk)
        check_disk("after a power cut: ");
    cut_ = false;
    prepare_boot();
    medium_.power(cuts_ < cuts_max ? SimDisk::Power::may_fail_again : SimDisk::Power::stays);
}

void Run::prepare_boot()
{
    begun_ns_ = world().run_ns();
    console_ += '\n';
    line_begin_ = console_.size();
    oracle_.next_boot();
    oracle_.faults(false);
    scheduling(false);
    preemption_.on(false);
    medium_.power(SimDisk::Power::stays);
}

// Whether everything that matters is over. A run that changes the disk is looked at once more after
// a shutdown: then all of it is durable.
bool Run::is_over(Outcome const& outcome)
{
    if (cut_ || disk_failure_ || world().failure())
        return !cut_ || disk_failure_;
    if (restarted_ || setup_.script.verify.empty() || phase_ != Phase::shutdown
        || outcome.status != 0)
        return true;
    restarted_ = true;
    if (cuts_ == 0)
        durable_ = step_;
    prepare_boot();
    return false;
}

void Run::check_disk(char const* when)
{
    ++crash_states_;
    auto const wrong = setup_.check_disk(setup_.disk);
    if (!wrong.empty() && !disk_failure_)
        disk_failure_ = Failure { "volume", when + wrong, "", world().run_ns(), trace_.count() };
}

// What a workload's program says of its progress, on lines of the kernel's own console.
void Run::told(std::string_view text)
{
    auto const number_behind = [&](std::string_view word, u64& value) {
        if (text.starts_with(word))
            std::from_chars(text.data() + word.size(), text.data() + text.size(), value);
    };
    number_behind("@step ", step_);
    number_behind("@durable ", durable_);
    if (text.starts_with("@cuts")) {
        may_cut_ = true;
        medium_.power(power_in(phase_));
    }
}

std::string Run::verify_line() const
{
    if (setup_.script.verify.empty())
        return "";
    return setup_.script.verify + " " + std::to_string(durable_) + " " + std::to_string(step_)
        + " || echo FAIL " + setup_.script.verify + " did not work\n";
}

void Run::type(std::string text, u64 delay_ns)
{
    world().at(
        world().now_ns() + delay_ns, [this, text = std::move(text)] { boot_->uart.type(text); });
}

// A console that was killed takes along what was typed and not yet read: its user types again.
// What is left of a line may have started a program that reads: the interrupt key ends it.
bool Run::type_again()
{
    if (retyped_++ == retypes_max)
        return false;
    switch (phase_) {
    case Phase::boot:
        return false;
    case Phase::safety:
        type(interrupt + std::string { type_safety_over });
        return true;
    case Phase::liveness:
        type(interrupt + std::string { type_alive });
        return true;
    case Phase::shutdown:
        type(std::string { end_of_input });
        return true;
    }
    return false;
}

void Run::enter(Phase phase)
{
    if (phase == Phase::safety)
        boot_->system.pause(); // begin()
    phase_ = phase;
    world().phase(static_cast<u32>(phase));
    oracle_.faults(phase == Phase::safety);
    scheduling(phase == Phase::safety);
    preemption_.on(phase == Phase::safety);
    medium_.power(power_in(phase));
    switch (phase) {
    case Phase::boot:
        return;
    case Phase::safety:
        return type(setup_.script.safety + std::string { type_safety_over });
    case Phase::liveness:
        free_event_ = setup_.script.verify.empty() ? trace_.count() : 0;
        return type(verify_line() + setup_.script.liveness + std::string { type_alive },
            kills(setup_) ? healing_ns : typing_delay_ns);
    case Phase::shutdown:
        return type(std::string { end_of_input });
    }
}

// A shutdown writes as well: what it puts back from the journal can be cut off, too.
SimDisk::Power Run::power_in(Phase phase) const
{
    using Power = SimDisk::Power;
    if (phase == Phase::safety)
        return may_cut_ || setup_.script.cuts == Script::Cuts::at_once ? Power::may_fail
                                                                       : Power::stays;
    if (phase != Phase::shutdown || setup_.script.verify.empty() || cuts_ == cuts_max)
        return Power::stays;
    return boots_ == 1 ? Power::may_fail : Power::may_fail_again;
}

// What the system writes; whole lines move the run on.
void Run::take(char byte)
{
    world().console(byte);
    console_ += byte;
    if (byte != '\n')
        return;
    auto const line = std::string_view { console_ }.substr(line_begin_);
    line_begin_ = console_.size();
    auto const begins
        = [line](std::string_view word) { return line.find(word) != std::string_view::npos; };
    if (phase_ == Phase::boot && begins(boot_over))
        enter(boots_ == 1 ? Phase::safety : Phase::liveness);
    else if (phase_ == Phase::safety && line.starts_with(safety_over))
        enter(Phase::liveness);
    else if (phase_ == Phase::liveness && line.starts_with(alive))
        enter(Phase::shutdown);
    if (line.starts_with(mark))
        growth_.look(Inspector { boot_->system.kernel() });
    if (line.starts_with("FAIL "))
        world().fail("workload", std::string { line.substr(5, line.find_last_not_of("\r\n") - 4) });
}

Hash Run::memory_hash()
{
    auto hash = trace_.hash();
    hash.add(world().stop_places().low);
    auto& system = boot_->system;
    auto const pages = system.kernel().pages();
    for (u32 i = 0; i < pages.size(); ++i) {
        if (pages[i].use == PageUse::free)
            continue;
        u64 words[page_bytes / 8];
        std::memcpy(words,
            system.machine().at_physical(arch::Machine::first_physical + i * page_bytes),
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
                = Failure { check, std::move(what), "", world().run_ns(), trace_.count() };
    };
    if (phase_ != Phase::shutdown) {
        constexpr char const* names[] = { "boot", "safety", "liveness", "shutdown" };
        set(names[static_cast<u32>(phase_)], "the machine ended in the middle of this phase");
    }
    if (outcome.status != 0)
        set("shutdown", "the machine ended with status " + std::to_string(outcome.status));
    std::string wrong;
    for (auto const& line : Inspector { boot_->system.kernel() }.audit())
        wrong += (wrong.empty() ? "" : "\n    ") + line;
    if (!wrong.empty())
        set("audit", wrong);
    if (auto const growing = growth_.found(); !growing.empty())
        set("leak", growing);
}

void Run::fill(Outcome& outcome)
{
    if (auto const* failure = world().failure())
        outcome.failure = *failure;
    else
        outcome.failure = disk_failure_;
    outcome.time_ns = world().run_ns();
    outcome.l1 = trace_.hash();
    outcome.boot_l1 = boot_l1_;
    outcome.events = trace_.count();
    outcome.strategy = strategy_.kind();
    outcome.decisions = oracle_.decisions();
    outcome.edges = world().edges();
    outcome.stop_count = world().stop_count();
    outcome.stops = world().stops();
    outcome.digests = trace_.digests();
    outcome.reached = reached();
    outcome.begun_event = begun_event_;
    outcome.free_event = free_event_ != 0 ? free_event_ : trace_.count();
    if (coverage_)
        outcome.covered = coverage_->points();
    outcome.console = console_;
    outcome.power_cuts = cuts_;
    outcome.crash_states = crash_states_;
}

Outcome Run::run()
{
    Outcome outcome;
    if (setup_.closing)
        setup_.closing();
    outcome.status = run_machine();
    while (!is_over(outcome)) {
        if (cut_)
            recover();
        if (disk_failure_)
            break;
        switch_on();
        outcome.status = run_machine();
    }
    if (setup_.check_disk && !world().failure() && !disk_failure_)
        check_disk("at the end: ");
    fill(outcome);
    judge(outcome);
    if (disk_failure_ && setup_.failing)
        setup_.failing(outcome);
    if (setup_.hashes_memory)
        outcome.l2 = memory_hash();
    outcome.log = trace_.events();
    outcome.names = trace_.names();
    return outcome;
}

} // namespace

Outcome run_closed(Setup const& setup)
{
    return Run { setup }.run();
}

} // namespace gemel::sim
