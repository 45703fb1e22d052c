// The first user program. One port takes requests for init and for processes, and the exits and
// faults of everything that runs; one thread answers them all and never calls another server.
#include "servers/init/fault_router.hpp"
#include "servers/init/process_service.hpp"
#include "servers/init/supervisor.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/thread.hpp"

namespace gemel::init {

namespace {

constexpr u64 worker_bit = 1;
constexpr std::string_view services_path = "/gemel/etc/services.toml"; // GEMEL_SERVICES: another
constexpr std::string_view broker_names[] = { "broker-task", "broker-mm", "broker-phys",
    "broker-irq", "broker-pio", "broker-sched", "broker-audit", "broker-machine" };

Result<std::map<std::string, Handle>> take_brokers(Env& env)
{
    std::map<std::string, Handle> brokers;
    for (auto const name : broker_names)
        brokers.emplace(name, TRY(env.take_handle(name)));
    return brokers;
}

template <typename B>
Result<B> broker_of(std::map<std::string, Handle> const& brokers, std::string const& name)
{
    return B(TRY(brokers.at(name).derive(Right::call | Right::derive)));
}

std::vector<Handle> take_bundle(Env& env)
{
    std::vector<Handle> regions;
    while (env.has("bundle")) {
        if (auto region = env.take_handle("bundle"))
            regions.push_back(std::move(*region));
    }
    return regions;
}

std::span<std::byte const> bundle_bytes(Startup const& startup)
{
    return { reinterpret_cast<std::byte const*>(startup.bundle_address), startup.bundle_bytes };
}

// Exits and faults beside the objects' own messages.
class InitService final : public gemel::Service {
public:
    InitService(
        ProcessTable& table, FaultRouter& faults, ObjectServer& objects, Supervisor& supervisor)
        : table_(table)
        , faults_(faults)
        , objects_(objects)
        , supervisor_(supervisor)
    {
    }
    Disposition dispatch(u64 badge, Incoming& in, ReplyToken& token) override
    {
        KernelMessage const message { badge, in.tag(), in.words() };
        if (faults_.on_message(message, token))
            return std::nullopt;
        if (!table_.on_message(message))
            return objects_.dispatch(badge, in, token);
        (void)token.release(); // its thread is no more
        return std::nullopt;
    }
    void notified(u64 bits) override { objects_.notified(bits); }
    Deadline next_deadline() override { return supervisor_.next_try(); }
    void deadline_passed() override { supervisor_.try_again(); }

private:
    ProcessTable& table_;
    FaultRouter& faults_;
    ObjectServer& objects_;
    Supervisor& supervisor_;
};

ServicesFile bundle_services(Bundle const& bundle, std::string_view path)
{
    auto const file = bundle.file(path);
    if (!file)
        return { .services = {}, .problems = { { 0, 0, std::string(name_of(file.error())) } } };
    return parse_services({ reinterpret_cast<char const*>(file->data()), file->size() });
}

} // namespace

Result<void> server_main(Env& env)
{
    constexpr unsigned patience_ticks = 20;
    self()->task->patience = patience_ticks;
    auto const brokers = TRY(take_brokers(env));
    auto const tasks = TRY(broker_of<TaskBroker>(brokers, "broker-task"));
    auto const memory = TRY(broker_of<MemoryBroker>(brokers, "broker-mm"));
    auto const audit = TRY(broker_of<AuditBroker>(brokers, "broker-audit"));
    auto const machine = TRY(broker_of<MachineBroker>(brokers, "broker-machine"));
    Handle const port(TRY(system::port_allocate()));
    auto const own_client = TRY(port.derive(Right::call | Right::derive));

    Bundle const bundle(bundle_bytes(env.startup()));
    Loader loader({ tasks, memory }, machine, env.startup(), take_bundle(env));
    ProcessTable table(loader, port);
    ObjectServer objects(port);
    Worker worker(port, worker_bit);
    ProcessWorld const process_world { table, bundle, objects, worker, audit,
        static_cast<u32>(env.startup().task_id) };
    auto const processes = TRY(
        objects.publish<protocol::Processes>(std::make_unique<ProcessesService>(process_world)));
    auto const own_task = static_cast<u32>(env.startup().task_id);
    auto const router
        = make_ref<FaultRouter>(FaultRouter::World { table, machine, audit, own_task });
    auto const faults = TRY(objects.publish<protocol::Faults>(router));
    table.on_any_end([&](ProcessTable::Number number) { router->ended(number); });
    auto supervisor = make_ref<Supervisor>(SupervisorWorld { env, brokers, machine, audit, table,
        bundle, worker, own_client, processes, faults, *router });

    objects.set_root<protocol::Init>(supervisor);
    objects.on_notification([&](u64 bits) {
        if (bits & worker_bit)
            worker.run_results();
    });
    TRY(worker.start("init-worker"));
    auto const path = env.variable("GEMEL_SERVICES").value_or(services_path);
    auto file = bundle_services(bundle, path);
    supervisor->report_problems(path, file);
    if (auto const more = env.variable("GEMEL_MORE_SERVICES")) {
        auto others = bundle_services(bundle, *more);
        supervisor->report_problems(*more, others);
        std::move(
            others.services.begin(), others.services.end(), std::back_inserter(file.services));
    }
    supervisor->boot(std::move(file.services));
    InitService service(table, *router, objects, *supervisor);
    return serve_with(port, service);
}

} // namespace gemel::init
