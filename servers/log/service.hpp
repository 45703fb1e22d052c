// The Log protocol. The root is what init holds; each writer has a capability with its name.
#pragma once

#include "servers/log/ring.hpp"
#include "servers/protocols/log.hpp"
#include "servers/rt/object_server.hpp"

#include <map>
#include <string>

namespace gemel::log {

using protocol::LogLevel;

inline constexpr usize line_bytes_max = 1024;

// The ring, the levels and who follows: what all capabilities share.
class Journal {
public:
    static constexpr usize followers_max = 16;
    using Follower = u64; // a number; 0 is nobody

    explicit Journal(usize bytes_max)
        : state_(bytes_max)
    {
    }
    void write(LogLevel level, std::string_view name, std::string_view line);
    // invalid: no such level.
    Result<void> set_levels(LogLevel level, u8 echo);
    // A `reader` that follows and finds the end is signalled when there is more.
    protocol::Log::ReadTail::Reply read(u64 cursor, Follower reader);
    u64 tail(u64 bytes);
    // `port` is signalled with `bits`. too_big: followers_max follow.
    Result<Follower> follow(Handle port, u64 bits);
    void unfollow(Follower follower);
    u64 kept();
    // invalid: beyond the end.
    Result<void> keep(u64 cursor);

private:
    struct Waiting {
        Handle port;
        u64 bits = 0;
        bool found_end = false;
    };
    struct State {
        explicit State(usize bytes_max)
            : ring(bytes_max)
        {
        }
        Ring ring;
        LogLevel level = LogLevel::debug;
        u8 echo = static_cast<u8>(LogLevel::error);
        std::map<Follower, Waiting> followers;
        Follower next = 1;
        u64 kept = 0;
    };
    Guarded<State> state_;
};

enum class WriterKind : u8 { root, own };

class Writer {
public:
    // Borrows both.
    Writer(Journal& journal, ObjectServer& server, std::string_view name,
        WriterKind kind = WriterKind::own)
        : journal_(journal)
        , server_(server)
        , name_(name)
        , kind_(kind)
    {
    }
    ~Writer() { journal_.unfollow(*follower_.lock()); }
    Writer(Writer const&) = delete;

    Result<protocol::Log::Write::Reply> on(protocol::Log::Write const& request);
    Result<protocol::Log::Flush::Reply> on(protocol::Log::Flush const&);
    Result<protocol::Log::SetLevel::Reply> on(protocol::Log::SetLevel const& request);
    Result<protocol::Log::ReadTail::Reply> on(protocol::Log::ReadTail const& request);
    Result<protocol::Log::Open::Reply> on(protocol::Log::Open const& request);
    Result<protocol::Log::TailCursor::Reply> on(protocol::Log::TailCursor const& request);
    Result<protocol::Log::Follow::Reply> on(protocol::Log::Follow request);
    Result<protocol::Log::Keep::Reply> on(protocol::Log::Keep const& request);

private:
    Journal& journal_;
    ObjectServer& server_;
    std::string name_;
    WriterKind kind_;
    Guarded<std::string> pending_; // pieces of a line that has not ended
    Guarded<Journal::Follower> follower_ { 0 };
};

static_assert(Serves<Writer, protocol::Log>);

} // namespace gemel::log
