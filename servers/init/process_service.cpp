#include "servers/init/process_service.hpp"

#include "servers/init/vfs_session.hpp"

#include <algorithm>

namespace gemel::init {

namespace {

using protocol::ProcessState;
using protocol::ProcessText;

// What a program may have; when the machine has less left, less.
constexpr u32 pages_wanted = 2048;
constexpr u32 pages_least = 128; // a small program has 48 when it runs
constexpr u32 rows = 128;
constexpr u32 stack_pages = 64;
constexpr unsigned priority = 3;

constexpr usize file_bytes_max = 16 << 20;

// On the worker's thread.
Result<std::string> read_program_file(Handle vfs, std::string_view path)
{
    Client<protocol::Vfs> const given(std::move(vfs));
    auto own = TRY(given.call(protocol::Vfs::Session {}, Deadline::after_ms(worker_call_ms)));
    auto session = TRY(VfsSession::open(std::move(own.vfs)));
    return session.read_file(path, file_bytes_max);
}

std::string base_name(std::string_view path)
{
    return std::string(path.substr(path.rfind('/') + 1));
}

} // namespace

bool ProcessObject::preparing() const
{
    return record_->state == ProcessState::preparing && !record_->starting;
}

ProcessObject::~ProcessObject()
{
    record_->forgotten = true;
    if (record_->held && record_->state == ProcessState::running)
        world_.table.kill(record_->number, 0);
}

Result<protocol::Process::AddText::Reply> ProcessObject::on(Process::AddText const& request)
{
    auto& record = *record_;
    auto const kind = static_cast<usize>(request.kind);
    if (kind >= record.unfinished.size())
        return Error::invalid;
    if (!preparing())
        return Error::unavailable;
    auto const text = request.text.view();
    bool const last = text.size() < sizeof(request.text);
    // The path is not in the startup page, but it is bounded as well.
    auto const taken = text.size() + (last ? 1 : 0);
    if (taken > 2 * startup_text_max - record.text_bytes)
        return Error::too_big;
    record.text_bytes += taken;
    record.unfinished[kind] += text;
    if (!last)
        return Process::AddText::Reply {};
    auto whole = std::exchange(record.unfinished[kind], {});
    switch (request.kind) {
    case ProcessText::path:
        record.path = std::move(whole);
        break;
    case ProcessText::argument:
        record.arguments.push_back(std::move(whole));
        break;
    case ProcessText::variable:
        record.variables.push_back(std::move(whole));
        break;
    }
    return Process::AddText::Reply {};
}

Result<protocol::Process::Give::Reply> ProcessObject::on(Process::Give request)
{
    if (!preparing())
        return Error::unavailable;
    auto const name = request.name.view();
    auto& capabilities = record_->capabilities;
    if (name.empty() || !request.capability)
        return Error::invalid;
    if (capabilities.size() == startup_capabilities_max)
        return Error::too_big;
    if (std::any_of(capabilities.begin(), capabilities.end(),
            [&](auto const& given) { return given.name == name; }))
        return Error::exists;
    capabilities.push_back({ std::string(name), std::move(request.capability) });
    return Process::Give::Reply {};
}

// At most a quarter of what is left, so that a pipeline of programs fits into a small machine.
TaskQuota ProcessObject::quota(ProcessWorld const& world, u32 threads)
{
    auto const own = world.audit.task(world.own_task);
    auto const left = own ? own->pages_left : 0;
    return { std::clamp(left / 4, pages_least, pages_wanted), rows, threads };
}

Result<protocol::Process::Start::Reply> ProcessObject::launch(
    ProcessWorld const& world, Ref<Record> record, std::span<std::byte const> file)
{
    if (record->held && record->forgotten)
        return Error::dead;
    Launch launch { .name = base_name(record->path),
        .path = record->path,
        .file = file,
        .arguments = std::move(record->arguments),
        .variables = std::move(record->variables),
        .capabilities = std::move(record->capabilities),
        .quota = quota(world, record->threads),
        .stack_pages = stack_pages,
        .priority = priority,
        .held = record->held };
    auto on_end = [record](ProcessEnd const& how) { ended(*record, how); };
    record->number = TRY(world.table.launch(std::move(launch), std::move(on_end)));
    record->state = ProcessState::running;
    return Process::Start::Reply {};
}

void ProcessObject::on(Process::Start const&, Starter deferred)
{
    if (!preparing())
        return (void)deferred.reply(Error::unavailable);
    if (!record_->path.starts_with("/gemel/"))
        return start_from_disk(std::move(deferred));
    auto const file = world_.bundle.file(record_->path);
    if (file)
        (void)deferred.reply(launch(world_, record_, *file));
    else
        (void)deferred.reply(file.error());
}

// The file is read with the new program's own view of names: a session of the "vfs" it was given.
void ProcessObject::start_from_disk(Starter deferred)
{
    auto const& given = record_->capabilities;
    auto const vfs = std::find_if(
        given.begin(), given.end(), [](auto const& one) { return one.name == "vfs"; });
    if (vfs == given.end())
        return (void)deferred.reply(Error::not_found);
    auto handle = vfs->handle.derive(Right::call | Right::derive);
    if (!handle)
        return (void)deferred.reply(handle.error());
    record_->starting = true;
    world_.worker.post([world = world_, record = record_, handle = std::move(*handle),
                           deferred = std::move(deferred)]() mutable {
        auto file = std::make_unique<Result<std::string>>(
            read_program_file(std::move(handle), record->path));
        world.worker.hand_back(
            [world, record, file = std::move(file), deferred = std::move(deferred)]() mutable {
                record->starting = false;
                if (*file)
                    (void)deferred.reply(launch(world, record, std::as_bytes(std::span(**file))));
                else
                    (void)deferred.reply(file->error());
            });
    });
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

Result<protocol::Process::Thread::Reply> ProcessObject::on(Process::Thread const&)
{
    if (record_->state != ProcessState::running)
        return Error::unavailable;
    return Process::Thread::Reply { TRY(world_.table.thread_of(record_->number)) };
}

Result<protocol::Process::Limit::Reply> ProcessObject::on(Process::Limit const& request)
{
    if (request.threads == 0 || request.threads > process_threads_max)
        return Error::invalid;
    if (!preparing())
        return Error::unavailable;
    record_->threads = request.threads;
    return Process::Limit::Reply {};
}

Result<protocol::Process::Hold::Reply> ProcessObject::on(Process::Hold const&)
{
    if (!preparing())
        return Error::unavailable;
    record_->held = true;
    return Process::Hold::Reply {};
}

Result<protocol::Process::LetGo::Reply> ProcessObject::on(Process::LetGo const&)
{
    if (record_->state != ProcessState::running)
        return Error::unavailable;
    TRY(world_.table.let_go(record_->number));
    record_->held = false;
    return Process::LetGo::Reply {};
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
