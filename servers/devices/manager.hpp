// Serves what was found: Devices to ask for one, Device for a driver's share of it.
#pragma once

#include "servers/devices/found_device.hpp"
#include "servers/rt/object_server.hpp"

namespace gemel::devices {

class Manager {
public:
    // Borrows both.
    Manager(Brokers const& brokers, ObjectServer& server)
        : brokers_(brokers)
        , server_(server)
    {
    }

    void add(std::vector<FoundDevice> found);
    usize count() const { return entries_.size(); }

    Result<protocol::Devices::Open::Reply> on(protocol::Devices::Open const& request);
    Result<protocol::Devices::List::Reply> on(protocol::Devices::List const& request);

private:
    friend class GivenDevice;
    struct Entry {
        FoundDevice device;
        bool given = false;
    };
    Result<IrqBroker::Msi> message_for(Entry& entry, Handle const& port, u64 bits);

    Brokers const& brokers_;
    ObjectServer& server_;
    std::vector<Entry> entries_;
    u32 message_line_next_ = 1; // lines are given by the kernel from here on
};

// One device in one driver's hands.
class GivenDevice {
public:
    GivenDevice(Manager& manager, Manager::Entry& entry);
    GivenDevice(GivenDevice const&) = delete;
    ~GivenDevice();

    Result<protocol::Device::Window::Reply> on(protocol::Device::Window const& request);
    Result<protocol::Device::Interrupt::Reply> on(protocol::Device::Interrupt request);
    Result<protocol::Device::Memory::Reply> on(protocol::Device::Memory const& request);
    Result<protocol::Device::Shared::Reply> on(protocol::Device::Shared const& request);

private:
    Manager& manager_;
    Manager::Entry& entry_;
    Handle port_; // the driver's, that the interrupt signals
};

} // namespace gemel::devices
