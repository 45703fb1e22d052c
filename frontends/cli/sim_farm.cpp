#include "frontends/cli/sim_farm.hpp"

#include <gemel/arch/machine.hpp>
#include <gemel/hosted/kept_memory.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace gemel::cli {

namespace {

// A run, as the process of a booted world is told of it; the workload's bytes and the decisions
// follow.
struct Order {
    u64 seed;
    u64 until_ns;
    u64 processor_seconds_max;
    sim::Plan::Branch branch;
    u32 fault_kinds;
    u32 cpus;
    sim::StrategyKind strategy;
    bool preempts;
    bool decided;
    bool covers;
    Jail jail;
    u32 workload_bytes;
    u32 decisions;
};

bool write_all(int to, void const* bytes, usize count)
{
    auto const* at = static_cast<u8 const*>(bytes);
    while (count != 0) {
        auto const wrote = ::send(to, at, count, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += wrote;
        count -= static_cast<usize>(wrote);
    }
    return true;
}

bool read_all(int from, void* bytes, usize count)
{
    auto* at = static_cast<u8*>(bytes);
    while (count != 0) {
        auto const got = ::read(from, at, count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        count -= static_cast<usize>(got);
    }
    return true;
}

bool send_order(int to, SimSpec const& spec, Jail jail)
{
    Order const order { spec.seed, spec.until_ns, spec.processor_seconds_max, spec.branch,
        spec.fault_kinds, spec.cpus, spec.strategy, spec.preempts, spec.decisions.has_value(),
        spec.covers, jail, static_cast<u32>(spec.workload.size()),
        spec.decisions ? static_cast<u32>(spec.decisions->size()) : 0 };
    return write_all(to, &order, sizeof order)
        && write_all(to, spec.workload.data(), spec.workload.size())
        && (!spec.decisions
            || write_all(
                to, spec.decisions->data(), spec.decisions->size() * sizeof(sim::Decision)));
}

std::optional<std::pair<SimSpec, Jail>> read_order(int from)
{
    Order order;
    if (!read_all(from, &order, sizeof order))
        return std::nullopt;
    SimSpec spec;
    spec.seed = order.seed;
    spec.until_ns = order.until_ns;
    spec.processor_seconds_max = order.processor_seconds_max;
    spec.branch = order.branch;
    spec.fault_kinds = order.fault_kinds;
    spec.strategy = order.strategy;
    spec.preempts = order.preempts;
    spec.cpus = order.cpus;
    spec.covers = order.covers;
    spec.workload.resize(order.workload_bytes);
    if (order.decided)
        spec.decisions.emplace(order.decisions);
    if (!read_all(from, spec.workload.data(), spec.workload.size())
        || (spec.decisions
            && !read_all(from, spec.decisions->data(), order.decisions * sizeof(sim::Decision))))
        return std::nullopt;
    return std::pair { std::move(spec), order.jail };
}

} // namespace

// A process in which a world has booted and stands still. It forks a child for each run, waits for
// it and puts the machine's memory, which the two share, back to what it was.
class BootedWorld {
public:
    BootedWorld(SimHost const& host, SimSpec const& boot);
    ~BootedWorld();
    BootedWorld(BootedWorld const&) = delete;
    BootedWorld& operator=(BootedWorld const&) = delete;

    // False: it is gone.
    bool start(SimSpec const& spec, Jail jail);
    // Waits. Nothing: it is gone, or never came to stand.
    std::optional<SimResult> finish();
    int ready() const { return socket_; }
    bool is_idle() const { return idle_; }

private:
    [[noreturn]] void serve(SimHost const& host, SimSpec const& boot);
    std::pair<SimSpec, Jail> next(hosted::System& system) const;

    SimShared* shared_;
    int socket_ = -1; // each side's own end
    int process_ = -1;
    bool idle_ = true;
};

BootedWorld::BootedWorld(SimHost const& host, SimSpec const& boot)
    : shared_(SimHost::make_shared())
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    std::fflush(nullptr);
    process_ = ::fork();
    if (process_ < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    socket_ = ends[process_ == 0 ? 1 : 0];
    ::close(ends[process_ == 0 ? 0 : 1]);
    if (process_ == 0)
        serve(host, boot);
}

BootedWorld::~BootedWorld()
{
    ::close(socket_);
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR)
        ;
    SimHost::free_shared(shared_);
}

void BootedWorld::serve(SimHost const& host, SimSpec const& boot)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        host.run_booted(boot, *shared_, [this](hosted::System& system) { return next(system); });
    } catch (std::system_error const&) {
        ::_exit(1); // whoever waits for a run lets it boot for itself, and hears of it then
    }
}

std::pair<SimSpec, Jail> BootedWorld::next(hosted::System& system) const
{
    hosted::KeptMemory memory { system.machine() };
    for (;;) {
        auto order = read_order(socket_);
        if (!order)
            ::_exit(0);
        auto const child = ::fork();
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::close(socket_);
            memory.expect_the_same();
            return std::move(*order);
        }
        int status = 0;
        while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (child < 0 || !write_all(socket_, &status, sizeof status))
            ::_exit(1);
        memory.put_back();
    }
}

bool BootedWorld::start(SimSpec const& spec, Jail jail)
{
    SimHost::reset(*shared_);
    idle_ = false;
    return send_order(socket_, spec, jail);
}

std::optional<SimResult> BootedWorld::finish()
{
    int status = 0;
    if (!read_all(socket_, &status, sizeof status))
        return std::nullopt;
    idle_ = true;
    return SimHost::result_of(*shared_, status);
}

SimFarm::SimFarm(SimHost const& host, unsigned jobs)
    : host_(host)
    , jobs_(jobs)
{
}

SimFarm::~SimFarm() = default;

SimFarm::Boot SimFarm::boot_of(SimSpec const& spec)
{
    auto const kill_bit = static_cast<u32>(sim::Kind::task_kill);
    return { sim::boot_seed_of(spec.seed), (spec.fault_kinds >> kill_bit & 1) != 0, spec.cpus };
}

namespace {

// Whatever asks for more than the run itself has a process that did nothing else.
bool may_share(SimSpec const& spec, SimWay const& way)
{
    return !arch::watches_races && !spec.recording && !spec.traces_messages
        && way.process == Process::forked && way.disk == DiskAfter::gone && way.events.empty()
        && way.block_log.empty() && way.stop_event == 0 && way.stop_ns == 0 && !way.each_event
        && way.transcript < 0 && way.perturbation.heap_fill == 0
        && way.perturbation.stack_bytes == 0;
}

} // namespace

// One that stands ready for such a boot; null: all are at work.
BootedWorld* SimFarm::world_for(SimSpec const& spec)
{
    auto const boot = boot_of(spec);
    auto other = worlds_.end();
    for (auto at = worlds_.begin(); at != worlds_.end(); ++at) {
        if (!at->world->is_idle())
            continue;
        if (at->boot == boot)
            return at->world.get();
        other = at;
    }
    if (other != worlds_.end() && worlds_.size() >= jobs_)
        worlds_.erase(other);
    if (worlds_.size() >= jobs_)
        return nullptr;
    worlds_.push_back({ boot, std::make_unique<BootedWorld>(host_, spec) });
    return worlds_.back().world.get();
}

void SimFarm::drop(BootedWorld const* world)
{
    std::erase_if(worlds_, [world](World const& each) { return each.world.get() == world; });
}

SimFarm::Running SimFarm::start(SimSpec const& spec, SimWay const& way)
{
    Running running { spec, way, {}, nullptr, -1 };
    if (may_share(spec, way)) {
        auto const [known, is_first] = booted_.try_emplace(boot_of(spec));
        auto* world = is_first || known->second.fails ? nullptr : world_for(spec);
        if (world && world->start(spec, way.jail)) {
            running.world = world;
            running.ready = world->ready();
            return running;
        }
        if (world) {
            known->second.fails = true;
            drop(world);
        }
    }
    running.child = host_.start(spec, way);
    running.ready = static_cast<int>(::syscall(SYS_pidfd_open, running.child.process, 0));
    if (running.ready < 0)
        throw std::system_error(errno, std::generic_category(), "pidfd_open");
    return running;
}

SimResult SimFarm::finish(Running running)
{
    std::optional<SimResult> result;
    if (running.world) {
        result = running.world->finish();
        if (!result) {
            drop(running.world);
            booted_[boot_of(running.spec)].fails = true;
            result = host_.run(running.spec, running.way);
        }
    } else {
        ::close(running.ready);
        int status = 0;
        while (::waitpid(running.child.process, &status, 0) < 0 && errno == EINTR)
            ;
        result = SimHost::finish(running.child, status);
    }
    if (may_share(running.spec, running.way))
        judge_boot(boot_of(running.spec), *result);
    return std::move(*result);
}

void SimFarm::judge_boot(Boot const& boot, SimResult& result)
{
    if (result.boot_l1 == sim::Hash { 0, 0 })
        return; // it never came up
    auto& known = booted_[boot].l1;
    if (!known)
        known = result.boot_l1;
    if (*known == result.boot_l1)
        return;
    result.verdict = Verdict::leaked;
    result.failure = { "boot", "the same boot gave another L1, in or outside the jail", "", 0, 0 };
}

SimResult SimFarm::run(SimSpec const& spec, SimWay const& way)
{
    return finish(start(spec, way));
}

usize SimFarm::wait_any(std::vector<Running> const& running)
{
    std::vector<pollfd> waiting;
    for (auto const& each : running)
        waiting.push_back({ each.ready, POLLIN, 0 });
    for (;;) {
        if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "poll");
        for (usize i = 0; i < waiting.size(); ++i)
            if (waiting[i].revents != 0)
                return i;
    }
}

} // namespace gemel::cli
