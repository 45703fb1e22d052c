#include "servers/devices/manager.hpp"

#include "servers/devices/pci.hpp"

namespace gemel::devices {

using protocol::Device;
using protocol::Devices;

static_assert(Serves<Manager, Devices>);
static_assert(Serves<GivenDevice, Device>);

void Manager::add(std::vector<FoundDevice> found)
{
    entries_.reserve(entries_.size() + found.size());
    for (auto const& device : found)
        entries_.push_back({ device });
}

Result<Devices::Open::Reply> Manager::on(Devices::Open const& request)
{
    u32 index = 0;
    for (auto& entry : entries_) {
        if (entry.device.device_class != request.device_class.view() || index++ != request.index)
            continue;
        if (entry.given)
            return Error::exists;
        auto device = TRY(server_.publish<Device>(make_ref<GivenDevice>(*this, entry)));
        return Devices::Open::Reply { entry.device.kind, std::move(device) };
    }
    return Error::not_found;
}

Result<Devices::List::Reply> Manager::on(Devices::List const& request)
{
    if (request.index >= entries_.size())
        return Error::not_found;
    auto const& device = entries_[request.index].device;
    auto const first = device.kind == protocol::DeviceKind::virtio_pci
        ? static_cast<usize>(protocol::WindowRole::virtio_common)
        : 0;
    return Devices::List::Reply { device.device_class, device.kind, device.line,
        device.ranges[first].base };
}

// A message-signalled line is asked for once; a driver that comes later gets the same one.
Result<IrqBroker::Msi> Manager::message_for(Entry& entry, Handle const& port, u64 bits)
{
    auto const message = TRY(brokers_.irq.msi_allocate(
        entry.device.line ? entry.device.line : message_line_next_, port, bits));
    if (entry.device.line == 0)
        message_line_next_ = message.line + 1;
    entry.device.line = message.line;
    return message;
}

GivenDevice::GivenDevice(Manager& manager, Manager::Entry& entry)
    : manager_(manager)
    , entry_(entry)
{
    entry_.given = true;
}

GivenDevice::~GivenDevice()
{
    entry_.given = false;
}

Result<Device::Window::Reply> GivenDevice::on(Device::Window const& request)
{
    auto const role = static_cast<usize>(request.role);
    if (role >= window_roles)
        return Error::invalid;
    auto const& range = entry_.device.ranges[role];
    if (range.bytes == 0)
        return Error::not_found;
    auto const& brokers = manager_.brokers_;
    if (entry_.device.window == protocol::WindowKind::ports) {
        auto window = TRY(brokers.pio.narrowed(
            Operation::pio_read, 2, static_cast<u32>(range.base), range.bytes));
        return Device::Window::Reply { protocol::WindowKind::ports, range.base, range.bytes,
            range.notify_multiplier, std::move(window) };
    }
    auto const first = range.base / page_bytes;
    auto const end = (range.base + range.bytes + page_bytes - 1) / page_bytes;
    auto const pages = static_cast<u32>(std::min<u64>(end - first, region_pages_max));
    auto window = TRY(brokers.phys.region_physical(
        first, pages, static_cast<u16>(PhysFlag::write) | static_cast<u16>(PhysFlag::uncached)));
    auto const offset = range.base % page_bytes;
    auto const bytes = std::min<u64>(range.bytes, pages * page_bytes - offset);
    return Device::Window::Reply { protocol::WindowKind::memory, offset, static_cast<u32>(bytes),
        range.notify_multiplier, std::move(window) };
}

Result<Device::Interrupt::Reply> GivenDevice::on(Device::Interrupt request)
{
    auto const& brokers = manager_.brokers_;
    auto& device = entry_.device;
    u16 vector = 0xFFFF;
    if (device.pci) {
        auto const message = TRY(manager_.message_for(entry_, request.port, request.bits));
        TRY(set_message(brokers.pio, brokers.phys, *device.pci, message));
        vector = 0;
    } else {
        TRY(brokers.irq.bind(device.line, request.port, request.bits));
    }
    port_ = std::move(request.port);
    auto interrupt = TRY(brokers.irq.narrowed(Operation::irq_acknowledge, 1, device.line, 1));
    return Device::Interrupt::Reply { device.line, vector, std::move(interrupt) };
}

Result<Device::Memory::Reply> GivenDevice::on(Device::Memory const&)
{
    return Device::Memory::Reply { TRY(
        manager_.brokers_.phys.narrowed(Operation::region_address, 1)) };
}

Result<Device::Shared::Reply> GivenDevice::on(Device::Shared const& request)
{
    auto const& shared = entry_.device.shared;
    auto const offset = request.index * u64 { region_bytes_max };
    if (offset >= shared.bytes)
        return Error::not_found;
    auto const bytes = std::min<u64>(shared.bytes - offset, region_bytes_max);
    return Device::Shared::Reply { TRY(
        manager_.brokers_.phys.region_physical((shared.base + offset) / page_bytes,
            static_cast<u32>(bytes / page_bytes), static_cast<u16>(PhysFlag::write))) };
}

} // namespace gemel::devices
