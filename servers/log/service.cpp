#include "servers/log/service.hpp"

#include "servers/rt/system.hpp"
#include "servers/rt/text.hpp"

namespace gemel::log {
namespace {

constexpr u8 echo_none = 4;

std::string_view name_of_level(LogLevel level)
{
    switch (level) {
    case LogLevel::debug:
        return "DEBUG";
    case LogLevel::info:
        return "INFO";
    case LogLevel::warn:
        return "WARN";
    case LogLevel::error:
        return "ERROR";
    }
    return "?";
}

// A line stays one line, and a terminal that shows it stays as it was.
void append_plain(std::string& out, std::string_view text)
{
    for (char const character : text) {
        auto const byte = static_cast<u8>(character);
        out += byte < 0x20 || byte == 0x7F ? '?' : character;
    }
}

} // namespace

void Journal::write(LogLevel level, std::string_view name, std::string_view line)
{
    std::string text = concatenate(seconds_text(system::time_ns()), ' ', name_of_level(level), ' ');
    append_plain(text, name);
    text += ": ";
    append_plain(text, line);
    text += '\n';
    auto const state = state_.lock();
    if (level < state->level)
        return;
    state->ring.append(text);
    for (auto& [number, follower] : state->followers) {
        if (std::exchange(follower.found_end, false))
            (void)system::signal(follower.port.value(), follower.bits); // who is dead has no need
    }
    if (static_cast<u8>(level) >= state->echo)
        system::debug_print(text);
}

Result<void> Journal::set_levels(LogLevel level, u8 echo)
{
    if (level > LogLevel::error || echo > echo_none)
        return Error::invalid;
    auto const state = state_.lock();
    state->level = level;
    state->echo = echo;
    return {};
}

protocol::Log::ReadTail::Reply Journal::read(u64 cursor, Follower reader)
{
    auto const state = state_.lock();
    Text<40> const text { state->ring.read(cursor, sizeof(Text<40>)) };
    auto const follower = state->followers.find(reader);
    if (follower != state->followers.end())
        follower->second.found_end = text.view().empty();
    return { cursor, text };
}

u64 Journal::tail(u64 bytes)
{
    return state_.lock()->ring.tail(bytes);
}

Result<Journal::Follower> Journal::follow(Handle port, u64 bits)
{
    auto const state = state_.lock();
    if (state->followers.size() == followers_max)
        return Error::too_big;
    auto const number = state->next++;
    state->followers.emplace(number, Waiting { std::move(port), bits });
    return number;
}

void Journal::unfollow(Follower follower)
{
    state_.lock()->followers.erase(follower);
}

u64 Journal::kept()
{
    return state_.lock()->kept;
}

Result<void> Journal::keep(u64 cursor)
{
    auto const state = state_.lock();
    if (cursor > state->ring.end())
        return Error::invalid;
    state->kept = cursor;
    return {};
}

Result<protocol::Log::Write::Reply> Writer::on(protocol::Log::Write const& request)
{
    if (request.level > LogLevel::error)
        return Error::invalid;
    auto const piece = request.text.view();
    auto const pending = pending_.lock();
    pending->append(piece.substr(0, line_bytes_max - std::min(line_bytes_max, pending->size())));
    if (piece.size() == sizeof(request.text))
        return protocol::Log::Write::Reply {};
    auto const line = std::exchange(*pending, {});
    journal_.write(request.level, name_, line);
    return protocol::Log::Write::Reply {};
}

// Lines are readable as soon as they are written: there is nothing behind the ring yet.
Result<protocol::Log::Flush::Reply> Writer::on(protocol::Log::Flush const&)
{
    return protocol::Log::Flush::Reply {};
}

Result<protocol::Log::SetLevel::Reply> Writer::on(protocol::Log::SetLevel const& request)
{
    TRY(journal_.set_levels(request.level, request.echo));
    return protocol::Log::SetLevel::Reply {};
}

Result<protocol::Log::ReadTail::Reply> Writer::on(protocol::Log::ReadTail const& request)
{
    return journal_.read(request.cursor, *follower_.lock());
}

Result<protocol::Log::Open::Reply> Writer::on(protocol::Log::Open const& request)
{
    auto writer = make_ref<Writer>(journal_, server_, request.name.view());
    return protocol::Log::Open::Reply { TRY(server_.publish<protocol::Log>(std::move(writer))) };
}

Result<protocol::Log::TailCursor::Reply> Writer::on(protocol::Log::TailCursor const& request)
{
    return protocol::Log::TailCursor::Reply { journal_.tail(request.bytes) };
}

Result<protocol::Log::Follow::Reply> Writer::on(protocol::Log::Follow request)
{
    if (kind_ == WriterKind::root)
        return Error::invalid;
    auto const follower = follower_.lock();
    journal_.unfollow(std::exchange(*follower, 0));
    if (request.port)
        *follower = TRY(journal_.follow(std::move(request.port), request.bits));
    return protocol::Log::Follow::Reply { journal_.kept() };
}

Result<protocol::Log::Keep::Reply> Writer::on(protocol::Log::Keep const& request)
{
    if (*follower_.lock() == 0)
        return Error::invalid;
    TRY(journal_.keep(request.cursor));
    return protocol::Log::Keep::Reply {};
}

} // namespace gemel::log
