// The device manager: looks once, then serves drivers.
#include "servers/devices/device_tree.hpp"
#include "servers/devices/manager.hpp"
#include "servers/devices/pci.hpp"
#include "servers/devices/ports.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::devices {
namespace {

template <typename Broker>
Broker broker_named(Env& env, std::string_view name)
{
    auto handle = env.take_handle(name);
    return handle ? Broker(std::move(*handle)) : Broker();
}

std::vector<FoundDevice> find_all(Env& env, Brokers const& brokers)
{
    std::vector<FoundDevice> found;
    find_serial_port(brokers.pio, found);
    find_clock(brokers.pio, found);
    find_pci(brokers.pio, found);
    auto const& startup = env.startup();
    auto const tree
        = find_in_device_tree(brokers.phys, startup.device_tree, startup.device_tree_bytes, found);
    if (!tree)
        env.log().warn("the device tree cannot be used: ", tree.error());
    if (!PciConfiguration(brokers.pio).present() && startup.device_tree == 0) {
        find_virtio_ports(brokers.pio, found);
        find_host_mount(brokers.pio, found);
    }
    return found;
}

} // namespace

Result<void> server_main(Env& env)
{
    Brokers const brokers { broker_named<PhysBroker>(env, "broker-phys"),
        broker_named<IrqBroker>(env, "broker-irq"), broker_named<PioBroker>(env, "broker-pio") };
    ObjectServer server { env.port() };
    auto manager = make_ref<Manager>(brokers, server);
    manager->add(find_all(env, brokers));
    env.log().info(manager->count(), " devices found");
    server.set_root<protocol::Devices>(manager);
    return server.run();
}

} // namespace gemel::devices
