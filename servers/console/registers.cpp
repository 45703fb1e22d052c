#include "servers/console/registers.hpp"

namespace gemel::console {
namespace {

class PortRegisters final : public Registers {
public:
    PortRegisters(Handle broker, u32 base)
        : broker_(std::move(broker))
        , base_(base)
    {
    }
    u32 read(u32 offset) override { return broker_.read(base_ + offset, 1).value_or(0xFF); }
    // There is nobody to tell: the capability is the driver's own, and was checked when it was
    // opened.
    void write(u32 offset, u32 value) override
    {
        static_cast<void>(broker_.write(base_ + offset, 1, value));
    }

private:
    PioBroker broker_;
    u32 base_;
};

template <typename Width>
class MemoryRegisters final : public Registers {
public:
    MemoryRegisters(SharedRegion region, u64 base)
        : region_(std::move(region))
        , base_(base)
    {
    }
    u32 read(u32 offset) override { return *at(offset); }
    void write(u32 offset, u32 value) override { *at(offset) = static_cast<Width>(value); }

private:
    Width volatile* at(u32 offset)
    {
        ASSERT(base_ + offset + sizeof(Width) <= region_.bytes());
        return reinterpret_cast<Width volatile*>(region_.span().data() + base_ + offset);
    }
    SharedRegion region_;
    u64 base_;
};

} // namespace

Result<Own<Registers>> Registers::open(
    protocol::Device::Window::Reply window, protocol::DeviceKind device)
{
    if (window.kind == protocol::WindowKind::ports)
        return Own<Registers>(std::make_unique<PortRegisters>(
            std::move(window.window), static_cast<u32>(window.base)));
    auto region = TRY(SharedRegion::map(std::move(window.window)));
    if (window.base + window.bytes > region.bytes())
        return Error::invalid;
    if (device == protocol::DeviceKind::pl011)
        return Own<Registers>(
            std::make_unique<MemoryRegisters<u32>>(std::move(region), window.base));
    return Own<Registers>(std::make_unique<MemoryRegisters<u8>>(std::move(region), window.base));
}

} // namespace gemel::console
