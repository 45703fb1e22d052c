#include "servers/hostmount/channel.hpp"

namespace gemel::hostmount {

using protocol::Device;
using protocol::Devices;

Request Slot::request() const
{
    Request request;
    std::memcpy(&request, region_.span().data() + request_offset, sizeof(request));
    return request;
}

bool Slot::interrupted() const
{
    u32 word = 0;
    std::memcpy(&word, region_.span().data() + request_offset + offsetof(Request, interrupted),
        sizeof(word));
    return word != 0;
}

void Slot::put(Reply const& reply) const
{
    std::memcpy(region_.span().data() + reply_offset, &reply, sizeof(reply));
}

Result<std::string> Slot::text(u32 offset, u32 count) const
{
    if (count > name_bytes_max)
        return Error::invalid;
    auto const bytes = this->bytes(offset, count);
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

Result<Channel> Channel::open(Client<Devices> const& devices, Handle const& port, u64 bits)
{
    Channel channel;
    auto opened = TRY(devices.call(Devices::Open { "host-mount", 0 }));
    if (opened.kind != protocol::DeviceKind::host_mount)
        return Error::unsupported;
    channel.device_ = Client<Device>(std::move(opened.device));
    auto window = TRY(channel.device_.call(Device::Window {}));
    channel.ports_ = PioBroker(std::move(window.window));
    channel.first_port_ = static_cast<u32>(window.base);
    if (channel.read(Register::version) != device_version)
        return Error::unsupported;
    auto const count = channel.read(Register::slots);
    if (count == 0 || count > slots_max)
        return Error::unsupported;
    for (u32 index = 0; index < count; ++index) {
        auto piece = TRY(channel.device_.call(Device::Shared { index }));
        auto region = TRY(SharedRegion::map(std::move(piece.region)));
        if (region.bytes() != slot_bytes)
            return Error::unsupported;
        channel.slots_.emplace_back(std::move(region), index * slot_bytes);
    }
    auto signal = TRY(port.derive(Right::send | Right::derive));
    auto interrupt = TRY(channel.device_.call(Device::Interrupt { bits, std::move(signal) }));
    channel.irq_ = IrqBroker(std::move(interrupt.interrupt));
    channel.line_ = interrupt.line;
    return channel;
}

std::optional<Channel::Taken> Channel::take() const
{
    auto const word = read(Register::take);
    auto const slot = word & ~slot_more;
    if (word == slot_none || slot >= slots_.size())
        return std::nullopt;
    return Taken { slot, (word & slot_more) != 0 };
}

void Channel::answer(u32 slot) const
{
    write(Register::answer, slot);
}

void Channel::say(DriverState state) const
{
    write(Register::state, static_cast<u32>(state));
}

void Channel::acknowledge_interrupt() const
{
    (void)irq_.acknowledge(line_);
}

u32 Channel::read(Register at) const
{
    return ports_.read(first_port_ + static_cast<u32>(at), 4).value_or(slot_none);
}

// The capability is the driver's own and was checked when it was opened.
void Channel::write(Register at, u32 value) const
{
    (void)ports_.write(first_port_ + static_cast<u32>(at), 4, value);
}

} // namespace gemel::hostmount
