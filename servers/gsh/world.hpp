// What a running script asks of the system. main.cpp gives the real one, the tests one of their
// own.
#pragma once

#include "core/base/result.hpp"
#include "core/base/types.hpp"
#include "servers/protocols/file_status.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gemel::gsh {

// An open file, pipe end or terminal. It knows its own position.
class Stream {
public:
    virtual ~Stream() = default;
    // 0 bytes: the end.
    virtual Result<usize> read(std::span<char> into) = 0;
    virtual Result<void> write(std::string_view text) = 0;
};
using StreamRef = std::shared_ptr<Stream>;

// What a command reads and writes. Never null.
struct Streams {
    StreamRef input;
    StreamRef output;
    StreamRef errors;
};

class Process {
public:
    virtual ~Process() = default;
    // Its exit status, 0..255. Waits for its end; an interrupt of the user ends it with 130.
    virtual Result<int> wait() = 0;
};

enum class OpenFor : u8 { input, output, append };

struct ListedName {
    std::string name;
    FileKind kind = FileKind::regular;
};

struct PipeEnds {
    StreamRef reader;
    StreamRef writer;
};

struct SpawnRequest {
    std::string program; // a path that find_program() gave
    std::vector<std::string> arguments; // the program's own name first
    std::vector<std::string> variables; // NAME=value
    Streams streams;
};

class World {
public:
    virtual ~World() = default;

    // Paths are absolute. A link is followed.
    virtual Result<StreamRef> open(std::string const& path, OpenFor purpose) = 0;
    virtual Result<FileStatus> status(std::string const& path) = 0;
    // The directory's real path, for cd. not_directory for anything else.
    virtual Result<std::string> resolve(std::string const& path) = 0;
    // Without "." and "..", in no particular order.
    virtual Result<std::vector<ListedName>> list(std::string const& path) = 0;
    // A pipe that keeps all that is written (`capture`, 1 MiB at most), or makes writers wait.
    enum class PipeUse : u8 { stream, capture };
    virtual Result<PipeEnds> pipe(PipeUse use) = 0;
    // `search`: directories separated by colons. not_found when there is none of that name.
    virtual Result<std::string> find_program(std::string const& name, std::string const& search)
        = 0;
    virtual Result<std::unique_ptr<Process>> spawn(SpawnRequest const& request) = 0;
    // What help lists and completion offers, sorted.
    virtual std::vector<std::string> programs(std::string const& search) = 0;
    virtual u64 now_ns() = 0;
    // Whether the user has pressed Ctrl-C since the last question.
    virtual bool take_interrupt() = 0;
    // Ends the whole system with `status`; returns only when that is refused.
    virtual Result<void> shut_down(int status) = 0;
};

} // namespace gemel::gsh
