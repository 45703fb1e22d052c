// The console server: one serial line, found by the device manager, served by one thread.
#include "servers/console/console.hpp"
#include "servers/rt/rt.hpp"

#include <charconv>

namespace gemel::console {
namespace {

constexpr u64 device_bit = 1;

struct Interrupt {
    IrqBroker broker;
    u32 line = 0;
};

Result<Own<Uart>> open_uart(Client<protocol::Device> const& device, protocol::DeviceKind kind)
{
    auto window = TRY(device.call(protocol::Device::Window {}));
    auto registers = TRY(Registers::open(std::move(window), kind));
    switch (kind) {
    case protocol::DeviceKind::uart_16550:
        return make_uart_16550(std::move(registers));
    case protocol::DeviceKind::pl011:
        return make_uart_pl011(std::move(registers));
    case protocol::DeviceKind::virtio_mmio:
    case protocol::DeviceKind::virtio_pci:
    case protocol::DeviceKind::host_mount:
    case protocol::DeviceKind::cmos_clock:
    case protocol::DeviceKind::pl031:
        break;
    }
    return Error::unsupported;
}

Result<Interrupt> open_interrupt(Env& env, Client<protocol::Device> const& device)
{
    auto port = TRY(env.port().derive(Right::send | Right::derive));
    auto answer = TRY(device.call(protocol::Device::Interrupt { device_bit, std::move(port) }));
    return Interrupt { IrqBroker(std::move(answer.interrupt)), answer.line };
}

// What the machine's command line says of the terminal at the other end: COLUMNS=80, LINES=24.
u16 size_variable(Env const& env, std::string_view name, u16 otherwise)
{
    auto const text = env.variable(name);
    u16 value = 0;
    if (!text
        || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc {}
        || value == 0)
        return otherwise;
    return value;
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const devices = TRY(env.take<protocol::Devices>("devices"));
    auto opened = TRY(devices.call(protocol::Devices::Open { "console", 0 }));
    Client<protocol::Device> const device { std::move(opened.device) };
    auto const size
        = TerminalSize { size_variable(env, "COLUMNS", 80), size_variable(env, "LINES", 24) };
    auto const far_end
        = env.variable("GEMEL_INTERACTIVE") == "0" ? FarEnd::stream : FarEnd::terminal;
    Console console { TRY(open_uart(device, opened.kind)), size, far_end };
    auto const interrupt = TRY(open_interrupt(env, device));

    ObjectServer server { env.port() };
    server.set_root<protocol::Console>(make_ref<ConsoleRoot>(console, server));
    server.on_notification([&](u64 bits) {
        if ((bits & device_bit) == 0)
            return;
        console.device_interrupt();
        if (auto const done = interrupt.broker.acknowledge(interrupt.line); !done)
            env.log().error(
                "the interrupt cannot be acknowledged: " + std::string(name_of(done.error())));
    });
    // What came in before the interrupt was bound.
    if (env.variable("GEMEL_RESTARTS"))
        console.drop_broken_line();
    console.device_interrupt();
    return server.run();
}

} // namespace gemel::console
