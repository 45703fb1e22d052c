// How a virtio device is reached, whatever it does: Virtio 1.2, 4.1 (PCI) and 4.2 (MMIO).
#pragma once

#include "servers/block/register_window.hpp"

namespace gemel::block {

// Device status bits (2.1).
enum class DeviceStatus : u8 {
    acknowledge = 1,
    driver = 2,
    driver_ok = 4,
    features_ok = 8,
    needs_reset = 64,
    failed = 128,
};

constexpr u64 feature_version_1 = u64 { 1 } << 32; // 6

// Machine-physical addresses of the three areas of a queue.
struct QueueAreas {
    u16 entries = 0;
    u64 descriptors = 0;
    u64 available = 0;
    u64 used = 0;
};

class Transport {
public:
    virtual ~Transport() = default;
    virtual u8 status() = 0;
    virtual void set_status(u8 status) = 0; // 0 resets
    virtual u64 device_features() = 0;
    virtual void set_driver_features(u64 features) = 0;
    // How many entries queue 0 may have; 0: there is none.
    virtual u16 queue_entries_max() = 0;
    // Queue 0, with its interrupt on `vector` (PCI; 0xFFFF: none). False: the device refuses.
    virtual bool set_queue(QueueAreas const& areas, u16 vector) = 0;
    virtual void notify_queue() = 0;
    // Takes the interrupt's cause away.
    virtual void acknowledge_interrupt() = 0;
    // The device's own configuration space; `bytes` 1, 2 or 4.
    virtual u32 configuration(u32 offset, u32 bytes) = 0;
};

Result<Own<Transport>> open_mmio_transport(Client<protocol::Device> const& device);
Result<Own<Transport>> open_pci_transport(Client<protocol::Device> const& device);

} // namespace gemel::block
