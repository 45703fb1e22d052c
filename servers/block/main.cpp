// The block driver: one virtio device, one thread. Requests do not hold it: each is answered when
// the device is done.
#include "servers/block/service.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::block {
namespace {

constexpr u64 device_bit = 1;

Result<Own<Transport>> open_transport(
    Client<protocol::Device> const& device, protocol::DeviceKind kind)
{
    switch (kind) {
    case protocol::DeviceKind::virtio_mmio:
        return open_mmio_transport(device);
    case protocol::DeviceKind::virtio_pci:
        return open_pci_transport(device);
    case protocol::DeviceKind::uart_16550:
    case protocol::DeviceKind::pl011:
    case protocol::DeviceKind::host_mount:
    case protocol::DeviceKind::cmos_clock:
    case protocol::DeviceKind::pl031:
        break;
    }
    return Error::unsupported;
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const devices = TRY(env.take<protocol::Devices>("devices"));
    auto found = devices.call(protocol::Devices::Open { "block", 0 });
    if (!found && found.error() == Error::not_found) {
        env.log().info("no disk");
        return {}; // in peace: to be started again would change nothing
    }
    auto opened = TRY(std::move(found));
    Client<protocol::Device> const device { std::move(opened.device) };
    PhysBroker const phys { TRY(device.call(protocol::Device::Memory {})).phys };
    auto transport = TRY(open_transport(device, opened.kind));
    auto signal = TRY(env.port().derive(Right::send | Right::derive));
    auto interrupt
        = TRY(device.call(protocol::Device::Interrupt { device_bit, std::move(signal) }));
    IrqBroker const irq { std::move(interrupt.interrupt) };
    auto const disk = TRY(BlockDevice::open(std::move(transport), phys, interrupt.vector));
    env.log().info(
        "disk of ", disk->sectors() / 2048, " MiB", disk->read_only() ? ", read-only" : "");

    ObjectServer server { env.port() };
    BlockService const service { *disk, phys, server };
    server.set_root<Block>(make_ref<BlockSession>(service, make_ref<RegionPages>()));
    server.on_notification([&](u64) {
        disk->interrupted();
        if (auto const done = irq.acknowledge(interrupt.line); !done)
            env.log().error("the interrupt cannot be acknowledged: ", done.error());
    });
    server.on_deadline([&] { return disk->next_look(); }, [&] { disk->look(); });
    return server.run();
}

} // namespace gemel::block
