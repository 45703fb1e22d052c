// A program's side of the log: whole lines, with a level.
#pragma once

#include "servers/protocols/log.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/text.hpp"

namespace gemel {

class Log {
public:
    // `client` may be the log's root or any writer's capability: lines go through one of our own,
    // opened with the first line, and again when the log was started again.
    // Without a client lines go to the debug output, after `name`, which must outlive this.
    void connect(Client<protocol::Log> client, std::string_view name);

    // The pieces are put together as concatenate does. Lost, without an error, when the log is
    // dead.
    template <typename... Pieces>
    void debug(Pieces const&... pieces)
    {
        write(protocol::LogLevel::debug, concatenate(pieces...));
    }
    template <typename... Pieces>
    void info(Pieces const&... pieces)
    {
        write(protocol::LogLevel::info, concatenate(pieces...));
    }
    template <typename... Pieces>
    void warn(Pieces const&... pieces)
    {
        write(protocol::LogLevel::warn, concatenate(pieces...));
    }
    template <typename... Pieces>
    void error(Pieces const&... pieces)
    {
        write(protocol::LogLevel::error, concatenate(pieces...));
    }
    void write(protocol::LogLevel level, std::string_view line);

private:
    struct Ends {
        Client<protocol::Log> given;
        Client<protocol::Log> own;
    };
    Result<void> write_through(Ends& ends, protocol::LogLevel level, std::string_view line);

    Guarded<Ends> ends_;
    std::string_view name_;
};

} // namespace gemel
