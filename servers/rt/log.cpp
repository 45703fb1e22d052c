#include "servers/rt/log.hpp"

namespace gemel {
namespace {

constexpr usize line_bytes_max = 1024;

} // namespace

void Log::connect(Client<protocol::Log> client, std::string_view name)
{
    *ends_.lock() = { std::move(client), {} };
    name_ = name;
}

// In the pieces that the log takes.
Result<void> Log::write_through(Ends& ends, protocol::LogLevel level, std::string_view line)
{
    if (!ends.own)
        ends.own = Client<protocol::Log> { std::move(
            TRY(ends.given.call(protocol::Log::Open { name_ })).log) };
    constexpr usize piece_bytes = sizeof(protocol::Log::Write::text);
    for (;;) {
        auto const piece = line.substr(0, piece_bytes);
        TRY(ends.own.call(protocol::Log::Write { level, piece }));
        if (piece.size() < piece_bytes)
            return {};
        line.remove_prefix(piece_bytes);
    }
}

void Log::write(protocol::LogLevel level, std::string_view line)
{
    line = line.substr(0, line_bytes_max);
    auto const ends = ends_.lock();
    if (!ends->given)
        return system::debug_print(concatenate(name_, ": ", line, '\n'));
    auto written = write_through(*ends, level, line);
    if (written || (written.error() != Error::dead && written.error() != Error::revoked))
        return;
    // That log is gone, and with it what it gave out; what we were given may lead to the next one.
    ends->own = {};
    (void)write_through(*ends, level, line);
}

} // namespace gemel
