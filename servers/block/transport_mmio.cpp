#include "servers/block/transport.hpp"

namespace gemel::block {
namespace {

// Virtio 1.2, 4.2.2.
enum Register : u32 {
    magic = 0x000,
    version = 0x004,
    device_features_word = 0x010,
    device_features_select = 0x014,
    driver_features_word = 0x020,
    driver_features_select = 0x024,
    queue_select = 0x030,
    queue_size_max = 0x034,
    queue_size = 0x038,
    queue_ready = 0x044,
    queue_notify = 0x050,
    interrupt_status = 0x060,
    interrupt_acknowledge = 0x064,
    device_status = 0x070,
    queue_descriptors = 0x080,
    queue_available = 0x090,
    queue_used = 0x0A0,
    configuration_begin = 0x100,
};

constexpr u32 magic_value = 0x7472'6976;
constexpr u32 version_value = 2;

class MmioTransport final : public Transport {
public:
    explicit MmioTransport(Own<RegisterWindow> window)
        : window_(std::move(window))
    {
    }
    bool is_virtio() { return get(magic) == magic_value && get(version) == version_value; }

    u8 status() override { return static_cast<u8>(get(device_status)); }
    void set_status(u8 status) override { put(device_status, status); }
    u64 device_features() override
    {
        put(device_features_select, 1);
        auto const high = get(device_features_word);
        put(device_features_select, 0);
        return u64 { high } << 32 | get(device_features_word);
    }
    void set_driver_features(u64 features) override
    {
        put(driver_features_select, 1);
        put(driver_features_word, static_cast<u32>(features >> 32));
        put(driver_features_select, 0);
        put(driver_features_word, static_cast<u32>(features));
    }
    u16 queue_entries_max() override
    {
        put(queue_select, 0);
        return static_cast<u16>(std::min(get(queue_size_max), 0x8000u));
    }
    bool set_queue(QueueAreas const& areas, u16) override
    {
        put(queue_select, 0);
        put(queue_size, areas.entries);
        put_address(queue_descriptors, areas.descriptors);
        put_address(queue_available, areas.available);
        put_address(queue_used, areas.used);
        put(queue_ready, 1);
        return get(queue_ready) == 1;
    }
    void notify_queue() override { put(queue_notify, 0); }
    void acknowledge_interrupt() override { put(interrupt_acknowledge, get(interrupt_status)); }
    u32 configuration(u32 offset, u32 bytes) override
    {
        return window_->read(configuration_begin + offset, bytes);
    }

private:
    u32 get(u32 offset) { return window_->read(offset, 4); }
    void put(u32 offset, u32 value) { window_->write(offset, 4, value); }
    void put_address(u32 offset, u64 address)
    {
        put(offset, static_cast<u32>(address));
        put(offset + 4, static_cast<u32>(address >> 32));
    }
    Own<RegisterWindow> window_;
};

} // namespace

Result<Own<Transport>> open_mmio_transport(Client<protocol::Device> const& device)
{
    auto window = TRY(RegisterWindow::open(device, protocol::WindowRole::registers));
    auto transport = std::make_unique<MmioTransport>(std::move(window));
    if (!transport->is_virtio())
        return Error::unsupported;
    return Own<Transport>(std::move(transport));
}

} // namespace gemel::block
