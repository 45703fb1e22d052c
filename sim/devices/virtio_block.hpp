// A virtio block device on the MMIO transport (Virtio 1.2, 4.2 and 5.2), over an image file of the
// host.
#pragma once

#include "sim/devices/medium.hpp"

#include <gemel/arch/machine.hpp>

#include <memory>

namespace gemel::sim {

enum class ImageAccess : u8 { read_only, read_write };

class VirtioBlock final : public hosted::Device {
public:
    // `image` is an open descriptor, borrowed, of `image_bytes` bytes; it and the machine outlive
    // the device.
    VirtioBlock(arch::Machine& machine, u32 line, int image, u64 image_bytes, ImageAccess access);
    // `medium` outlives the device as well.
    VirtioBlock(
        arch::Machine& machine, u32 line, Medium& medium, u64 medium_bytes, ImageAccess access);

    u32 read(u32 offset, u32 bytes) override;
    void write(u32 offset, u32 bytes, u32 value) override;

    // For a restart point, while no request is under way. False: cut off, or no such device.
    void save(hosted::StateWriter& to);
    bool load(hosted::StateReader& from);

private:
    static constexpr u32 queue_entries_max = 128;

    struct Queue {
        u32 entries = 0;
        u8 ready = 0; // or 1; a byte, since it may come from outside
        u64 descriptors = 0; // machine-physical addresses of the three areas
        u64 available = 0;
        u64 used = 0;
        u16 next = 0; // of the available ring
    };
    struct Segment {
        u8* bytes;
        u32 count;
        bool device_writes;
    };
    static constexpr u32 segments_max = queue_entries_max;
    struct Chain {
        Segment at[segments_max];
        u32 count = 0;
    };

    template <typename Visitor>
    void visit_words(Visitor& visit);
    bool queue_works() const;
    u32 features(u32 word) const;
    u32 configuration(u32 offset, u32 bytes) const;
    void reset();
    void write_queue_register(u32 offset, u32 value);
    void serve_queue();
    void interrupt_if_wanted();
    void complete_later(u16 head, u64 delay_ns);
    bool gather(u16 head, Chain& chain);
    u32 serve(Chain const& chain);
    u8 transfer(u32 type, u64 sector, Chain const& chain, u32& written);
    u8 discard(Chain const& chain);
    u8* memory(u64 physical, u64 bytes); // null: not the machine's
    void give_back(u16 head, u32 written);

    arch::Machine& machine_;
    u32 line_;
    std::unique_ptr<Medium> owned_; // where an image was given
    Medium& medium_;
    u64 sectors_;
    ImageAccess access_;
    Queue queue_;
    u32 status_ = 0;
    u32 resets_ = 0; // what was under way before a reset never completes
    u32 interrupt_status_ = 0;
    u32 feature_word_ = 0;
    u32 driver_feature_word_ = 0;
    u64 driver_features_ = 0;
};

} // namespace gemel::sim
