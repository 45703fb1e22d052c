#include "servers/devices/manager.hpp"

#include "servers/devices/pci.hpp"
#include "servers/devices/window.hpp"

namespace gemel::devices {

using protocol::Device;
using protocol::Devices;
using protocol::WindowKind;

static_assert(Serves<OpenDevice, Device>);
static_assert(Serves<Manager, Devices>);

Result<Device::Window::Reply> OpenDevice::on(Device::Window const& request)
{
    for (auto const& place : slot_.found.places) {
        if (place.role != request.role)
            continue;
        Device::Window::Reply reply;
        reply.kind = place.kind;
        reply.bytes = place.bytes;
        reply.notify_multiplier = place.notify_multiplier;
        if (place.kind == WindowKind::ports) {
            reply.base = place.base;
            reply.window = TRY(brokers_.pio.narrowed(
                Operation::pio_read, 2, static_cast<u32>(place.base), place.bytes));
        } else {
            reply.base = place.base % page_bytes;
            reply.window = TRY(device_region(brokers_.phys, place.base, place.bytes));
        }
        return reply;
    }
    return Error::not_found;
}

// A message-signalled interrupt where the device has them, otherwise its line.
Result<u32> OpenDevice::bind_line(Device::Interrupt const& request, u16& vector)
{
    if (slot_.found.msix) {
        auto const msi = brokers_.irq.msi_allocate(0, request.port, request.bits);
        if (msi) {
            TRY(msix_enable(brokers_.pio, brokers_.phys, slot_.found, msi->address, msi->data));
            vector = 0;
            return msi->line;
        }
    }
    if (slot_.found.line == 0)
        return Error::unavailable;
    TRY(brokers_.irq.bind(slot_.found.line, request.port, request.bits));
    return slot_.found.line;
}

Result<Device::Interrupt::Reply> OpenDevice::on(Device::Interrupt const& request)
{
    if (slot_.found.pci)
        enable_function(brokers_.pio, *slot_.found.pci);
    u16 vector = 0xFFFF;
    auto const line = TRY(bind_line(request, vector));
    auto interrupt = TRY(brokers_.irq.narrowed(Operation::irq_acknowledge, 1, line, 1));
    return Device::Interrupt::Reply { line, vector, std::move(interrupt) };
}

Result<Device::Memory::Reply> OpenDevice::on(Device::Memory const&)
{
    return Device::Memory::Reply { TRY(brokers_.phys.narrowed(Operation::region_address, 1)) };
}

Manager::Manager(Brokers const& brokers, ObjectServer& server, std::vector<Found> found)
    : brokers_(brokers)
    , server_(server)
{
    slots_.reserve(found.size());
    for (auto& device : found)
        slots_.push_back({ std::move(device), false });
}

Result<Devices::Open::Reply> Manager::on(Devices::Open const& request)
{
    u32 index = 0;
    for (auto& slot : slots_) {
        if (slot.found.device_class != request.device_class.view() || index++ != request.index)
            continue;
        if (slot.taken)
            return Error::exists;
        auto device = make_ref<OpenDevice>(brokers_, slot);
        return Devices::Open::Reply { slot.found.kind,
            TRY(server_.publish<Device>(std::move(device))) };
    }
    return Error::not_found;
}

Result<Devices::List::Reply> Manager::on(Devices::List const& request)
{
    if (request.index >= slots_.size())
        return Error::not_found;
    auto const& found = slots_[request.index].found;
    return Devices::List::Reply { std::string_view(found.device_class), found.kind, found.line,
        found.places.empty() ? 0 : found.places.front().base };
}

} // namespace gemel::devices
