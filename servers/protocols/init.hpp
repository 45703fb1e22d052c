// init: the services of /etc/services.toml, and the machine's end.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class ServiceState : u8 { stopped = 0, starting = 1, running = 2, failed = 3, stopping = 4 };

// Errors that all share: not_found (no such service), unavailable (shutting down).
struct Init {
    static constexpr std::string_view name = "init";

    // Its dependencies first. Answers when it runs, or with why it does not.
    struct StartService {
        Text<24> name;
        struct Reply { };
    };

    struct StopService {
        Text<24> name;
        struct Reply { };
    };

    // Ends its task at once, as a crash would: what its restart policy says comes next. Not running
    // -> unavailable.
    struct KillService {
        Text<24> name;
        struct Reply { };
    };

    struct QueryService {
        Text<24> name;
        struct Reply {
            ServiceState state = ServiceState::stopped;
            u32 task = 0; // task id, 0 when it does not run
            u32 restarts = 0;
            u64 started_ns = 0; // monotonic
        };
    };

    // `source` is a service that serves Directory, or "block" for the file system found there.
    struct MountFilesystem {
        Text<16> source;
        Text<24> path;
        u32 flags = 0; // 1 read-only
        struct Reply { };
    };

    // Stops the services in reverse order, then ends the machine with `status`. No answer on
    // success.
    struct Shutdown {
        u8 status = 0;
        struct Reply { };
    };

    // The services in the order of the file: not_found past the last.
    struct ListServices {
        u32 index = 0;
        struct Reply {
            Text<24> name;
            ServiceState state = ServiceState::stopped;
            u32 task = 0;
            u32 restarts = 0;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages
        = MessageList<Message<1, "start_service", StartService, Fields<"name">, Fields<>>,
            Message<2, "stop_service", StopService, Fields<"name">, Fields<>>,
            Message<3, "query_service", QueryService, Fields<"name">,
                Fields<"state", "task", "restarts", "started_ns">>,
            Message<4, "mount_filesystem", MountFilesystem, Fields<"source", "path", "flags">,
                Fields<>>,
            Message<5, "shutdown", Shutdown, Fields<"status">, Fields<>>,
            Message<16, "list_services", ListServices, Fields<"index">,
                Fields<"name", "state", "task", "restarts">>,
            Message<17, "kill_service", KillService, Fields<"name">, Fields<>>>;
};

} // namespace gemel::protocol
