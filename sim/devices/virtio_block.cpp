// A request is done when it is notified: the image is read or written on the spot, the used ring
// filled, the line raised. What the driver gets wrong ends in DEVICE_NEEDS_RESET, never in a host
// error.
#include "sim/devices/virtio_block.hpp"

#include <atomic>
#include <cstring>

namespace gemel::sim {

using hosted::FileOutcome;

namespace {

// Virtio 1.2, 4.2.2.
enum Register : u32 {
    magic = 0x000,
    version = 0x004,
    device_id = 0x008,
    vendor_id = 0x00C,
    device_features = 0x010,
    device_features_select = 0x014,
    driver_features = 0x020,
    driver_features_select = 0x024,
    queue_select = 0x030,
    queue_size_max = 0x034,
    queue_size = 0x038,
    queue_ready = 0x044,
    queue_notify = 0x050,
    interrupt_status = 0x060,
    interrupt_acknowledge = 0x064,
    status = 0x070,
    queue_descriptors_low = 0x080,
    queue_descriptors_high = 0x084,
    queue_available_low = 0x090,
    queue_available_high = 0x094,
    queue_used_low = 0x0A0,
    queue_used_high = 0x0A4,
    configuration_generation = 0x0FC,
    configuration_begin = 0x100,
};

constexpr u32 magic_value = 0x74726976;
constexpr u32 vendor_value = 0x4C4D4547; // "GEML"
constexpr u32 block_device = 2;
constexpr u32 status_driver_ok = 4;
constexpr u32 status_needs_reset = 64;
constexpr u32 used_buffer_notification = 1;

// Feature bits (5.2.3 and 6).
constexpr u32 feature_segments_max = 1 << 2;
constexpr u32 feature_read_only = 1 << 5;
constexpr u32 feature_block_bytes = 1 << 6;
constexpr u32 feature_flush = 1 << 9;
constexpr u32 feature_discard = 1 << 13;
constexpr u32 feature_version_1 = 1 << 0; // of the second word

constexpr u32 sector_bytes = 512;
constexpr u32 discard_sectors_max = 1 << 21; // 1 GiB
constexpr u32 discard_segments_max = 1;
constexpr u32 transfer_segments_max = 126; // the queue's entries without header and status

enum Request : u32 { request_in = 0, request_out = 1, request_flush = 4, request_discard = 11 };
enum Outcome : u8 { outcome_ok = 0, outcome_error = 1, outcome_unsupported = 2 };

constexpr u16 descriptor_next = 1;
constexpr u16 descriptor_device_writes = 2;
constexpr u16 available_no_interrupt = 1;

struct Descriptor {
    u64 address;
    u32 bytes;
    u16 flags;
    u16 next;
};

struct RequestHeader {
    u32 type;
    u32 reserved;
    u64 sector;
};

struct DiscardSegment {
    u64 sector;
    u32 sectors;
    u32 flags;
};

void set_low(u64& word, u32 value)
{
    word = (word & ~0xFFFF'FFFFull) | value;
}

void set_high(u64& word, u32 value)
{
    word = (word & 0xFFFF'FFFFull) | u64 { value } << 32;
}

} // namespace

VirtioBlock::VirtioBlock(
    arch::Machine& machine, u32 line, int image, u64 image_bytes, ImageAccess access)
    : machine_(machine)
    , line_(line)
    , owned_(std::make_unique<ImageMedium>(image))
    , medium_(*owned_)
    , sectors_(image_bytes / sector_bytes)
    , access_(access)
{
}

VirtioBlock::VirtioBlock(
    arch::Machine& machine, u32 line, Medium& medium, u64 medium_bytes, ImageAccess access)
    : machine_(machine)
    , line_(line)
    , medium_(medium)
    , sectors_(medium_bytes / sector_bytes)
    , access_(access)
{
}

u32 VirtioBlock::features(u32 word) const
{
    if (word == 1)
        return feature_version_1;
    if (word != 0)
        return 0;
    return feature_segments_max | feature_block_bytes | feature_flush
        | (access_ == ImageAccess::read_only ? feature_read_only : feature_discard);
}

u32 VirtioBlock::configuration(u32 offset, u32 bytes) const
{
    u8 space[64] = {};
    u32 const segments = transfer_segments_max;
    u32 const block_bytes = sector_bytes;
    std::memcpy(space, &sectors_, sizeof sectors_);
    std::memcpy(space + 12, &segments, sizeof segments);
    std::memcpy(space + 20, &block_bytes, sizeof block_bytes);
    if (access_ != ImageAccess::read_only) {
        u32 const alignment = 1;
        std::memcpy(space + 36, &discard_sectors_max, sizeof discard_sectors_max);
        std::memcpy(space + 40, &discard_segments_max, sizeof discard_segments_max);
        std::memcpy(space + 44, &alignment, sizeof alignment);
    }
    u32 value = 0;
    if (offset <= sizeof space - bytes)
        std::memcpy(&value, space + offset, bytes);
    return value;
}

u32 VirtioBlock::read(u32 offset, u32 bytes)
{
    if (offset >= configuration_begin)
        return configuration(offset - configuration_begin, bytes);
    switch (offset) {
    case magic:
        return magic_value;
    case version:
        return 2;
    case device_id:
        return block_device;
    case vendor_id:
        return vendor_value;
    case device_features:
        return features(feature_word_);
    case queue_size_max:
        return queue_entries_max;
    case queue_ready:
        return queue_.ready ? 1 : 0;
    case interrupt_status:
        return interrupt_status_;
    case status:
        return status_;
    }
    return 0;
}

void VirtioBlock::write(u32 offset, u32, u32 value)
{
    switch (offset) {
    case device_features_select:
        feature_word_ = value;
        return;
    case driver_features_select:
        driver_feature_word_ = value;
        return;
    case driver_features:
        (driver_feature_word_ == 0 ? set_low : set_high)(driver_features_, value);
        return;
    case interrupt_acknowledge:
        interrupt_status_ &= ~value;
        return;
    case status:
        if (value == 0)
            reset();
        else
            status_ = value | (status_ & status_needs_reset);
        return;
    case queue_notify:
        if ((status_ & status_driver_ok) != 0 && (status_ & status_needs_reset) == 0
            && queue_.ready)
            serve_queue();
        return;
    default:
        write_queue_register(offset, value);
    }
}

void VirtioBlock::write_queue_register(u32 offset, u32 value)
{
    switch (offset) {
    case queue_size:
        queue_.entries = value;
        return;
    case queue_ready:
        queue_.ready = value == 1 && queue_works() ? 1 : 0;
        return;
    case queue_descriptors_low:
        return set_low(queue_.descriptors, value);
    case queue_descriptors_high:
        return set_high(queue_.descriptors, value);
    case queue_available_low:
        return set_low(queue_.available, value);
    case queue_available_high:
        return set_high(queue_.available, value);
    case queue_used_low:
        return set_low(queue_.used, value);
    case queue_used_high:
        return set_high(queue_.used, value);
    }
}

// A power of two, or nothing works.
bool VirtioBlock::queue_works() const
{
    return queue_.entries != 0 && queue_.entries <= queue_entries_max
        && (queue_.entries & (queue_.entries - 1)) == 0;
}

template <typename Visitor>
void VirtioBlock::visit_words(Visitor& visit)
{
    visit(queue_);
    visit(status_);
    visit(resets_);
    visit(interrupt_status_);
    visit(feature_word_);
    visit(driver_feature_word_);
    visit(driver_features_);
}

void VirtioBlock::save(hosted::StateWriter& to)
{
    visit_words(to);
}

bool VirtioBlock::load(hosted::StateReader& from)
{
    visit_words(from);
    return from.ok() && (!queue_.ready || queue_works());
}

void VirtioBlock::reset()
{
    queue_ = {};
    ++resets_;
    status_ = 0;
    interrupt_status_ = 0;
    driver_features_ = 0;
}

u8* VirtioBlock::memory(u64 physical, u64 bytes)
{
    auto const all = machine_.memory_bytes();
    if (physical > all || bytes > all - physical)
        return nullptr;
    return static_cast<u8*>(machine_.at_physical(physical));
}

// Takes every chain that the driver made available (2.7.13).
void VirtioBlock::serve_queue()
{
    auto const* available = memory(queue_.available, 6 + 2 * queue_.entries);
    if (!available || !memory(queue_.used, 6 + 8 * queue_.entries)) {
        status_ |= status_needs_reset;
        return;
    }
    u16 end = 0;
    std::memcpy(&end, available + 2, sizeof end);
    std::atomic_thread_fence(std::memory_order_acquire);
    for (u32 served = 0; queue_.next != end && served < queue_.entries; ++served, ++queue_.next) {
        u16 head = 0;
        std::memcpy(&head, available + 4 + 2 * (queue_.next % queue_.entries), sizeof head);
        Chain chain;
        if (!gather(head, chain)) {
            status_ |= status_needs_reset;
            return;
        }
        if (auto const delay_ns = medium_.delay_ns(); delay_ns != 0)
            complete_later(head, delay_ns);
        else
            give_back(head, serve(chain));
    }
    interrupt_if_wanted();
}

void VirtioBlock::interrupt_if_wanted()
{
    auto const* available = memory(queue_.available, 6 + 2 * queue_.entries);
    u16 flags = 0;
    std::memcpy(&flags, available, sizeof flags);
    if ((flags & available_no_interrupt) == 0) {
        interrupt_status_ |= used_buffer_notification;
        machine_.raise(line_);
    }
}

// The request happens when it completes, not before: until then it is the driver's to wait for.
void VirtioBlock::complete_later(u16 head, u64 delay_ns)
{
    medium_.later(delay_ns, [this, head, resets = resets_] {
        Chain chain;
        if (resets != resets_ || (status_ & status_needs_reset) != 0)
            return;
        if (!gather(head, chain)) {
            status_ |= status_needs_reset;
            return;
        }
        give_back(head, serve(chain));
        interrupt_if_wanted();
    });
}

// The chain's segments in order. False: a loop, or memory that is not there.
bool VirtioBlock::gather(u16 head, Chain& chain)
{
    auto const* table = memory(queue_.descriptors, sizeof(Descriptor) * queue_.entries);
    if (!table)
        return false;
    for (u32 index = head;;) {
        if (index >= queue_.entries || chain.count == queue_.entries)
            return false;
        Descriptor descriptor;
        std::memcpy(&descriptor, table + index * sizeof descriptor, sizeof descriptor);
        auto* bytes = memory(descriptor.address, descriptor.bytes);
        if (!bytes)
            return false;
        chain.at[chain.count++]
            = { bytes, descriptor.bytes, (descriptor.flags & descriptor_device_writes) != 0 };
        if ((descriptor.flags & descriptor_next) == 0)
            return true;
        index = descriptor.next;
    }
}

// Header first, status byte last, the data between (5.2.6). Answers the bytes that were written.
u32 VirtioBlock::serve(Chain const& chain)
{
    RequestHeader header;
    auto const& first = chain.at[0];
    auto const& last = chain.at[chain.count - 1];
    if (chain.count < 2 || first.count != sizeof header || first.device_writes || last.count != 1
        || !last.device_writes) {
        status_ |= status_needs_reset;
        return 0;
    }
    std::memcpy(&header, first.bytes, sizeof header);
    u32 written = 0;
    *last.bytes = transfer(header.type, header.sector, chain, written);
    return written + 1;
}

u8 VirtioBlock::transfer(u32 type, u64 sector, Chain const& chain, u32& written)
{
    if (type == request_flush)
        return medium_.flush() == FileOutcome::done ? outcome_ok : outcome_error;
    if (type == request_discard)
        return discard(chain);
    if (type != request_in && type != request_out)
        return outcome_unsupported;
    if (type == request_out && access_ == ImageAccess::read_only)
        return outcome_error;
    for (u32 i = 1; i + 1 < chain.count; ++i) {
        auto const& segment = chain.at[i];
        auto const sectors = segment.count / sector_bytes;
        if (segment.count % sector_bytes != 0 || segment.device_writes != (type == request_in)
            || sector > sectors_ || sectors > sectors_ - sector)
            return outcome_error;
        auto const offset = sector * sector_bytes;
        auto const moved = type == request_in ? medium_.read(offset, segment.bytes, segment.count)
                                              : medium_.write(offset, segment.bytes, segment.count);
        if (moved == FileOutcome::failed)
            return outcome_error;
        written += type == request_in ? segment.count : 0;
        sector += sectors;
    }
    return outcome_ok;
}

// One segment of 16 bytes; a flag is for another request (5.2.6.2).
u8 VirtioBlock::discard(Chain const& chain)
{
    DiscardSegment segment;
    if (access_ == ImageAccess::read_only)
        return outcome_error;
    if (chain.count != 3 || chain.at[1].device_writes || chain.at[1].count != sizeof segment)
        return outcome_error;
    std::memcpy(&segment, chain.at[1].bytes, sizeof segment);
    if (segment.flags != 0)
        return outcome_unsupported;
    if (segment.sectors == 0 || segment.sectors > discard_sectors_max || segment.sector > sectors_
        || segment.sectors > sectors_ - segment.sector)
        return outcome_error;
    auto const done
        = medium_.discard(segment.sector * sector_bytes, u64 { segment.sectors } * sector_bytes);
    return done == FileOutcome::done ? outcome_ok : outcome_error;
}

void VirtioBlock::give_back(u16 head, u32 written)
{
    auto* used = memory(queue_.used, 6 + 8 * queue_.entries);
    u16 index = 0;
    std::memcpy(&index, used + 2, sizeof index);
    u32 const entry[2] = { head, written };
    std::memcpy(used + 4 + 8 * (index % queue_.entries), entry, sizeof entry);
    std::atomic_thread_fence(std::memory_order_release);
    ++index;
    std::memcpy(used + 2, &index, sizeof index);
}

} // namespace gemel::sim
