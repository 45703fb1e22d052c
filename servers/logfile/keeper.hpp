// From the log to a file. Text that cannot be written waits here and is tried again with the next
// that comes; when there is too much of it the oldest lines go, and the file says how many.
#pragma once

#include "servers/logfile/rotating_file.hpp"
#include "servers/protocols/keeper.hpp"
#include "servers/protocols/log.hpp"
#include "servers/rt/dispatch.hpp"
#include "servers/rt/log.hpp"

namespace gemel::logfile {

class Keeper {
public:
    static constexpr usize waiting_bytes_max = 64 * 1024;
    static constexpr u64 more_bit = 1;

    // `log` is a capability of this reader's own; `says` is where troubles are told.
    Keeper(Client<protocol::Log> log, RotatingFile& file, Log& says)
        : log_(std::move(log))
        , file_(file)
        , says_(says)
    {
    }

    // From now on `port` is signalled when there is more. Begins where the last one ended.
    Result<void> follow(Handle port);
    // Reads to the log's end and writes. An Error is the log's.
    Result<void> keep();

    void notified(u64 bits);
    Result<protocol::Keeper::Flush::Reply> on(protocol::Keeper::Flush const&);

private:
    static constexpr usize batch_bytes = 16 * 1024;
    enum class Found : u8 { more, end };

    Result<Found> read();
    void write();
    void make_room();
    std::string report() const;
    void failed(Error error);

    Client<protocol::Log> log_;
    RotatingFile& file_;
    Log& says_;
    u64 cursor_ = 0;
    std::string waiting_; // what was read and is not written
    u64 lost_lines_ = 0; // that had to make room
    u64 passed_bytes_ = 0; // that the log itself no longer had
    std::optional<Error> trouble_; // since the last append that worked
};

static_assert(Serves<Keeper, protocol::Keeper>);

} // namespace gemel::logfile
