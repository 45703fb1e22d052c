#include "frontends/cli/mount_outcome.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr int waiters_max = 16;
constexpr std::size_t message_bytes_max = 1024;
constexpr char good_byte = 'G';
constexpr char bad_byte = 'B';

struct Address {
    sockaddr_un name {};
    socklen_t bytes = 0;
    sockaddr const* get() const { return reinterpret_cast<sockaddr const*>(&name); }
};

// The first byte of an abstract name is NUL.
Address address_of(std::string const& device)
{
    auto const text = "gemel-mount-" + device;
    Address address;
    address.name.sun_family = AF_UNIX;
    auto const bytes = std::min(text.size(), sizeof(address.name.sun_path) - 1);
    std::copy_n(text.begin(), bytes, address.name.sun_path + 1);
    address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + bytes);
    return address;
}

int new_socket()
{
    return ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Anybody may take a name; only who mounted is believed.
bool is_of_user(int socket, uid_t user)
{
    ucred peer {};
    socklen_t bytes = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.uid == user;
}

} // namespace

OutcomeTeller::~OutcomeTeller()
{
    if (socket_ >= 0)
        ::close(socket_);
}

void OutcomeTeller::open(std::string const& device)
{
    auto const address = address_of(device);
    socket_ = new_socket();
    if (socket_ < 0 || ::bind(socket_, address.get(), address.bytes) != 0)
        return;
    (void)::listen(socket_, waiters_max);
}

void OutcomeTeller::tell(std::string const& failure)
{
    auto const message = failure.empty() ? std::string(1, good_byte) : bad_byte + failure;
    for (int waiter = 0; socket_ >= 0 && (waiter = ::accept4(socket_, nullptr, nullptr, 0)) >= 0;) {
        (void)::send(
            waiter, message.data(), std::min(message.size(), message_bytes_max), MSG_NOSIGNAL);
        ::close(waiter);
    }
}

OutcomeWaiter::OutcomeWaiter(HostMount const& mount)
    : socket_(new_socket())
{
    auto const address = address_of(mount.device);
    if (socket_ < 0
        || (::connect(socket_, address.get(), address.bytes) == 0
            && is_of_user(socket_, mount.user)))
        return;
    ::close(socket_);
    socket_ = -1;
}

OutcomeWaiter::~OutcomeWaiter()
{
    if (socket_ >= 0)
        ::close(socket_);
}

OutcomeWaiter::Outcome OutcomeWaiter::wait(int seconds_max)
{
    if (socket_ < 0)
        return { Kind::unknown };
    pollfd waiting { socket_, POLLIN, 0 };
    if (::poll(&waiting, 1, seconds_max * 1000) == 0)
        return { Kind::late };
    std::array<char, message_bytes_max> message;
    auto const bytes = ::recv(socket_, message.data(), message.size(), 0);
    if (bytes <= 0)
        return { Kind::ended };
    if (message[0] == good_byte)
        return { Kind::good };
    return { Kind::bad, std::string(message.data() + 1, static_cast<std::size_t>(bytes) - 1) };
}

} // namespace gemel::cli
