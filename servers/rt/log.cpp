#include "servers/rt/log.hpp"

namespace gemel {
namespace {

constexpr usize line_bytes_max = 1024;

} // namespace

void Log::connect(Client<protocol::Log> client, std::string_view name)
{
    *client_.lock() = std::move(client);
    name_ = name;
}

void Log::write(protocol::LogLevel level, std::string_view line)
{
    line = line.substr(0, line_bytes_max);
    auto const client = client_.lock();
    if (!*client)
        return system::debug_print(concatenate(name_, ": ", line, '\n'));
    constexpr usize piece_bytes = sizeof(protocol::Log::Write::text);
    for (;;) {
        auto const piece = line.substr(0, piece_bytes);
        if (!client->call(protocol::Log::Write { level, piece }) || piece.size() < piece_bytes)
            return;
        line.remove_prefix(piece_bytes);
    }
}

} // namespace gemel
