#include "servers/ext4/mount_guard.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/sentence.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

namespace field {
constexpr usize magic = 0;
constexpr usize sequence = 4;
constexpr usize seconds = 8;
constexpr usize node = 16;
constexpr usize node_bytes = 64;
constexpr usize device = 80;
constexpr usize check_interval = 112;
constexpr usize checksum = 1020;
} // namespace field

constexpr usize guard_bytes = 1024;
constexpr u32 magic_word = 0x004D'4D50;
constexpr u32 sequence_clean = 0xFF4D'4D50;
constexpr u32 sequence_checked = 0xE24D'4D50; // e2fsck is at it
constexpr u32 sequence_max = 0xE24D'4D4F;
constexpr u32 interval_default = 5;
constexpr u32 check_interval_max = 300;
constexpr u32 intervals_to_check = 2;
constexpr i64 ns_per_second = 1'000'000'000;
constexpr std::string_view our_name = "gemel";

template <typename... Parts>
Error refuse(MountReport& report, Error error, Parts const&... parts)
{
    report.refusal = sentence("mmp: ", parts...);
    return error;
}

std::string node_of(Bytes bytes)
{
    auto const name = bytes.subspan(field::node, field::node_bytes);
    return { name.begin(), std::find(name.begin(), name.end(), u8 { 0 }) };
}

// Two hosts that start at once must not come to the same number.
u32 first_sequence(i64 now_ns, Bytes before)
{
    auto const sum = crc32c(crc32c(crc32c_start, static_cast<u32>(now_ns)),
        static_cast<u32>(static_cast<u64>(now_ns) >> 32));
    return crc32c(sum, before) % sequence_max + 1;
}

} // namespace

MountGuard::MountGuard(BlockDevice& device, Superblock const& super, GuardClock clock)
    : device_(device)
    , clock_(std::move(clock))
    , place_(super.mmp_block * super.block_bytes)
    , interval_(super.mmp_interval == 0 ? interval_default : super.mmp_interval)
    , check_interval_(std::max(interval_, interval_default))
    , bytes_(guard_bytes)
{
    if (super.has(ReadOnlyCompatible::metadata_csum))
        checksum_seed_ = super.checksum_seed;
}

Result<std::unique_ptr<MountGuard>> MountGuard::claim(
    BlockDevice& device, GuardClock clock, MountReport& report)
{
    // A superblock that is none, or torn: whoever mounts it will say so.
    MountReport ignored;
    auto const super = load_superblock(device, ignored, SuperblockSum::ignored);
    if (!super || !super->has(Incompatible::mmp))
        return std::unique_ptr<MountGuard> {};
    if (!clock.wait_ns) {
        return refuse(report, Error::unsupported,
            "whether another host writes the volume cannot be waited for here");
    }
    if (!super->holds_block(super->mmp_block) || super->mmp_block <= super->first_data_block)
        return refuse(report, Error::corrupt, "its block ", super->mmp_block, " cannot be one");
    auto guard = std::unique_ptr<MountGuard>(new MountGuard(device, *super, std::move(clock)));
    TRY(guard->look(report));
    TRY(guard->take(report));
    return guard;
}

// What another host takes at most from one sign to the next, and some more.
i64 MountGuard::patience_ns() const
{
    return std::min(check_interval_ * 2 + 1, check_interval_ + 60) * ns_per_second;
}

i64 MountGuard::interval_ns() const
{
    return interval_ * ns_per_second;
}

Result<void> MountGuard::load()
{
    TRY(device_.read_fresh(place_, bytes_));
    last_ns_ = clock_.now_ns();
    return {};
}

Result<void> MountGuard::check_block(MountReport& report) const
{
    auto const block = place_ / guard_bytes;
    if (load32(bytes_, field::magic) != magic_word) {
        return refuse(
            report, Error::corrupt, "the block at KiB ", block, " holds no such protection");
    }
    auto const sum = Bytes(bytes_).first(field::checksum);
    if (checksum_seed_ && load32(bytes_, field::checksum) != crc32c(*checksum_seed_, sum))
        return refuse(report, Error::corrupt, "the block at KiB ", block, " has a wrong checksum");
    return {};
}

Result<void> MountGuard::check_unchanged(std::vector<u8> const& before, MountReport& report)
{
    TRY(load());
    if (bytes_ == before)
        return {};
    state_ = State::lost;
    device_.abandon_writes();
    return refuse(report, Error::busy, "another host is using the volume: ", node_of(bytes_));
}

Result<void> MountGuard::wait_unchanged(MountReport& report)
{
    if (report.listener.tell) {
        report.listener.tell(
            sentence("mmp: waiting ", static_cast<u64>(patience_ns() / ns_per_second),
                " seconds to see whether another host writes the volume"));
    }
    auto const before = bytes_;
    clock_.wait_ns(patience_ns());
    return check_unchanged(before, report);
}

// Nobody else may be alive.
Result<void> MountGuard::look(MountReport& report)
{
    TRY(load());
    TRY(check_block(report));
    auto const sequence = load32(bytes_, field::sequence);
    if (sequence == sequence_clean)
        return {};
    if (sequence == sequence_checked) {
        return refuse(report, Error::busy,
            "e2fsck is at work on the volume, or was interrupted: tune2fs -E clear_mmp then");
    }
    if (sequence > sequence_max) {
        return refuse(report, Error::corrupt, "the unknown sequence ", Hex { sequence });
    }
    check_interval_ = std::clamp<u32>(
        load16(bytes_, field::check_interval), check_interval_, check_interval_max);
    return wait_unchanged(report);
}

// Our own sign, which must stand there after the time in which another one's would have.
Result<void> MountGuard::take(MountReport& report)
{
    std::fill_n(bytes_.begin() + field::node, field::check_interval - field::node, u8 { 0 });
    std::copy(our_name.begin(), our_name.end(), bytes_.begin() + field::node);
    std::copy(our_name.begin(), our_name.end(), bytes_.begin() + field::device);
    auto const wanted = std::max(intervals_to_check * interval_, interval_default);
    store16(
        bytes_, field::check_interval, static_cast<u16>(std::min<u32>(wanted, check_interval_max)));
    TRY(show(first_sequence(clock_.now_ns(), bytes_)));
    return wait_unchanged(report);
}

Result<void> MountGuard::show(u32 sequence)
{
    auto const seconds = static_cast<u64>(clock_.now_ns() / ns_per_second);
    store32(bytes_, field::sequence, sequence);
    store32(bytes_, field::seconds, static_cast<u32>(seconds));
    store32(bytes_, field::seconds + 4, static_cast<u32>(seconds >> 32));
    if (checksum_seed_) {
        store32(
            bytes_, field::checksum, crc32c(*checksum_seed_, Bytes(bytes_).first(field::checksum)));
    }
    TRY(device_.write(place_, bytes_));
    TRY(device_.flush());
    last_ns_ = clock_.now_ns();
    return {};
}

std::optional<i64> MountGuard::due_ns() const
{
    return state_ == State::held ? std::optional(last_ns_ + interval_ns()) : std::nullopt;
}

Result<void> MountGuard::attend()
{
    if (state_ == State::lost)
        return Error::busy;
    if (state_ == State::released || clock_.now_ns() < last_ns_ + interval_ns())
        return {};
    MountReport ignored;
    auto const before = bytes_;
    TRY(check_unchanged(before, ignored));
    auto const sequence = load32(bytes_, field::sequence);
    return show(sequence >= sequence_max ? 1 : sequence + 1);
}

Result<void> MountGuard::release()
{
    if (state_ != State::held)
        return {};
    MountReport ignored;
    auto const before = bytes_;
    TRY(check_unchanged(before, ignored));
    TRY(show(sequence_clean));
    state_ = State::released;
    return {};
}

Result<void> MountGuard::read(u64 byte_offset, std::span<u8> target)
{
    static_cast<void>(attend()); // what is lost can still be read
    return device_.read(byte_offset, target);
}

Result<void> MountGuard::read_contents(u64 byte_offset, std::span<u8> target, u64 ahead)
{
    static_cast<void>(attend());
    return device_.read_contents(byte_offset, target, ahead);
}

Result<void> MountGuard::read_fresh(u64 byte_offset, std::span<u8> target)
{
    return device_.read_fresh(byte_offset, target);
}

Result<void> MountGuard::attend_to_write()
{
    TRY(attend());
    return state_ == State::released ? Result<void>(Error::read_only) : Result<void>();
}

Result<void> MountGuard::write(u64 byte_offset, std::span<u8 const> source)
{
    TRY(attend_to_write());
    return device_.write(byte_offset, source);
}

Result<void> MountGuard::write_contents(u64 byte_offset, std::span<u8 const> source)
{
    TRY(attend_to_write());
    return device_.write_contents(byte_offset, source);
}

Result<void> MountGuard::discard(u64 byte_offset, u64 bytes)
{
    TRY(attend_to_write());
    return device_.discard(byte_offset, bytes);
}

Result<void> MountGuard::flush()
{
    TRY(attend());
    return device_.flush();
}

} // namespace gemel::ext4
