// The services' lives: started after their dependencies, watched, restarted within their budget.
//
// Each instance of a service has its own port, made here and given to it. Clients' capabilities are
// derived from that port, so they say `dead` when the instance ends, and a service that depends on
// it is restarted with it, with capabilities to the new one. Mounted file systems are mounted anew.
// A lasting service keeps its port as long as it is restarted: who holds a capability to it waits
// for the next instance instead.
#pragma once

#include "servers/init/bundle.hpp"
#include "servers/init/fault_router.hpp"
#include "servers/init/process_table.hpp"
#include "servers/init/services_file.hpp"
#include "servers/protocols/init.hpp"
#include "servers/protocols/log.hpp"
#include "servers/protocols/vfs.hpp"
#include "servers/rt/dispatch.hpp"
#include "servers/rt/env.hpp"
#include "servers/rt/ref.hpp"
#include "servers/rt/worker.hpp"

#include <functional>

namespace gemel::init {

struct SupervisorWorld {
    Env& env; // init's own: its variables are everybody's
    std::map<std::string, Handle> const& brokers; // by name
    MachineBroker const& machine;
    AuditBroker const& audit;
    ProcessTable& table;
    Bundle const& bundle;
    Worker& worker;
    Handle const& init_port; // clients of init
    Handle const& processes; // clients of the process service
    Handle const& faults; // the pager's
    FaultRouter& router;
};

class Supervisor {
public:
    using Init = protocol::Init;

    explicit Supervisor(SupervisorWorld const& world);

    // Starts the bundle's services; the disk's file and what waits for mounts come later by
    // themselves.
    void boot(std::vector<Service> services);

    void on(Init::StartService const& request, Deferred<Init, Init::StartService> deferred);
    Result<Init::StopService::Reply> on(Init::StopService const& request);
    Result<Init::KillService::Reply> on(Init::KillService const& request);
    Result<Init::QueryService::Reply> on(Init::QueryService const& request);
    void on(Init::MountFilesystem const& request, Deferred<Init, Init::MountFilesystem> deferred);
    Result<Init::Shutdown::Reply> on(Init::Shutdown const& request);
    Result<Init::ListServices::Reply> on(Init::ListServices const& request);

    // To the log, which shows errors on the console; to the console while there is no log.
    void say(protocol::LogLevel level, std::string line);
    // When try_again wants to be called.
    Deadline next_try() const { return next_try_; }
    void try_again();
    void report_problems(std::string_view path, ServicesFile const& file);

private:
    using State = protocol::ServiceState;
    using MountDone = std::move_only_function<void(Result<void>)>;
    // Which services are started by themselves: the bundle's; while the disk's file is read, none;
    // all.
    enum class Stage : u8 { base, disk, all };
    using StartWaiter = Deferred<Init, Init::StartService>;
    struct Instance {
        Service service;
        State state = State::stopped;
        ProcessTable::Number number = 0;
        u64 started_ns = 0;
        u32 restarts = 0;
        std::vector<u64> restart_times_ns; // within the budget's window
        Handle port; // of a lasting service, while it runs or is being started again
        Handle client; // what clients' capabilities are derived from; empty when it does not run
        std::vector<StartWaiter> waiters;
        u32 failed_starts = 0; // in a row, or that ended before they had settled
        u32 failed_mounts = 0;
        bool start_again = false; // at again_ns
        bool mount_again = false;
        u64 again_ns = 0;
    };
    // Capabilities that other servers make, gathered by the worker.
    struct Gathered {
        Handle vfs;
    };

    Instance* find(std::string_view name);
    bool runs(std::string_view name);
    void declare(std::vector<Service> services);
    void queue(Instance& instance);
    void queue_with_dependencies(Instance& instance);
    bool mounts_pending() const;
    bool bring_startable_forward();
    void start_next();
    void gather(Instance& instance);
    void gathered(std::string const& name, Gathered gathered);
    Result<void> start(Instance& instance, Gathered gathered);
    Result<Handle> port_of(Instance& instance);
    Result<void> give_ports(Instance const& instance, Launch& launch, Gathered& gathered);
    Result<Handle> port_for(ServicePort const& port, Gathered& gathered);
    static std::vector<std::string> arguments_of(Service const& service);
    u32 pages_of(Service const& service) const;
    std::vector<std::string> variables_of(Instance const& instance) const;
    bool will_start_later(Instance& instance, Error error);
    bool starts_again(Instance& instance);
    void cannot_start(Instance& instance, Error error);
    bool is_coming(std::string_view name);
    void try_later(Instance& instance, u32 tries);
    void plan_next_try();
    void answer_waiters(Instance& instance, Result<void> const& outcome);

    void ended(std::string const& name, ProcessEnd const& how);
    bool within_budget(Instance& instance);
    void restart(Instance& instance);
    void stop(Instance& instance);
    void stop_dependents(Instance const& instance);
    void end_dependents(Instance const& instance);

    void after_start(Instance& instance);
    void mount_service(Instance& instance);
    void mounted(Instance& instance, ProcessTable::Number number, Result<void> const& outcome);
    void mount(Instance& instance, ServiceMount const& where, MountDone done);
    void all_started();
    void read_disk_services();
    void disk_services(Result<std::string> const& text);
    void shut_down(u8 status);
    void power_off(u8 status);

    SupervisorWorld world_;
    std::vector<Own<Instance>> instances_; // in the file's order
    std::deque<std::string> waiting_; // to be started, in order
    std::vector<std::string> running_; // in the order they were started
    bool starting_ = false; // the first of waiting_ is being started
    unsigned mounting_ = 0; // mounts under way
    Stage stage_ = Stage::base;
    bool shutting_down_ = false;
    Deadline next_try_ = Deadline::none();
    Client<protocol::Log> own_log_; // the worker's alone
};

} // namespace gemel::init
