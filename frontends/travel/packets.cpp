#include "frontends/travel/packets.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

namespace gemel::travel {

namespace {

constexpr char interrupt_byte = 3;

u8 sum_of(std::string_view content)
{
    u8 sum = 0;
    for (auto const byte : content)
        sum = static_cast<u8>(sum + static_cast<u8>(byte));
    return sum;
}

// '}' says that the next byte was changed by 0x20.
std::string unescaped(std::string_view content)
{
    std::string text;
    for (usize i = 0; i < content.size(); ++i)
        text += content[i] == '}' && i + 1 < content.size() ? static_cast<char>(content[++i] ^ 0x20)
                                                            : content[i];
    return text;
}

std::string escaped(std::string_view content)
{
    std::string text;
    for (auto const byte : content)
        if (byte == '#' || byte == '$' || byte == '}' || byte == '*')
            (text += '}') += static_cast<char>(byte ^ 0x20);
        else
            text += byte;
    return text;
}

} // namespace

std::string Packets::framed(std::string_view content)
{
    auto const body = escaped(content);
    char sum[4];
    std::snprintf(sum, sizeof sum, "#%02x", sum_of(body));
    return "$" + body + sum;
}

void Packets::send(std::string_view bytes) const
{
    while (!bytes.empty()) {
        auto const wrote = ::write(to_, bytes.data(), bytes.size());
        if (wrote < 0 && errno != EINTR)
            return; // next() will see that nobody is there
        bytes.remove_prefix(wrote > 0 ? static_cast<usize>(wrote) : 0);
    }
}

void Packets::answer(std::string_view content)
{
    send(framed(content));
}

// False: end of file, or nothing there and not to wait.
bool Packets::fill(bool wait)
{
    pollfd ready { from_, POLLIN, 0 };
    if (!wait && ::poll(&ready, 1, 0) <= 0)
        return false;
    char bytes[4096];
    ssize_t got = 0;
    while ((got = ::read(from_, bytes, sizeof bytes)) < 0 && errno == EINTR)
        ;
    over_ = got <= 0;
    if (over_)
        return false;
    received_.append(bytes, static_cast<usize>(got));
    return true;
}

bool Packets::interrupt()
{
    (void)fill(false);
    if (over_)
        return true;
    if (received_.find_first_not_of('+') != received_.find(interrupt_byte)
        || received_.find(interrupt_byte) == std::string::npos)
        return false;
    received_.erase(0, received_.find(interrupt_byte) + 1);
    return true;
}

// A whole packet out of what was received, or nothing yet.
std::optional<std::string> Packets::parsed()
{
    for (;;) {
        auto const begin = received_.find('$');
        if (begin == std::string::npos) {
            received_.clear(); // acknowledgements, and interrupts of what stands
            return std::nullopt;
        }
        auto const end = received_.find('#', begin);
        if (end == std::string::npos || received_.size() < end + 3) {
            if (received_.size() > bytes_max)
                received_.clear();
            return std::nullopt;
        }
        auto const body = received_.substr(begin + 1, end - begin - 1);
        auto const sum = std::strtoul(received_.substr(end + 1, 2).c_str(), nullptr, 16);
        received_.erase(0, end + 3);
        auto const whole = trusted_ || sum == sum_of(body);
        if (!trusted_)
            send(whole ? "+" : "-");
        if (whole)
            return unescaped(body);
    }
}

std::optional<std::string> Packets::next()
{
    for (;;) {
        if (auto packet = parsed())
            return packet;
        if (!fill(true))
            return std::nullopt;
    }
}

} // namespace gemel::travel
