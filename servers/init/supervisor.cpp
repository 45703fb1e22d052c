#include "servers/init/supervisor.hpp"

#include "core/base/site.hpp"
#include "servers/init/start_order.hpp"
#include "servers/init/vfs_session.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/keeper.hpp"

#include <algorithm>

namespace gemel::init {

namespace {

using protocol::LogLevel;
using State = protocol::ServiceState;

constexpr u8 machine_failed = 125; // without the last line that says a status
constexpr u64 second_ns = 1'000'000'000;
constexpr u64 millisecond_ns = 1'000'000;
constexpr u64 flush_deadline_ms = 2'000;
constexpr u64 unmount_deadline_ms = 20'000;
// Then twice as long, and again, up to 160 ms: all is well within a second of what was wrong.
constexpr u64 try_again_ms = 20;
constexpr u32 doublings_max = 3;
constexpr u64 settled_ns = second_ns; // who has run that long has found what it needs
constexpr u32 tries_max = 400; // of a start or a mount, in a row: about a minute
constexpr u32 patient_tries = 8; // of a mount: so long, about a second, others wait for it
constexpr usize services_file_bytes_max = 64 * 1024;
constexpr std::string_view services_path = "/etc/services.toml";
constexpr std::string_view command_variable = "GEMEL_COMMAND";
constexpr std::string_view verbose_variable = "GEMEL_VERBOSE";
constexpr std::string_view verbose_warnings = "warnings"; // its value for less than all
constexpr Rights client_rights = Right::call | Right::send | Right::derive;

Deadline soon()
{
    return Deadline::after_ms(worker_call_ms);
}

// One line, in the pieces that the log takes. False: there is no log.
bool write_log(Client<protocol::Log> const& log, LogLevel level, std::string_view line)
{
    constexpr usize piece_bytes = sizeof(protocol::Log::Write::text);
    while (log) {
        auto const piece = line.substr(0, piece_bytes);
        if (!log.call(protocol::Log::Write { level, piece }, soon()))
            return false;
        if (piece.size() < piece_bytes)
            return true;
        line.remove_prefix(piece_bytes);
    }
    return false;
}

// Memory comes back, a server that died is started again, and a disk may answer the next time; what
// is wrong stays wrong.
bool may_pass(Error error)
{
    return error == Error::no_memory || error == Error::quota || error == Error::dead
        || error == Error::revoked || error == Error::timed_out || error == Error::unavailable
        || error == Error::io;
}

// An end by one of these says nothing against the service: there was no memory, what it needs had
// just died, or a disk did not answer this time.
bool is_of_the_moment(std::optional<Error> error)
{
    return error == Error::no_memory || error == Error::quota || error == Error::dead
        || error == Error::revoked || error == Error::io;
}

bool depends(Service const& service, std::string_view name)
{
    return std::find(service.dependencies.begin(), service.dependencies.end(), name)
        != service.dependencies.end();
}

bool takes(Service const& service, std::string_view from)
{
    return std::any_of(service.ports.begin(), service.ports.end(),
        [&](auto const& port) { return port.from == from; });
}

std::string_view reason_name(EndReason reason)
{
    switch (reason) {
    case EndReason::exited:
        return "ended with status ";
    case EndReason::faulted:
        return "faulted, status ";
    case EndReason::killed:
        return "was stopped, status ";
    }
    return "";
}

} // namespace

Supervisor::Supervisor(SupervisorWorld const& world)
    : world_(world)
{
}

void Supervisor::say(LogLevel level, std::string line)
{
    world_.worker.post([this, level, line = std::move(line)] {
        if (!write_log(own_log_, level, line) && level >= LogLevel::warn)
            system::debug_print(concatenate("gemel: ", line, '\n'));
    });
}

Supervisor::Instance* Supervisor::find(std::string_view name)
{
    for (auto const& instance : instances_) {
        if (instance->service.name == name)
            return instance.get();
    }
    return nullptr;
}

bool Supervisor::runs(std::string_view name)
{
    auto const* const instance = find(name);
    return instance && instance->state == State::running;
}

// --- declaring and queueing ---

void Supervisor::declare(std::vector<Service> services)
{
    for (auto& service : services) {
        if (auto* const instance = find(service.name)) {
            instance->service = std::move(service); // for its next start
        } else {
            instances_.push_back(std::make_unique<Instance>());
            instances_.back()->service = std::move(service);
        }
    }
}

void Supervisor::queue(Instance& instance)
{
    auto const& name = instance.service.name;
    if (std::find(waiting_.begin(), waiting_.end(), name) == waiting_.end())
        waiting_.push_back(name);
}

void Supervisor::queue_with_dependencies(Instance& instance)
{
    std::vector<Service> all;
    for (auto const& other : instances_)
        all.push_back(other->service);
    // Every service that it needs, directly or not, in an order that works.
    std::vector<std::string_view> needed { instance.service.name };
    for (usize i = 0; i < needed.size(); ++i) {
        if (auto const* const one = find(needed[i])) {
            for (auto const& name : one->service.dependencies) {
                if (std::find(needed.begin(), needed.end(), name) == needed.end())
                    needed.push_back(name);
            }
        }
    }
    for (auto const index : start_order(all).order) {
        auto const& name = all[index].name;
        if (std::find(needed.begin(), needed.end(), name) != needed.end() && !runs(name))
            queue(*find(name));
    }
    if (std::find(waiting_.begin(), waiting_.end(), instance.service.name) == waiting_.end())
        queue(instance); // it has no working order: starting it says why
}

void Supervisor::boot(std::vector<Service> services)
{
    for (auto const& problem : start_order(services).problems)
        say(LogLevel::error, problem);
    for (auto const index : start_order(services).order) {
        auto const& service = services[index];
        if (service.auto_start && !service.after_mounts)
            waiting_.push_back(service.name);
    }
    declare(std::move(services));
    start_next();
}

// --- starting ---

void Supervisor::start_next()
{
    while (!starting_ && !shutting_down_ && bring_startable_forward()) {
        auto* const instance = find(waiting_.front());
        if (instance && instance->state != State::running) {
            starting_ = true;
            instance->state = State::starting;
            gather(*instance);
        } else {
            waiting_.pop_front();
        }
    }
    if (waiting_.empty() && !starting_ && !shutting_down_)
        all_started();
}

bool Supervisor::mounts_pending() const
{
    return mounting_ != 0
        || std::any_of(instances_.begin(), instances_.end(), [](auto const& instance) {
               return instance->mount_again && instance->failed_mounts <= patient_tries;
           });
}

// What waits for mounts lets the others pass; it is looked at again after each mount. False: nobody
// can be started now.
bool Supervisor::bring_startable_forward()
{
    bool const pending = mounts_pending();
    auto const startable = std::find_if(waiting_.begin(), waiting_.end(), [&](auto const& name) {
        auto const* const instance = find(name);
        return !pending || !instance || !instance->service.after_mounts;
    });
    if (startable == waiting_.end())
        return false;
    std::rotate(waiting_.begin(), startable, startable + 1);
    return true;
}

// What other servers must be asked for is asked by the worker.
void Supervisor::gather(Instance& instance)
{
    auto const& service = instance.service;
    auto const client_of = [&](std::string_view name, bool wanted) {
        auto const* const other = wanted && runs(name) ? find(name) : nullptr;
        return other ? other->client.derive(client_rights).value_or(Handle()) : Handle();
    };
    Client<protocol::Vfs> vfs(client_of("vfs", takes(service, "vfs")));
    world_.worker.post([this, name = service.name, vfs = std::move(vfs)]() mutable {
        Gathered gathered_now;
        if (vfs) {
            auto session = vfs.call(protocol::Vfs::Session {}, soon());
            if (session)
                gathered_now.vfs = std::move(session->vfs);
        }
        world_.worker.hand_back([this, name, got = std::move(gathered_now)]() mutable {
            gathered(name, std::move(got));
        });
    });
}

void Supervisor::gathered(std::string const& name, Gathered got)
{
    starting_ = false;
    waiting_.pop_front();
    auto* const instance = find(name);
    if (instance && instance->state == State::starting && !shutting_down_) {
        auto const outcome = start(*instance, std::move(got));
        if (!outcome && !will_start_later(*instance, outcome.error()))
            cannot_start(*instance, outcome.error());
        if (instance->state != State::starting)
            answer_waiters(*instance, outcome);
    }
    start_next();
}

// A start fails for a while when what it needs is just being started again, or when memory is
// short.
bool Supervisor::will_start_later(Instance& instance, Error error)
{
    auto const& needed = instance.service.dependencies;
    bool const missing
        = std::any_of(needed.begin(), needed.end(), [&](auto const& name) { return !runs(name); });
    bool const coming = std::all_of(needed.begin(), needed.end(),
        [&](auto const& name) { return runs(name) || is_coming(name); });
    if (missing && coming) {
        for (auto const& name : needed)
            if (auto const& other = *find(name); other.start_again) {
                instance.start_again = true;
                instance.again_ns = std::max(instance.again_ns, other.again_ns);
            }
        if (!instance.start_again)
            queue(instance); // behind what it needs
        plan_next_try();
        return true;
    }
    return !missing && may_pass(error) && starts_again(instance);
}

// At a later try, unless there were too many in a row.
bool Supervisor::starts_again(Instance& instance)
{
    if (instance.failed_starts == tries_max)
        return false;
    instance.start_again = true;
    try_later(instance, instance.failed_starts++);
    return true;
}

void Supervisor::cannot_start(Instance& instance, Error error)
{
    instance.state = State::failed;
    instance.failed_starts = 0;
    instance.port = Handle();
    instance.client = Handle();
    auto const& needed = instance.service.dependencies;
    bool const in_peace = std::any_of(needed.begin(), needed.end(), [&](auto const& name) {
        auto const* const other = find(name);
        return other && other->state == State::stopped;
    });
    say(in_peace ? LogLevel::info : LogLevel::error,
        concatenate("service ", instance.service.name, " cannot start: ", error));
    if (instance.service.ends_machine)
        world_.worker.post([this] { (void)world_.machine.power_off(machine_failed); });
}

// It waits for its turn, or for its next try.
bool Supervisor::is_coming(std::string_view name)
{
    auto const* const instance = find(name);
    return instance
        && (instance->start_again
            || std::find(waiting_.begin(), waiting_.end(), name) != waiting_.end());
}

// Each time after a longer while.
void Supervisor::try_later(Instance& instance, u32 tries)
{
    auto const wait_ms = try_again_ms << std::min(tries, doublings_max);
    instance.again_ns = system::time_ns() + wait_ms * millisecond_ns;
    plan_next_try();
}

void Supervisor::plan_next_try()
{
    next_try_ = Deadline::none();
    for (auto const& instance : instances_) {
        if (instance->start_again || instance->mount_again)
            next_try_ = next_try_.earlier(Deadline::at_ns(instance->again_ns));
    }
}

void Supervisor::try_again()
{
    auto const now = system::time_ns();
    for (auto const& instance : instances_) {
        if (instance->again_ns > now)
            continue;
        if (std::exchange(instance->start_again, false) && instance->state == State::starting)
            queue(*instance);
        if (std::exchange(instance->mount_again, false) && instance->state == State::running
            && runs("vfs"))
            mount_service(*instance);
    }
    plan_next_try();
    start_next();
}

void Supervisor::answer_waiters(Instance& instance, Result<void> const& outcome)
{
    for (auto& waiter : std::exchange(instance.waiters, {})) {
        if (outcome)
            (void)waiter.reply(Init::StartService::Reply {});
        else
            (void)waiter.reply(outcome.error());
    }
}

Result<void> Supervisor::start(Instance& instance, Gathered got)
{
    auto const& service = instance.service;
    for (auto const& name : service.dependencies) {
        if (!runs(name)) {
            say(LogLevel::warn, concatenate("service ", service.name, " needs ", name));
            return Error::unavailable;
        }
    }
    auto port = TRY(port_of(instance));
    auto client = Handle {};
    if (!instance.port || !instance.client)
        client = TRY((instance.port ? instance.port : port).derive(client_rights));
    Launch launch { .name = service.name,
        .path = service.binary,
        .file = TRY(world_.bundle.file(service.binary)),
        .arguments = arguments_of(service),
        .variables = variables_of(instance),
        .quota = { pages_of(service), service.rows, service.threads },
        .stack_pages = service.stack_pages,
        .priority = service.priority,
        .sees_bundle = takes(service, "bundle") };
    launch.capabilities.push_back({ "port", std::move(port) });
    TRY(give_ports(instance, launch, got));
    instance.number = TRY(world_.table.launch(std::move(launch),
        [this, name = service.name](ProcessEnd const& how) { ended(name, how); }));
    if (client)
        instance.client = std::move(client);
    instance.state = State::running;
    instance.started_ns = system::time_ns();
    running_.push_back(service.name);
    after_start(instance);
    return {};
}

// An instance of a lasting service gets a capability to its port, whose root stays here.
Result<Handle> Supervisor::port_of(Instance& instance)
{
    if (!instance.service.lasting)
        instance.port = Handle();
    else if (!instance.port)
        instance.port = Handle(TRY(system::port_allocate()));
    if (instance.port)
        return instance.port.derive(TRY(instance.port.inspect()).rights);
    return Handle(TRY(system::port_allocate()));
}

Result<void> Supervisor::give_ports(Instance const& instance, Launch& launch, Gathered& got)
{
    if (auto log = port_for({ "log", "log", Right::call | Right::derive }, got);
        log && instance.service.name != "log")
        launch.capabilities.push_back({ "log", std::move(*log) });
    for (auto const& port : instance.service.ports) {
        if (port.from == "bundle")
            continue; // mapped, not given
        auto handle = port_for(port, got);
        if (handle)
            launch.capabilities.push_back({ port.name, std::move(*handle) });
        else if (depends(instance.service, port.from))
            return handle.error();
        else
            say(LogLevel::info,
                concatenate(
                    instance.service.name, " goes without ", port.from, ": ", handle.error()));
    }
    return {};
}

Result<Handle> Supervisor::port_for(ServicePort const& port, Gathered& got)
{
    if (port.from == "vfs")
        return got.vfs ? Result(std::move(got.vfs)) : Error::unavailable;
    if (port.from == "init")
        return world_.init_port.derive(port.rights);
    if (port.from == "process")
        return world_.processes.derive(port.rights);
    if (port.from == "faults")
        return world_.faults.derive(port.rights);
    auto const broker = world_.brokers.find(port.from);
    if (broker != world_.brokers.end())
        return broker->second.derive(port.rights);
    auto const* const instance = find(port.from);
    if (!instance || !instance->client)
        return Error::unavailable;
    return instance->client.derive(port.rights);
}

std::vector<std::string> Supervisor::arguments_of(Service const& service)
{
    std::vector<std::string> arguments { service.name };
    arguments.insert(arguments.end(), service.arguments.begin(), service.arguments.end());
    return arguments;
}

u32 Supervisor::pages_of(Service const& service) const
{
    if (service.memory_part == 0)
        return service.pages;
    auto const all = world_.audit.totals();
    auto const part = all ? all->pages / service.memory_part : 0;
    return std::max(service.pages, static_cast<u32>(std::min<u64>(part, quota_pages_max)));
}

// The machine's own words are everybody's; the script is the shell's alone.
std::vector<std::string> Supervisor::variables_of(Instance const& instance) const
{
    auto const& service = instance.service;
    std::vector<std::string> all;
    for (auto const variable : world_.env.variables()) {
        if (service.ends_machine || !variable.starts_with(command_variable))
            all.emplace_back(variable);
    }
    if (instance.restarts != 0)
        all.push_back(concatenate("GEMEL_RESTARTS=", instance.restarts));
    all.push_back(concatenate("GEMEL_PAGES=", pages_of(service)));
    return all;
}

// --- ending ---

void Supervisor::ended(std::string const& name, ProcessEnd const& how)
{
    auto& instance = *find(name);
    // Unless it is started again, everybody hears that it is dead when these go.
    auto port = std::exchange(instance.port, Handle());
    auto client = std::exchange(instance.client, Handle());
    std::erase(running_, name);
    auto const stopping = instance.state == State::stopping || shutting_down_;
    instance.state = State::stopped;
    if (auto const broker = world_.brokers.find("broker-sched");
        takes(instance.service, broker->first) && !shutting_down_)
        world_.table.run_all(
            SchedBroker(broker->second.derive(rights_of(Right::call)).value_or(Handle())));
    if (takes(instance.service, "faults"))
        world_.router.pager_ended();
    if (stopping)
        return;
    auto const& service = instance.service;
    auto const failed = how.reason != EndReason::exited || how.status != 0;
    say(failed && !service.ends_machine ? LogLevel::warn : LogLevel::info,
        concatenate("service ", name, ' ', reason_name(how.reason), how.status));
    bool const has_command = world_.env.variable(command_variable).has_value();
    // A shell whose terminal went away, or that found no memory, has not been told to leave.
    auto const left = how.reason == EndReason::exited && !how.error;
    if (service.ends_machine && (left || has_command))
        return shut_down(how.status);
    auto const policy = service.restart.policy;
    if (policy == RestartPolicy::never || (policy == RestartPolicy::on_failure && !failed)) {
        if (service.ends_machine) // nobody comes after it
            shut_down(how.status);
        else if (!failed)
            end_dependents(instance);
        return;
    }
    if (system::time_ns() - instance.started_ns >= settled_ns)
        instance.failed_starts = 0;
    bool const later = is_of_the_moment(how.error) && starts_again(instance);
    if (later || within_budget(instance)) {
        if (port) {
            instance.port = std::move(port);
            instance.client = std::move(client);
        }
        return restart(instance);
    }
    instance.state = State::failed;
    instance.failed_starts = 0;
    say(LogLevel::error,
        concatenate("service ", name, " is given up: more than ", service.restart.budget,
            " restarts in ", service.restart.window_s, " s"));
    if (service.ends_machine)
        shut_down(how.status);
}

bool Supervisor::within_budget(Instance& instance)
{
    auto const now = system::time_ns();
    auto const window_ns = instance.service.restart.window_s * second_ns;
    auto& times = instance.restart_times_ns;
    std::erase_if(times, [&](u64 then) { return now - then > window_ns; });
    if (times.size() >= instance.service.restart.budget)
        return false;
    times.push_back(now);
    return true;
}

void Supervisor::restart(Instance& instance)
{
    SOMETIMES("init.service_restarted");
    ++instance.restarts;
    if (instance.start_again)
        instance.state = State::starting;
    else
        queue(instance);
    stop_dependents(instance);
    start_next();
}

void Supervisor::stop(Instance& instance)
{
    instance.state = State::stopping;
    world_.table.kill(instance.number, 0); // says `ended` before it returns
}

// Their capabilities lead to the instance that is gone. They start again after it.
void Supervisor::stop_dependents(Instance const& instance)
{
    for (auto const& other : instances_) {
        if (other->state != State::running || !depends(other->service, instance.service.name))
            continue;
        SOMETIMES("init.dependent_restarted");
        stop(*other);
        ++other->restarts;
        queue(*other);
        stop_dependents(*other);
    }
}

// Who ended in peace has nothing to do here, as the driver of a disk that is not there: nor have
// they, and they need not find out. Its port is still there.
void Supervisor::end_dependents(Instance const& instance)
{
    for (auto const& other : instances_) {
        if (other->state != State::running || other->service.ends_machine
            || !depends(other->service, instance.service.name))
            continue;
        say(LogLevel::info,
            concatenate("service ", other->service.name, " ends: ", instance.service.name, " has"));
        stop(*other);
        end_dependents(*other);
    }
}

// --- mounts, and what comes after them ---

void Supervisor::after_start(Instance& instance)
{
    if (instance.service.name == "log") {
        auto client
            = Client<protocol::Log>(instance.client.derive(client_rights).value_or(Handle()));
        auto const verbose = world_.env.variable(verbose_variable);
        auto const echo = verbose == verbose_warnings ? LogLevel::warn : LogLevel::debug;
        world_.worker.post([this, client = std::move(client), wanted = verbose.has_value(), echo] {
            auto own = client.call(protocol::Log::Open { "init" }, soon());
            own_log_ = own ? Client<protocol::Log>(std::move(own->log)) : Client<protocol::Log>();
            if (wanted) {
                (void)client.call(
                    protocol::Log::SetLevel { LogLevel::debug, static_cast<u8>(echo) }, soon());
            }
        });
    }
    if (instance.service.name == "vfs") {
        for (auto const& other : instances_) {
            if (other->state == State::running && !other->service.mount.path.empty())
                mount_service(*other);
        }
    } else if (!instance.service.mount.path.empty() && runs("vfs")) {
        mount_service(instance);
    }
}

void Supervisor::mount_service(Instance& instance)
{
    auto const& declared = instance.service.mount;
    mount(instance, declared,
        [this, name = instance.service.name, number = instance.number](
            Result<void> outcome) { mounted(*find(name), number, outcome); });
}

// What cannot be mounted now may be soon: a server that died meanwhile is started again, and memory
// comes back. The instance that was to be mounted is the one of `number`.
void Supervisor::mounted(
    Instance& instance, ProcessTable::Number number, Result<void> const& outcome)
{
    if (instance.state != State::running || instance.number != number)
        return; // it is mounted when it runs again
    if (outcome) {
        instance.failed_mounts = 0;
        return;
    }
    if (!may_pass(outcome.error()) || instance.failed_mounts == tries_max) {
        instance.failed_mounts = 0;
        auto const& service = instance.service;
        return say(LogLevel::error,
            concatenate(
                service.name, " cannot be mounted on ", service.mount.path, ": ", outcome.error()));
    }
    instance.mount_again = true;
    try_later(instance, instance.failed_mounts++);
}

void Supervisor::mount(Instance& instance, ServiceMount const& where, MountDone done)
{
    auto const* const vfs = find("vfs");
    MountRequest request { where.path, where.type, where.read_only,
        instance.client.derive(client_rights).value_or(Handle()) };
    auto client = vfs ? vfs->client.derive(client_rights).value_or(Handle()) : Handle();
    ++mounting_;
    world_.worker.post([this, client = std::move(client), request = std::move(request),
                           done = std::move(done)]() mutable {
        auto outcome = [&]() -> Result<void> {
            auto session = TRY(VfsSession::open(std::move(client)));
            return session.mount(std::move(request));
        }();
        world_.worker.hand_back([this, outcome, done = std::move(done)]() mutable {
            --mounting_;
            done(outcome);
            start_next();
        });
    });
}

void Supervisor::all_started()
{
    if (mounts_pending())
        return;
    if (stage_ == Stage::base) {
        stage_ = Stage::disk;
        read_disk_services();
    }
}

void Supervisor::read_disk_services()
{
    if (!runs("vfs"))
        return disk_services(Error::not_found);
    auto client = find("vfs")->client.derive(client_rights).value_or(Handle());
    world_.worker.post([this, client = std::move(client)]() mutable {
        auto text = [&]() -> Result<std::string> {
            auto session = TRY(VfsSession::open(std::move(client)));
            return session.read_file(services_path, services_file_bytes_max);
        }();
        auto result = std::make_unique<Result<std::string>>(std::move(text));
        world_.worker.hand_back(
            [this, result = std::move(result)] { disk_services(std::move(*result)); });
    });
}

void Supervisor::disk_services(Result<std::string> const& text)
{
    stage_ = Stage::all;
    if (text) {
        auto file = parse_services(*text);
        report_problems(services_path, file);
        declare(std::move(file.services));
    } else if (text.error() != Error::not_found) {
        say(LogLevel::warn, concatenate(services_path, " cannot be read: ", text.error()));
    }
    std::vector<Service> all;
    for (auto const& instance : instances_)
        all.push_back(instance->service);
    auto const order = start_order(all);
    for (auto const& problem : order.problems)
        say(LogLevel::error, problem);
    for (auto const index : order.order) {
        auto& instance = *instances_[index];
        if (instance.state == State::stopped && instance.service.auto_start)
            queue(instance);
    }
    start_next();
}

void Supervisor::report_problems(std::string_view path, ServicesFile const& file)
{
    for (auto const& problem : file.problems)
        say(LogLevel::error,
            concatenate(path, ':', problem.line, ':', problem.column, ": ", problem.message));
}

// What services keep goes to the file systems, then they are unmounted, while all they need still
// runs; what is written after that is refused.
void Supervisor::shut_down(u8 status)
{
    if (shutting_down_)
        return;
    shutting_down_ = true;
    std::vector<Client<protocol::Keeper>> keepers;
    std::vector<Client<protocol::Directory>> mounted;
    for (auto const& instance : instances_) {
        if (instance->state != State::running)
            continue;
        auto const& service = instance->service;
        if (service.flush)
            keepers.emplace_back(instance->client.derive(client_rights).value_or(Handle()));
        if (!service.mount.path.empty())
            mounted.emplace_back(instance->client.derive(client_rights).value_or(Handle()));
    }
    world_.worker.post([this, status, keepers = std::move(keepers), mounted = std::move(mounted)] {
        for (auto const& keeper : keepers)
            (void)keeper.call(protocol::Keeper::Flush {}, Deadline::after_ms(flush_deadline_ms));
        for (auto const& directory : mounted) {
            // Memory trees have nothing to unmount; one that fails has told the log.
            (void)directory.call(
                protocol::Directory::Unmount {}, Deadline::after_ms(unmount_deadline_ms));
        }
        world_.worker.hand_back([this, status] { power_off(status); });
    });
}

void Supervisor::power_off(u8 status)
{
    while (!running_.empty()) {
        auto const name = running_.back();
        stop(*find(name));
    }
    (void)world_.machine.power_off(status);
}

} // namespace gemel::init
