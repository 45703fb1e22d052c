#include "servers/block/register_window.hpp"

namespace gemel::block {
namespace {

class PortWindow final : public RegisterWindow {
public:
    PortWindow(Handle broker, u32 first, u32 bytes)
        : RegisterWindow(bytes)
        , broker_(std::move(broker))
        , first_(first)
    {
    }
    u32 read(u32 offset, u32 bytes) override
    {
        ASSERT(offset + bytes <= this->bytes());
        return broker_.read(first_ + offset, bytes).value_or(~0u);
    }
    void write(u32 offset, u32 bytes, u32 value) override
    {
        ASSERT(offset + bytes <= this->bytes());
        // Refused only when the capability is gone: then nothing answers either.
        (void)broker_.write(first_ + offset, bytes, value);
    }

private:
    PioBroker broker_;
    u32 first_;
};

class MemoryWindow final : public RegisterWindow {
public:
    MemoryWindow(SharedRegion region, u64 base, u32 bytes)
        : RegisterWindow(bytes)
        , region_(std::move(region))
        , base_(base)
    {
    }
    u32 read(u32 offset, u32 bytes) override
    {
        switch (bytes) {
        case 1:
            return *at<u8>(offset);
        case 2:
            return *at<u16>(offset);
        }
        return *at<u32>(offset);
    }
    void write(u32 offset, u32 bytes, u32 value) override
    {
        switch (bytes) {
        case 1:
            *at<u8>(offset) = static_cast<u8>(value);
            return;
        case 2:
            *at<u16>(offset) = static_cast<u16>(value);
            return;
        }
        *at<u32>(offset) = value;
    }

private:
    template <typename Width>
    Width volatile* at(u32 offset) const
    {
        ASSERT(offset + sizeof(Width) <= bytes());
        return reinterpret_cast<Width volatile*>(region_.span().data() + base_ + offset);
    }
    SharedRegion region_;
    u64 base_;
};

} // namespace

Result<Own<RegisterWindow>> RegisterWindow::open(
    Client<protocol::Device> const& device, protocol::WindowRole role)
{
    auto window = TRY(device.call(protocol::Device::Window { role }));
    if (window.kind == protocol::WindowKind::ports)
        return Own<RegisterWindow>(std::make_unique<PortWindow>(
            std::move(window.window), static_cast<u32>(window.base), window.bytes));
    auto region = TRY(SharedRegion::map(std::move(window.window)));
    if (window.base > region.bytes() || window.bytes > region.bytes() - window.base)
        return Error::invalid;
    return Own<RegisterWindow>(
        std::make_unique<MemoryWindow>(std::move(region), window.base, window.bytes));
}

} // namespace gemel::block
