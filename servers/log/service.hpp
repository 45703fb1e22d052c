// The Log protocol. The root is what init holds; each writer has a capability with its name.
#pragma once

#include "servers/log/ring.hpp"
#include "servers/protocols/log.hpp"
#include "servers/rt/object_server.hpp"

#include <string>

namespace gemel::log {

using protocol::LogLevel;

inline constexpr usize line_bytes_max = 1024;

// The ring and the levels: what all capabilities share.
class Journal {
public:
    explicit Journal(usize bytes_max)
        : state_(bytes_max)
    {
    }
    void write(LogLevel level, std::string_view name, std::string_view line);
    // invalid: no such level.
    Result<void> set_levels(LogLevel level, u8 echo);
    protocol::Log::ReadTail::Reply read(u64 cursor);
    u64 tail(u64 bytes);

private:
    struct State {
        explicit State(usize bytes_max)
            : ring(bytes_max)
        {
        }
        Ring ring;
        LogLevel level = LogLevel::debug;
        u8 echo = static_cast<u8>(LogLevel::error);
    };
    Guarded<State> state_;
};

class Writer {
public:
    // Borrows both.
    Writer(Journal& journal, ObjectServer& server, std::string_view name)
        : journal_(journal)
        , server_(server)
        , name_(name)
    {
    }

    Result<protocol::Log::Write::Reply> on(protocol::Log::Write const& request);
    Result<protocol::Log::Flush::Reply> on(protocol::Log::Flush const&);
    Result<protocol::Log::SetLevel::Reply> on(protocol::Log::SetLevel const& request);
    Result<protocol::Log::ReadTail::Reply> on(protocol::Log::ReadTail const& request);
    Result<protocol::Log::Open::Reply> on(protocol::Log::Open const& request);
    Result<protocol::Log::TailCursor::Reply> on(protocol::Log::TailCursor const& request);

private:
    Journal& journal_;
    ObjectServer& server_;
    std::string name_;
    Guarded<std::string> pending_; // pieces of a line that has not ended
};

static_assert(Serves<Writer, protocol::Log>);

} // namespace gemel::log
