#include "servers/block/transport.hpp"

namespace gemel::block {
namespace {

// The common configuration structure (Virtio 1.2, 4.1.4.3).
enum Register : u32 {
    device_feature_select = 0x00,
    device_feature = 0x04,
    driver_feature_select = 0x08,
    driver_feature = 0x0C,
    device_status = 0x14,
    queue_select = 0x16,
    queue_size = 0x18,
    queue_msix_vector = 0x1A,
    queue_enable = 0x1C,
    queue_notify_off = 0x1E,
    queue_desc = 0x20,
    queue_driver = 0x28,
    queue_device = 0x30,
    common_bytes = 0x38,
};

constexpr u16 no_vector = 0xFFFF;

class PciTransport final : public Transport {
public:
    PciTransport(Own<RegisterWindow> common, Own<RegisterWindow> notify,
        Own<RegisterWindow> configuration, u32 notify_multiplier)
        : common_(std::move(common))
        , notify_(std::move(notify))
        , configuration_(std::move(configuration))
        , notify_multiplier_(notify_multiplier)
    {
    }

    u8 status() override { return static_cast<u8>(common_->read(device_status, 1)); }
    void set_status(u8 status) override
    {
        common_->write(device_status, 1, status);
        if (status != 0)
            return;
        // The reset is done when it reads back as 0 (4.1.4.3.2). A device that is gone never does.
        constexpr u32 polls_max = 100'000;
        for (u32 i = 0; i < polls_max && this->status() != 0; ++i) { }
    }
    u64 device_features() override
    {
        common_->write(device_feature_select, 4, 1);
        auto const high = common_->read(device_feature, 4);
        common_->write(device_feature_select, 4, 0);
        return u64 { high } << 32 | common_->read(device_feature, 4);
    }
    void set_driver_features(u64 features) override
    {
        common_->write(driver_feature_select, 4, 1);
        common_->write(driver_feature, 4, static_cast<u32>(features >> 32));
        common_->write(driver_feature_select, 4, 0);
        common_->write(driver_feature, 4, static_cast<u32>(features));
    }
    u16 queue_entries_max() override
    {
        common_->write(queue_select, 2, 0);
        return static_cast<u16>(common_->read(queue_size, 2));
    }
    bool set_queue(QueueAreas const& areas, u16 vector) override
    {
        common_->write(queue_select, 2, 0);
        common_->write(queue_size, 2, areas.entries);
        common_->write(queue_msix_vector, 2, vector);
        if (vector != no_vector && common_->read(queue_msix_vector, 2) != vector)
            return false;
        put_address(queue_desc, areas.descriptors);
        put_address(queue_driver, areas.available);
        put_address(queue_device, areas.used);
        auto const place = u64 { common_->read(queue_notify_off, 2) } * notify_multiplier_;
        if (place + 2 > notify_->bytes())
            return false;
        notify_offset_ = static_cast<u32>(place);
        common_->write(queue_enable, 2, 1);
        return true;
    }
    void notify_queue() override { notify_->write(notify_offset_, 2, 0); }
    // A message has no cause to take away.
    void acknowledge_interrupt() override { }
    u32 configuration(u32 offset, u32 bytes) override
    {
        return configuration_->read(offset, bytes);
    }

private:
    void put_address(u32 offset, u64 address)
    {
        common_->write(offset, 4, static_cast<u32>(address));
        common_->write(offset + 4, 4, static_cast<u32>(address >> 32));
    }
    Own<RegisterWindow> common_;
    Own<RegisterWindow> notify_;
    Own<RegisterWindow> configuration_;
    u32 notify_multiplier_;
    u32 notify_offset_ = 0;
};

} // namespace

Result<Own<Transport>> open_pci_transport(Client<protocol::Device> const& device)
{
    using protocol::WindowRole;
    auto common = TRY(RegisterWindow::open(device, WindowRole::virtio_common));
    auto notify = TRY(RegisterWindow::open(device, WindowRole::virtio_notify));
    auto configuration = TRY(RegisterWindow::open(device, WindowRole::virtio_device));
    if (common->bytes() < common_bytes)
        return Error::unsupported;
    auto const told = TRY(device.call(protocol::Device::Window { WindowRole::virtio_notify }));
    return Own<Transport>(std::make_unique<PciTransport>(
        std::move(common), std::move(notify), std::move(configuration), told.notify_multiplier));
}

} // namespace gemel::block
