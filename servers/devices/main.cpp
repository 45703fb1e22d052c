// The device manager: looks once, at its start, then answers.
#include "servers/devices/manager.hpp"
#include "servers/devices/probe.hpp"

namespace gemel::devices {

Result<void> server_main(Env& env)
{
    Brokers const brokers {
        PhysBroker(TRY(env.take_handle("broker-phys"))),
        IrqBroker(TRY(env.take_handle("broker-irq"))),
        PioBroker(TRY(env.take_handle("broker-pio"))),
    };
    std::vector<Found> found;
    find_ports(brokers.pio, found);
    find_pci(brokers.pio, found);
    auto const& startup = env.startup();
    find_tree(brokers.phys, startup.device_tree, startup.device_tree_bytes, found, env.log());
    for (auto const& device : found)
        env.log().info("found ", device.device_class, ", interrupt line ", device.line);
    ObjectServer server { env.port() };
    server.set_root<protocol::Devices>(make_ref<Manager>(brokers, server, std::move(found)));
    return server.run();
}

} // namespace gemel::devices
