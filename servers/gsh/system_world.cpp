#include "servers/gsh/system_world.hpp"

#include "servers/gsh/executor.hpp"
#include "servers/gsh/path.hpp"

#include <algorithm>

namespace gemel::gsh {
namespace {

constexpr u32 capture_bytes_max = 1 << 20;
constexpr usize text_piece_bytes = 40;
constexpr u64 interrupt_bit = 1;
constexpr usize interrupt_stack_bytes = 64 * 1024;

StreamRef stream_of(fskit::OpenFile file, SystemStream::Sharing sharing)
{
    return std::make_shared<SystemStream>(std::move(file), sharing);
}

// A text ends with its first piece that is not full.
Result<void> add_text(
    Client<protocol::Process> const& process, protocol::ProcessText kind, std::string_view text)
{
    for (;;) {
        auto const piece = text.substr(0, text_piece_bytes);
        TRY(process.call(protocol::Process::AddText { kind, piece }));
        text.remove_prefix(piece.size());
        if (piece.size() < text_piece_bytes)
            return {};
    }
}

std::vector<std::string_view> split_search(std::string_view search)
{
    auto result = std::vector<std::string_view> {};
    while (!search.empty()) {
        auto const end = std::min(search.find(':'), search.size());
        if (end > 0)
            result.push_back(search.substr(0, end));
        search.remove_prefix(std::min(end + 1, search.size()));
    }
    return result;
}

} // namespace

// Ends with a kill at the latest: nobody waits for a program that nobody can reach.
class SystemProcess final : public Process {
public:
    SystemProcess(SystemWorld& world, Client<protocol::Process> client, Streams kept, u64 number)
        : world_(world)
        , client_(std::move(client))
        , kept_(std::move(kept))
        , number_(number)
    {
    }
    ~SystemProcess() override { world_.interrupts_->running.lock()->erase(number_); }
    Result<int> wait() override
    {
        auto const status = TRY(client_.call(protocol::Process::Wait {})).status;
        world_.interrupts_->running.lock()->erase(number_);
        return status;
    }

private:
    SystemWorld& world_;
    Client<protocol::Process> client_;
    Streams kept_; // whose capabilities the program's are derived from
    u64 number_;
};

Result<Handle> SystemStream::for_program() const
{
    if (sharing_ == Sharing::derived)
        return file_.share();
    return std::move(TRY(file_.client().call(protocol::File::Attach {})).file);
}

Result<Own<SystemWorld>> SystemWorld::create(fskit::Files files, Services services)
{
    auto notification = TRY(Notification::create());
    return std::make_unique<SystemWorld>(
        std::move(files), std::move(services), std::move(notification));
}

Result<StreamRef> SystemWorld::open(std::string const& path, OpenFor purpose)
{
    auto flags = static_cast<OpenFlags>(OpenFlag::read);
    // Several programs may write to it one after the other: each at the end.
    if (purpose != OpenFor::input)
        flags = OpenFlag::write | OpenFlag::create | OpenFlag::append;
    if (purpose == OpenFor::output)
        flags = flags | OpenFlag::truncate;
    return stream_of(TRY(files_.open(path, flags)), SystemStream::Sharing::derived);
}

Result<FileStatus> SystemWorld::status(std::string const& path)
{
    return files_.status(path);
}

Result<std::string> SystemWorld::resolve(std::string const& path)
{
    auto real = TRY(files_.resolve(path));
    if (real.kind != FileKind::directory)
        return Error::not_directory;
    return std::move(real.path);
}

Result<std::vector<ListedName>> SystemWorld::list(std::string const& path)
{
    auto result = std::vector<ListedName> {};
    for (auto& entry : TRY(files_.list(path)))
        result.push_back({ std::move(entry.name), entry.kind });
    return result;
}

Result<PipeEnds> SystemWorld::pipe(PipeUse use)
{
    if (!services_.pipes)
        return Error::unavailable;
    auto const capture = use == PipeUse::capture;
    auto ends = TRY(services_.pipes.call(protocol::Pipes::Create { capture ? capture_bytes_max : 0,
        capture ? protocol::PipeFull::refuse : protocol::PipeFull::wait }));
    return PipeEnds { TRY(attach(Client<protocol::File>(std::move(ends.reader)))),
        TRY(attach(Client<protocol::File>(std::move(ends.writer)))) };
}

Result<StreamRef> SystemWorld::attach(Client<protocol::File> file)
{
    return stream_of(TRY(files_.attach(file)), SystemStream::Sharing::copy);
}

Result<StreamRef> SystemWorld::open_console()
{
    auto region = TRY(files_.region()->handle_for_peer());
    auto file = TRY(services_.console.call(protocol::Console::Open { std::move(region) })).file;
    return stream_of(fskit::OpenFile(Client<protocol::File>(std::move(file)), files_.region()),
        SystemStream::Sharing::copy);
}

Result<std::string> SystemWorld::read_file(std::string const& path, usize bytes_max)
{
    return files_.read_all(path, bytes_max);
}

Result<std::string> SystemWorld::find_program(std::string const& name, std::string const& search)
{
    if (name.empty())
        return Error::not_found;
    if (name.starts_with('/')) {
        auto const found = TRY(files_.status(name));
        return found.kind == FileKind::directory ? Result<std::string>(Error::is_directory) : name;
    }
    for (auto const directory : split_search(search)) {
        auto path = join_path(directory, name);
        auto const found = files_.status(path);
        if (found && found->kind == FileKind::regular)
            return path;
    }
    return Error::not_found;
}

std::vector<std::string> SystemWorld::programs(std::string const& search)
{
    auto result = std::vector<std::string> {};
    for (auto const directory : split_search(search)) {
        auto entries = files_.list(directory);
        if (!entries)
            continue;
        for (auto& entry : *entries)
            if (entry.kind != FileKind::directory)
                result.push_back(std::move(entry.name));
    }
    std::ranges::sort(result);
    auto const repeated = std::ranges::unique(result);
    result.erase(repeated.begin(), repeated.end());
    return result;
}

Result<void> SystemWorld::give(
    Client<protocol::Process> const& process, std::string_view name, Handle what)
{
    TRY(process.call(protocol::Process::Give { name, std::move(what) }));
    return {};
}

Result<void> SystemWorld::give_derived(
    Client<protocol::Process> const& process, std::string_view name, Handle const& what)
{
    if (!what)
        return {};
    auto own = what.derive(Right::call | Right::derive);
    // A service that was stopped is missed by the programs that need it, not by all.
    if (!own && (own.error() == Error::dead || own.error() == Error::revoked))
        return {};
    return give(process, name, TRY(std::move(own)));
}

Result<void> SystemWorld::give_all(
    Client<protocol::Process> const& process, SpawnRequest const& request)
{
    auto const give_stream = [&](std::string_view name, StreamRef const& stream) {
        auto handle = static_cast<SystemStream const&>(*stream).for_program();
        return handle ? give(process, name, std::move(*handle)) : Result<void>(handle.error());
    };
    TRY(give_stream("stdin", request.streams.input));
    TRY(give_stream("stdout", request.streams.output));
    TRY(give_stream("stderr", request.streams.errors));
    TRY(give(process, "vfs", TRY(files_.session_for_another())));
    TRY(give_derived(process, "process", services_.processes.handle()));
    TRY(give_derived(process, "console", services_.console.handle()));
    TRY(give_derived(process, "pipe", services_.pipes.handle()));
    TRY(give_derived(process, "scheduler", services_.others.scheduler));
    TRY(give_derived(process, "pager", services_.others.pager));
    TRY(give_derived(process, "clock", services_.others.clock));
    TRY(give_derived(process, "log-tail", services_.others.log));
    TRY(give_derived(process, "audit", services_.others.audit));
    return give_derived(process, "init", services_.init.handle());
}

Result<std::unique_ptr<Process>> SystemWorld::spawn(SpawnRequest const& request)
{
    auto process = Client<protocol::Process>(
        std::move(TRY(services_.processes.call(protocol::Processes::Create {})).process));
    TRY(add_text(process, protocol::ProcessText::path, request.program));
    for (auto const& argument : request.arguments)
        TRY(add_text(process, protocol::ProcessText::argument, argument));
    for (auto const& variable : request.variables)
        TRY(add_text(process, protocol::ProcessText::variable, variable));
    TRY(give_all(process, request));
    auto for_interrupts = TRY(process.duplicate());
    TRY(process.call(protocol::Process::Start {}));
    auto const number = next_running_++;
    interrupts_->running.lock()->emplace(number, std::move(for_interrupts));
    // A pipe's end must be closed here for the others to see it closed; a file's must stay open.
    auto kept = request.streams;
    for (auto* stream : { &kept.input, &kept.output, &kept.errors })
        if (static_cast<SystemStream const&>(**stream).sharing() == SystemStream::Sharing::copy)
            stream->reset();
    return std::unique_ptr<Process>(
        std::make_unique<SystemProcess>(*this, std::move(process), std::move(kept), number));
}

Result<void> SystemWorld::shut_down(int status)
{
    if (!services_.init)
        return Error::no_rights;
    TRY(services_.init.call(protocol::Init::Shutdown { static_cast<u8>(status) }));
    return {};
}

Result<void> SystemWorld::watch_interrupts()
{
    auto port = TRY(interrupts_->port.port().derive(Right::send | Right::derive));
    TRY(services_.console.call(protocol::Console::OnInterrupt { interrupt_bit, std::move(port) }));
    if (std::exchange(watching_, true))
        return {};
    auto own = std::make_unique<Ref<Interrupts>>(interrupts_);
    static_cast<void>(
        TRY(spawn_thread(interrupt_thread, own.get(), interrupt_stack_bytes, "interrupts")));
    static_cast<void>(own.release()); // the thread's, as long as it lives
    return {};
}

// The main thread waits for what runs, so another has to hear the user.
void SystemWorld::interrupt_thread(void* argument)
{
    auto& interrupts = **static_cast<Ref<Interrupts>*>(argument);
    while (interrupts.port.wait()) {
        interrupts.seen = true;
        auto running = interrupts.running.lock();
        // One that has just ended by itself cannot be ended again, which is as well.
        for (auto const& [number, process] : *running)
            static_cast<void>(process.call(protocol::Process::Kill { status_interrupted }));
    }
    // The port was destroyed: whether that ends the shell is for its first thread to say.
    for (;;)
        system::sched_yield();
}

} // namespace gemel::gsh
