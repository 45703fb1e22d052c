#include "servers/init/process_service.hpp"

#include <algorithm>

namespace gemel::init {

namespace {

using protocol::ProcessState;
using protocol::ProcessText;

// What a program may have; when the machine has less left, less.
constexpr u32 pages_wanted = 2048;
constexpr u32 pages_least = 256;
constexpr u32 rows = 128;
constexpr u32 threads = 8;
constexpr u32 stack_pages = 64;
constexpr unsigned priority = 3;

std::string base_name(std::string_view path)
{
    return std::string(path.substr(path.rfind('/') + 1));
}

} // namespace

std::string& ProcessObject::text_of(ProcessText kind)
{
    return unfinished_[static_cast<usize>(kind)];
}

void ProcessObject::finish_text(ProcessText kind)
{
    auto text = std::exchange(text_of(kind), {});
    switch (kind) {
    case ProcessText::path:
        path_ = std::move(text);
        return;
    case ProcessText::argument:
        arguments_.push_back(std::move(text));
        return;
    case ProcessText::variable:
        variables_.push_back(std::move(text));
        return;
    }
}

Result<protocol::Process::AddText::Reply> ProcessObject::on(Process::AddText const& request)
{
    if (static_cast<usize>(request.kind) >= unfinished_.size())
        return Error::invalid;
    if (record_->state != ProcessState::preparing)
        return Error::unavailable;
    auto const text = request.text.view();
    bool const last = text.size() < sizeof(request.text);
    // The path is not in the startup page, but it is bounded as well.
    auto const taken = text.size() + (last ? 1 : 0);
    if (taken > 2 * startup_text_max - text_bytes_)
        return Error::too_big;
    text_bytes_ += taken;
    text_of(request.kind) += text;
    if (last)
        finish_text(request.kind);
    return Process::AddText::Reply {};
}

Result<protocol::Process::Give::Reply> ProcessObject::on(Process::Give request)
{
    if (record_->state != ProcessState::preparing)
        return Error::unavailable;
    auto const name = request.name.view();
    if (name.empty() || !request.capability)
        return Error::invalid;
    if (capabilities_.size() == startup_capabilities_max)
        return Error::too_big;
    if (std::any_of(capabilities_.begin(), capabilities_.end(),
            [&](auto const& given) { return given.name == name; }))
        return Error::exists;
    capabilities_.push_back({ std::string(name), std::move(request.capability) });
    return Process::Give::Reply {};
}

// At most a quarter of what is left, so that a pipeline of programs fits into a small machine.
TaskQuota ProcessObject::quota() const
{
    auto const own = world_.audit.task(world_.own_task);
    auto const left = own ? own->pages_left : 0;
    return { std::clamp(left / 4, pages_least, pages_wanted), rows, threads };
}

Result<ProcessTable::Number> ProcessObject::launch(std::span<std::byte const> file)
{
    Launch launch { .name = base_name(path_),
        .path = path_,
        .file = file,
        .arguments = std::move(arguments_),
        .variables = std::move(variables_),
        .capabilities = std::move(capabilities_),
        .quota = quota(),
        .stack_pages = stack_pages,
        .priority = priority };
    auto on_end = [record = record_](ProcessEnd const& how) { ended(*record, how); };
    return world_.table.launch(std::move(launch), std::move(on_end));
}

Result<protocol::Process::Start::Reply> ProcessObject::on(Process::Start const&)
{
    if (record_->state != ProcessState::preparing)
        return Error::unavailable;
    auto const file = TRY(world_.bundle.file(path_));
    record_->number = TRY(launch(file));
    record_->state = ProcessState::running;
    return Process::Start::Reply {};
}

void ProcessObject::on(Process::Wait const&, Waiter deferred)
{
    switch (record_->state) {
    case ProcessState::preparing:
        (void)deferred.reply(Error::unavailable);
        return;
    case ProcessState::running:
        record_->waiters.push_back(std::move(deferred));
        return;
    case ProcessState::ended:
        (void)deferred.reply(Process::Wait::Reply { record_->status });
        return;
    }
}

Result<protocol::Process::Kill::Reply> ProcessObject::on(Process::Kill const& request)
{
    if (record_->state == ProcessState::preparing)
        return Error::unavailable;
    world_.table.kill(record_->number, request.status);
    return Process::Kill::Reply {};
}

Result<protocol::Process::Info::Reply> ProcessObject::on(Process::Info const&)
{
    return Process::Info::Reply { world_.table.task_of(record_->number), record_->state,
        record_->status };
}

void ProcessObject::ended(Record& record, ProcessEnd const& how)
{
    record.state = ProcessState::ended;
    record.status = how.status;
    for (auto& waiter : record.waiters)
        (void)waiter.reply(Process::Wait::Reply { how.status });
    record.waiters.clear();
}

Result<protocol::Processes::Create::Reply> ProcessesService::on(protocol::Processes::Create const&)
{
    auto object = std::make_unique<ProcessObject>(world_);
    return protocol::Processes::Create::Reply { TRY(
        world_.objects.publish<protocol::Process>(std::move(object))) };
}

static_assert(Serves<ProcessObject, protocol::Process>);
static_assert(Serves<ProcessesService, protocol::Processes>);

} // namespace gemel::init
