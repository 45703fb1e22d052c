// From a program's file to a task that is ready to run: memory, startup page, capabilities.
#pragma once

#include "servers/init/program_file.hpp"
#include "servers/init/task.hpp"

#include "core/abi/startup.hpp"

#include <map>
#include <string>

namespace gemel::init {

struct GivenCapability {
    std::string name;
    Handle handle;
};

// Everything about a program that shall run.
struct Launch {
    std::string name; // at most 15 bytes of it are the task's name
    std::string path;
    std::span<std::byte const> file;
    std::vector<std::string> arguments; // the program's name first
    std::vector<std::string> variables; // NAME=value
    std::vector<GivenCapability> capabilities;
    TaskQuota quota;
    u32 stack_pages = 64;
    unsigned priority = 3;
    bool held = false; // it runs when it is let go
    bool sees_bundle = false; // it is mapped, and the startup page says where
};

class Loader {
public:
    // `own` is init's startup page: what it knows of the machine is passed on. `machine` says where
    // things lie, by chance; it outlives the loader.
    Loader(TaskMakers const& makers, MachineBroker const& machine, Startup const& own,
        std::vector<Handle> bundle)
        : makers_(makers)
        , machine_(machine)
        , own_(own)
        , bundle_(std::move(bundle))
    {
    }

    // The task does not run yet. On an error the launch's capabilities are closed.
    Result<Task> load(Launch launch, Handle fault_port);

private:
    // Where things are in the new task.
    struct Place {
        u64 entry = 0;
        u64 free = 0; // first window after what was mapped
    };
    struct Shared {
        u64 address = 0; // from the program's base
        u16 access = 0;
        Handle region;
    };

    Result<Place> place_program(Task& task, Launch const& launch, u64 base);
    Result<std::vector<Shared> const*> shared_windows(
        std::string const& path, ProgramFile const& program);
    Result<void> place_bundle(Task& task, Place& place, Startup& startup);
    Result<void> fill(Startup& startup, Task& task, Launch& launch);

    TaskMakers makers_;
    MachineBroker const& machine_;
    Startup const& own_;
    std::vector<Handle> bundle_;
    // Text and constants are the same for every instance of a program of the bundle, wherever it
    // lies.
    std::map<std::string, std::vector<Shared>> shared_;
};

} // namespace gemel::init
