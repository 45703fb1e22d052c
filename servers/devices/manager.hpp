// What is in the machine, and who has it.
#pragma once

#include "servers/devices/found.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::devices {

struct Brokers {
    PhysBroker phys;
    IrqBroker irq;
    PioBroker pio;
};

// A device and whether a driver has it.
struct Slot {
    Found found;
    bool taken = false;
};

// One device in the hands of one driver: given back when the driver's capability is gone.
class OpenDevice {
public:
    OpenDevice(Brokers const& brokers, Slot& slot)
        : brokers_(brokers)
        , slot_(slot)
    {
        slot_.taken = true;
    }
    OpenDevice(OpenDevice const&) = delete;
    ~OpenDevice() { slot_.taken = false; }

    Result<protocol::Device::Window::Reply> on(protocol::Device::Window const& request);
    Result<protocol::Device::Interrupt::Reply> on(protocol::Device::Interrupt const& request);
    Result<protocol::Device::Memory::Reply> on(protocol::Device::Memory const& request);

private:
    Result<u32> bind_line(protocol::Device::Interrupt const& request, u16& vector);

    Brokers const& brokers_;
    Slot& slot_;
};

class Manager {
public:
    Manager(Brokers const& brokers, ObjectServer& server, std::vector<Found> found);
    Result<protocol::Devices::Open::Reply> on(protocol::Devices::Open const& request);
    Result<protocol::Devices::List::Reply> on(protocol::Devices::List const& request);

private:
    Brokers const& brokers_;
    ObjectServer& server_;
    std::vector<Slot> slots_; // never grows: open devices refer to them
};

} // namespace gemel::devices
