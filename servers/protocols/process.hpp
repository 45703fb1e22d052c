// Programs started by programs. Processes makes one that does not run yet; it is told its path,
// arguments, variables and capabilities, then started. Text travels inside the messages: the
// process service maps nobody's memory.
#pragma once

#include "servers/rt/protocol.hpp"

namespace gemel::protocol {

enum class ProcessText : u8 { path = 0, argument = 1, variable = 2 };
enum class ProcessState : u8 { preparing = 0, running = 1, ended = 2 };

// One process. Closing the last capability before Start forgets it; after Start it runs on.
struct Process {
    static constexpr std::string_view name = "process";

    // A piece of a text; one of fewer than 40 bytes ends it. The path is looked up in the boot
    // bundle (/gemel/...) or through the capability named "vfs". Arguments in order, the program's
    // name first; variables as NAME=value. Over the startup page's 2,048 bytes -> too_big.
    struct AddText {
        ProcessText kind = ProcessText::argument;
        Text<40> text;
        struct Reply { };
    };

    // The new program finds it as env.take("name"). Over 32 -> too_big; a name twice -> exists.
    struct Give {
        Text<24> name;
        Handle capability;
        struct Reply { };
    };

    // not_found (no such file), syntax (not a program for this machine), quota, and what reading
    // the file says.
    struct Start {
        struct Reply { };
    };

    // Before Start: its thread shall be there, but not run before LetGo. One that is still held
    // when its last capability closes ends.
    struct Hold {
        struct Reply { };
    };

    // unavailable: it is not held.
    struct LetGo {
        struct Reply { };
    };

    // Answers when it ends. A fault is status 128 + 11; Kill gives its own.
    struct Wait {
        struct Reply {
            u8 status = 0;
        };
    };

    // Ends it now with `status`. Of one that has ended: nothing happens.
    struct Kill {
        u8 status = 0;
        struct Reply { };
    };

    struct Info {
        struct Reply {
            u32 task = 0; // task id, 0 when it does not run
            ProcessState state = ProcessState::preparing;
            u8 status = 0;
        };
    };

    // Its first thread, to be scheduled: a capability to write. unavailable: it does not run.
    struct Thread {
        struct Reply {
            Handle thread;
        };
    };

    // Before Start: how many threads it may have, 1 to 8 (otherwise invalid).
    struct Limit {
        u8 threads = 0;
        struct Reply { };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<1, "add_text", AddText, Fields<"kind", "text">, Fields<>>,
        Message<2, "give", Give, Fields<"name", "capability">, Fields<>>,
        Message<3, "start", Start, Fields<>, Fields<>>,
        Message<4, "wait", Wait, Fields<>, Fields<"status">>,
        Message<5, "kill", Kill, Fields<"status">, Fields<>>,
        Message<6, "info", Info, Fields<>, Fields<"task", "state", "status">>,
        Message<7, "thread", Thread, Fields<>, Fields<"thread">>,
        Message<8, "limit", Limit, Fields<"threads">, Fields<>>,
        Message<9, "hold", Hold, Fields<>, Fields<>>,
        Message<10, "let_go", LetGo, Fields<>, Fields<>>>;
};

// The process service, served by init.
struct Processes {
    static constexpr std::string_view name = "processes";

    // Over the service's bound on processes -> too_big.
    struct Create {
        struct Reply {
            Handle process;
        };
    };

    // Numbers are the wire's: add, never change or reuse.
    using Messages = MessageList<Message<16, "create", Create, Fields<>, Fields<"process">>>;
};

} // namespace gemel::protocol
