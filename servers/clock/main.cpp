// The clock server: what the machine's clock said at its start, for whoever holds its port.
#include "servers/clock/chips.hpp"
#include "servers/protocols/clock.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::clock {

namespace {

constexpr u64 ns_per_second = 1'000'000'000;

Result<u64> read_chip(Client<protocol::Devices> const& devices)
{
    auto opened = TRY(devices.call(protocol::Devices::Open { "clock", 0 }));
    Client<protocol::Device> const device { std::move(opened.device) };
    auto window = TRY(device.call(protocol::Device::Window {}));
    switch (opened.kind) {
    case protocol::DeviceKind::cmos_clock:
        return read_cmos(std::move(window));
    case protocol::DeviceKind::pl031:
        return read_pl031(std::move(window));
    case protocol::DeviceKind::virtio_mmio:
    case protocol::DeviceKind::virtio_pci:
    case protocol::DeviceKind::uart_16550:
    case protocol::DeviceKind::pl011:
    case protocol::DeviceKind::host_mount:
        break;
    }
    return Error::unsupported;
}

class ClockRoot {
public:
    explicit ClockRoot(Result<u64> start)
        : start_ns_(start)
    {
    }

    Result<protocol::Clock::Start::Reply> on(protocol::Clock::Start const&)
    {
        if (!start_ns_)
            return Error::not_found;
        return protocol::Clock::Start::Reply { *start_ns_ };
    }

private:
    Result<u64> const start_ns_;
};

static_assert(Serves<ClockRoot, protocol::Clock>);

// When the monotonic time was 0.
Result<u64> find_start(Client<protocol::Devices> const& devices)
{
    auto const seconds = TRY(read_chip(devices));
    return seconds * ns_per_second - std::min(system::time_ns(), seconds * ns_per_second);
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const devices = TRY(env.take<protocol::Devices>("devices"));
    auto const start = find_start(devices);
    if (!start)
        env.log().warn("no time of day: ", start.error());
    ObjectServer server { env.port() };
    server.set_root<protocol::Clock>(make_ref<ClockRoot>(start));
    return server.run();
}

} // namespace gemel::clock
