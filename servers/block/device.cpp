#include "servers/block/device.hpp"

#include <bit>
#include <cstring>

namespace gemel::block {
namespace {

// Features (5.2.3).
constexpr u64 feature_segments_max = 1 << 2;
constexpr u64 feature_read_only = 1 << 5;
constexpr u64 feature_block_bytes = 1 << 6;
constexpr u64 feature_flush = 1 << 9;
constexpr u64 feature_discard = 1 << 13;
constexpr u64 features_wanted = feature_version_1 | feature_segments_max | feature_read_only
    | feature_block_bytes | feature_flush | feature_discard;

// Configuration (5.2.4).
constexpr u32 configuration_capacity = 0;
constexpr u32 configuration_segments_max = 12;
constexpr u32 configuration_block_bytes = 20;
constexpr u32 configuration_discard_sectors_max = 36;

constexpr usize headers_offset = Queue::memory_bytes; // the third page
constexpr usize slot_bytes = 32; // header of 16, status at 16
constexpr usize discards_offset = headers_offset + page_bytes; // the fourth page
constexpr usize discard_slot_bytes = 16;
constexpr u64 look_again_ms = 100;

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

enum class Outcome : u8 { ok = 0, io = 1, unsupported = 2, unanswered = 0xFF };

Result<void> result_of(u8 status)
{
    switch (static_cast<Outcome>(status)) {
    case Outcome::ok:
        return {};
    case Outcome::unsupported:
        return Error::unsupported;
    case Outcome::io:
    case Outcome::unanswered:
        break;
    }
    return Error::io;
}

constexpr u8 operator|(DeviceStatus a, DeviceStatus b)
{
    return static_cast<u8>(static_cast<u8>(a) | static_cast<u8>(b));
}
constexpr u8 operator|(u8 a, DeviceStatus b)
{
    return static_cast<u8>(a | static_cast<u8>(b));
}

} // namespace

BlockDevice::BlockDevice(
    Key, Own<Transport> transport, SharedRegion memory, std::array<u64, 4> pages)
    : transport_(std::move(transport))
    , memory_(std::move(memory))
    , pages_(pages)
{
}

// The device must not write into memory that is given back.
BlockDevice::~BlockDevice()
{
    transport_->set_status(0);
}

Result<Own<BlockDevice>> BlockDevice::open(
    Own<Transport> transport, PhysBroker const& phys, u16 vector)
{
    auto memory = TRY(SharedRegion::create(discards_offset + page_bytes));
    std::array<u64, 4> pages;
    for (u32 i = 0; i < pages.size(); ++i)
        pages[i] = TRY(phys.region_address(memory.handle(), i));
    auto device
        = std::make_unique<BlockDevice>(Key {}, std::move(transport), std::move(memory), pages);
    TRY(device->negotiate(vector));
    return Own<BlockDevice>(std::move(device));
}

// Virtio 1.2, 3.1.1.
Result<void> BlockDevice::negotiate(u16 vector)
{
    auto& transport = *transport_;
    transport.set_status(0);
    auto status = DeviceStatus::acknowledge | DeviceStatus::driver;
    transport.set_status(status);
    auto const features = transport.device_features() & features_wanted;
    if (!(features & feature_version_1))
        return Error::unsupported;
    transport.set_driver_features(features);
    status = status | DeviceStatus::features_ok;
    transport.set_status(status);
    if ((transport.status() | DeviceStatus::features_ok) != transport.status())
        return Error::unsupported;
    auto const entries = std::bit_floor(std::min(transport.queue_entries_max(), queue_entries));
    if (entries < 4)
        return Error::unsupported;
    queue_.emplace(memory_.span(), entries);
    read_configuration(features);
    QueueAreas const areas { entries, pages_[0] + Queue::descriptors_offset,
        pages_[0] + Queue::available_offset, pages_[1] };
    if (!transport.set_queue(areas, vector))
        return Error::io;
    transport.set_status(status | DeviceStatus::driver_ok);
    return {};
}

void BlockDevice::read_configuration(u64 features)
{
    auto& transport = *transport_;
    sectors_ = transport.configuration(configuration_capacity, 4)
        | u64 { transport.configuration(configuration_capacity + 4, 4) } << 32;
    segments_max_ = queue_->entries() - 2u;
    if (features & feature_segments_max) {
        auto const most = transport.configuration(configuration_segments_max, 4);
        segments_max_ = std::clamp(most, 1u, segments_max_);
    }
    if (features & feature_block_bytes)
        block_bytes_ = transport.configuration(configuration_block_bytes, 4);
    read_only_ = features & feature_read_only;
    has_flush_ = features & feature_flush;
    if (features & feature_discard)
        discard_sectors_max_ = transport.configuration(configuration_discard_sectors_max, 4);
}

// One segment of data that says which sectors (5.2.6): `start` puts it beside the header.
void BlockDevice::discard(u64 sector, u32 sectors, Done done)
{
    ASSERT(sectors > 0 && sectors <= discard_sectors_max_);
    submit(
        Request { Kind::discard, sector, std::vector<QueueSegment>(1), std::move(done), sectors });
}

void BlockDevice::submit(Request request)
{
    ASSERT(request.data.size() <= segments_max_);
    if (broken_)
        return request.done(Error::io);
    if (request.kind == Kind::flush && !has_flush_)
        return request.done({}); // nothing is cached (5.2.6.2)
    if (!waiting_.empty() || queue_->free_descriptors() < request.data.size() + 2) {
        if (waiting_.size() >= waiting_max)
            return request.done(Error::too_big);
        waiting_.push_back(std::move(request));
        return;
    }
    // A device that answers at once needs no interrupt.
    queue_->ask_for(Queue::Interrupts::not_now);
    start(request);
    finish();
    queue_->ask_for(Queue::Interrupts::wanted);
    finish();
}

// There are descriptors enough.
void BlockDevice::start(Request& request)
{
    // The slot of the chain's first descriptor, which is the one that is free next.
    std::array<QueueSegment, queue_entries> segments;
    usize count = 0;
    segments[count++] = {};
    for (auto const& segment : request.data)
        segments[count++] = segment;
    segments[count++] = {};
    auto const slot = queue_->next_head() * slot_bytes;
    auto* const bytes = memory_.span().data() + headers_offset + slot;
    bool const discards = request.kind == Kind::discard;
    if (discards) {
        auto const place = queue_->next_head() * discard_slot_bytes;
        DiscardSegment const segment { request.sector, request.discarded, 0 };
        std::memcpy(memory_.span().data() + discards_offset + place, &segment, sizeof(segment));
        segments[1] = { pages_[3] + place, sizeof(segment), QueueSegment::Direction::device_reads };
    }
    // The sector of a discard is in its data.
    RequestHeader const header { static_cast<u32>(request.kind), 0, discards ? 0 : request.sector };
    std::memcpy(bytes, &header, sizeof(header));
    bytes[sizeof(header)] = static_cast<std::byte>(Outcome::unanswered);
    segments[0] = { pages_[2] + slot, sizeof(header), QueueSegment::Direction::device_reads };
    segments[count - 1]
        = { pages_[2] + slot + sizeof(header), 1, QueueSegment::Direction::device_writes };
    auto const head = queue_->add({ segments.data(), count });
    ASSERT(head);
    in_flight_[*head] = std::move(request.done);
    ++in_flight_count_;
    if (queue_->wants_notification())
        transport_->notify_queue();
}

void BlockDevice::finish()
{
    while (auto const done = queue_->take()) {
        auto const at = headers_offset + done->head * slot_bytes + sizeof(RequestHeader);
        auto const status = static_cast<u8>(memory_.span()[at]);
        auto const answer = std::exchange(in_flight_[done->head], {});
        --in_flight_count_;
        answer(result_of(status));
    }
    while (!waiting_.empty() && queue_->free_descriptors() >= waiting_.front().data.size() + 2) {
        start(waiting_.front());
        waiting_.pop_front();
    }
}

// The device has given up: everything that waits for it hears so.
void BlockDevice::fail_all()
{
    broken_ = true;
    in_flight_count_ = 0;
    transport_->set_status(0);
    for (auto& each : in_flight_)
        if (auto const answer = std::exchange(each, {}))
            answer(Error::io);
    for (auto& request : std::exchange(waiting_, {}))
        request.done(Error::io);
}

void BlockDevice::interrupted()
{
    transport_->acknowledge_interrupt();
    if (broken_)
        return;
    finish();
    if (transport_->status() & static_cast<u8>(DeviceStatus::needs_reset))
        fail_all();
}

// The time is asked for once in each such period, however many requests there are.
Deadline BlockDevice::next_look()
{
    if (in_flight_count_ == 0)
        return Deadline::none();
    if (look_at_.is_none())
        look_at_ = Deadline::after_ms(look_again_ms);
    return look_at_;
}

void BlockDevice::look()
{
    look_at_ = Deadline::none();
    interrupted();
}

} // namespace gemel::block
