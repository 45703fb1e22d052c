// What others ask of init about services (servers/protocols/init.hpp).
#include "servers/init/supervisor.hpp"

namespace gemel::init {

void Supervisor::on(Init::StartService const& request, Deferred<Init, Init::StartService> deferred)
{
    auto* const instance = find(request.name);
    if (!instance || shutting_down_)
        return (void)deferred.reply(instance ? Error::unavailable : Error::not_found);
    if (instance->state == State::running)
        return (void)deferred.reply(Init::StartService::Reply {});
    instance->waiters.push_back(std::move(deferred));
    queue_with_dependencies(*instance);
    start_next();
}

Result<protocol::Init::StopService::Reply> Supervisor::on(Init::StopService const& request)
{
    auto* const instance = find(request.name);
    if (!instance)
        return Error::not_found;
    std::erase(waiting_, instance->service.name);
    instance->start_again = false;
    instance->mount_again = false;
    // Its task first: a server that hears that its port is gone says so.
    if (instance->state == State::running)
        stop(*instance);
    instance->port = Handle();
    instance->client = Handle();
    instance->state = State::stopped;
    return Init::StopService::Reply {};
}

Result<protocol::Init::KillService::Reply> Supervisor::on(Init::KillService const& request)
{
    auto* const instance = find(request.name);
    if (!instance || instance->state != State::running)
        return instance ? Error::unavailable : Error::not_found;
    constexpr u8 status_of_a_kill = 128 + 9;
    world_.table.kill(instance->number, status_of_a_kill);
    return Init::KillService::Reply {};
}

Result<protocol::Init::QueryService::Reply> Supervisor::on(Init::QueryService const& request)
{
    auto const* const instance = find(request.name);
    if (!instance)
        return Error::not_found;
    return Init::QueryService::Reply { instance->state, world_.table.task_of(instance->number),
        instance->restarts, instance->started_ns };
}

void Supervisor::on(
    Init::MountFilesystem const& request, Deferred<Init, Init::MountFilesystem> deferred)
{
    auto* const instance = find(request.source);
    if (!instance || instance->state != State::running)
        return (void)deferred.reply(instance ? Error::unavailable : Error::not_found);
    ServiceMount const where { std::string(request.path.view()), instance->service.name,
        (request.flags & 1) != 0 };
    mount(*instance, where, [deferred = std::move(deferred)](Result<void> outcome) mutable {
        if (outcome)
            (void)deferred.reply(Init::MountFilesystem::Reply {});
        else
            (void)deferred.reply(outcome.error());
    });
}

Result<protocol::Init::Shutdown::Reply> Supervisor::on(Init::Shutdown const& request)
{
    shut_down(request.status);
    return Init::Shutdown::Reply {};
}

Result<protocol::Init::ListServices::Reply> Supervisor::on(Init::ListServices const& request)
{
    if (request.index >= instances_.size())
        return Error::not_found;
    auto const& instance = *instances_[request.index];
    return Init::ListServices::Reply { std::string_view(instance.service.name), instance.state,
        world_.table.task_of(instance.number), instance.restarts };
}

static_assert(Serves<Supervisor, protocol::Init>);

} // namespace gemel::init
