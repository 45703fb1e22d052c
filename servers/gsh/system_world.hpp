// The system as scripts see it: files through the vfs, programs through the process service, pipes
// through the pipe service, the terminal through the console.
#pragma once

#include "servers/fskit/client.hpp"
#include "servers/gsh/world.hpp"
#include "servers/protocols/console.hpp"
#include "servers/protocols/init.hpp"
#include "servers/protocols/pipe.hpp"
#include "servers/protocols/process.hpp"
#include "servers/rt/rt.hpp"

#include <atomic>
#include <map>

namespace gemel::gsh {

class SystemStream final : public Stream {
public:
    // A copy: the program gets a capability of its own, which lives on when this stream is closed;
    // what pipes need. Derived: one that ends with this stream; what all files can do.
    enum class Sharing : u8 { copy, derived };

    SystemStream(fskit::OpenFile file, Sharing sharing)
        : file_(std::move(file))
        , sharing_(sharing)
    {
    }
    Result<usize> read(std::span<char> into) override
    {
        return file_.read(std::as_writable_bytes(into));
    }
    Result<void> write(std::string_view text) override { return file_.write(text); }
    Result<FileStatus> status() { return file_.status(); }
    Sharing sharing() const { return sharing_; }
    Result<Handle> for_program() const;

private:
    fskit::OpenFile file_;
    Sharing sharing_;
};

// What programs are given beside their streams; those that are empty are left out.
struct ProgramCapabilities {
    Handle scheduler;
    Handle pager;
    Handle clock;
    Handle log;
    Handle audit;
    Handle init;
};

class SystemWorld final : public World {
public:
    struct Services {
        Client<protocol::Processes> processes;
        Client<protocol::Console> console; // empty: there is no terminal
        Client<protocol::Pipes> pipes;
        Client<protocol::Init> init;
        ProgramCapabilities others;
    };

    // For create().
    SystemWorld(fskit::Files files, Services services, Notification notification)
        : files_(std::move(files))
        , services_(std::move(services))
        , interrupts_(make_ref<Interrupts>(std::move(notification)))
    {
    }
    static Result<Own<SystemWorld>> create(fskit::Files files, Services services);

    Result<StreamRef> open(std::string const& path, OpenFor purpose) override;
    Result<FileStatus> status(std::string const& path) override;
    Result<std::string> resolve(std::string const& path) override;
    Result<std::vector<ListedName>> list(std::string const& path) override;
    Result<PipeEnds> pipe(PipeUse use) override;
    Result<std::string> find_program(std::string const& name, std::string const& search) override;
    Result<std::unique_ptr<Process>> spawn(SpawnRequest const& request) override;
    std::vector<std::string> programs(std::string const& search) override;
    u64 now_ns() override { return system::time_ns(); }
    bool take_interrupt() override { return interrupts_->seen.exchange(false); }
    Result<void> shut_down(int status) override;

    // A File capability that was given to the shell.
    Result<StreamRef> attach(Client<protocol::File> file);
    // The same terminal again, as a stream.
    Result<StreamRef> open_console();
    Result<std::string> read_file(std::string const& path, usize bytes_max);
    Client<protocol::Console> const& console() const { return services_.console; }
    // From now on, and until another program asks for it, Ctrl-C ends what runs and is seen by
    // take_interrupt.
    Result<void> watch_interrupts();

private:
    using Running = std::map<u64, Client<protocol::Process>>;
    struct Interrupts {
        explicit Interrupts(Notification notification)
            : port(std::move(notification))
        {
        }
        Notification port;
        std::atomic<bool> seen { false };
        Guarded<Running> running; // what an interrupt ends
    };
    friend class SystemProcess;

    Result<void> give(Client<protocol::Process> const& process, std::string_view name, Handle what);
    Result<void> give_derived(
        Client<protocol::Process> const& process, std::string_view name, Handle const& what);
    Result<void> give_all(Client<protocol::Process> const& process, SpawnRequest const& request);
    static void interrupt_thread(void* interrupts);

    fskit::Files files_;
    Services services_;
    // The thread that hears the user has it too, and may be at it when the shell ends.
    Ref<Interrupts> interrupts_;
    u64 next_running_ = 0;
    bool watching_ = false;
};

} // namespace gemel::gsh
