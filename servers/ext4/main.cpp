// The ext4 server: mounts the volume on "block" and serves its root directory on its own port.
#include "servers/ext4/attention.hpp"
#include "servers/ext4/device_cache.hpp"
#include "servers/ext4/root_directory.hpp"
#include "servers/ext4/volume_super.hpp"
#include "servers/rt/thread.hpp"
#include "servers/rt/wall_clock.hpp"

#include <bit>
#include <charconv>

namespace gemel::ext4 {

namespace {

class LogSink final : public ErrorSink {
public:
    explicit LogSink(Log& log)
        : log_(log)
    {
    }
    void report(std::string_view sentence) override { log_.error(sentence); }

private:
    Log& log_;
};

// Other hosts may be looking at the volume: they are waited for, and nobody else is served.
void wait(i64 ns)
{
    sleep_until(Deadline::after_ns(static_cast<u64>(ns)));
}

// Without a clock that knows the date, time goes on from when the volume was last written.
std::function<i64()> time_for(DeviceCache& device, WallClock const& clock)
{
    if (clock.now_ns())
        return [clock] { return clock.now_or_uptime_ns(); };
    constexpr i64 ns_per_second = 1'000'000'000;
    MountReport ignored;
    auto const super = load_superblock(device, ignored);
    auto const start = super ? super->written_seconds * ns_per_second : 0;
    auto const booted = static_cast<i64>(system::time_ns());
    return [start, booted] { return start + static_cast<i64>(system::time_ns()) - booted; };
}

// What has no place on the disk yet lies beside the cache, and grows with it. A larger transaction
// writes what changes often less often, up to a point.
WriteOptions options_for(DeviceCache& device, WallClock const& clock, usize cached_bytes)
{
    constexpr usize metadata_bytes_max = 4 << 20;
    constexpr usize names_max = 16'384;
    auto const metadata_bytes = std::min(cached_bytes / 2, metadata_bytes_max);
    return { .now_ns = time_for(device, clock),
        .wait_ns = wait,
        .running_bytes_max = metadata_bytes,
        .waiting_bytes_max = cached_bytes / 16,
        .committed_bytes_max = metadata_bytes,
        .names_max = std::clamp(
            std::bit_floor(cached_bytes / 512), NameCache::entries_max_default, names_max) };
}

Result<Volume> mount(DeviceCache& device, ErrorSink& sink, MountReport& report,
    WallClock const& clock, usize cached_bytes)
{
    if (!device.writable())
        return Volume::mount(device, sink, report);
    return Volume::mount_writable(device, sink, report, options_for(device, clock, cached_bytes));
}

Result<u32> number_in(std::string_view text)
{
    u32 number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc {} || end != text.data() + text.size() || number == 0)
        return Error::invalid;
    return number;
}

// How much of the device is kept in memory: so many MiB as the first argument says, or else a
// quarter of the memory that the server may have.
Result<usize> cache_bytes(Env const& env)
{
    if (env.arguments().size() >= 2)
        return usize { TRY(number_in(env.arguments()[1])) } << 20;
    auto const pages = env.variable("GEMEL_PAGES");
    if (!pages)
        return DeviceCache::bytes_max_default;
    auto const part = usize { TRY(number_in(*pages)) } * page_bytes / 4;
    return std::clamp(part, DeviceCache::session_bytes, DeviceCache::bytes_max_default);
}

} // namespace

Result<void> server_main(Env& env)
{
    auto block = TRY(env.take<protocol::Block>("block"));
    auto const cached_bytes = TRY(cache_bytes(env));
    auto device = TRY(DeviceCache::create(std::move(block), cached_bytes));
    LogSink sink(env.log());
    MountReport report;
    report.listener = { [&env](std::string_view sentence) { env.log().warn(sentence); },
        [] { return static_cast<i64>(system::time_ns()); } };
    auto volume = mount(*device, sink, report, WallClock::create(env), cached_bytes);
    if (!volume) {
        env.log().error(report.refusal);
        // What is refused now is refused again: only a device's error is worth another start.
        bool const final_word = volume.error() == Error::unsupported
            || volume.error() == Error::corrupt || volume.error() == Error::busy;
        return final_word ? Result<void> {} : volume.error();
    }
    for (auto const& note : report.notes)
        env.log().warn(note);
    auto const statistics = volume->statistics();
    env.log().info(statistics.kind, " volume of ", statistics.blocks, " blocks of ",
        statistics.block_bytes, " bytes, ", volume->writer() ? "read-write" : "read-only");
    ObjectServer objects(env.port());
    ServedVolume served(std::move(*volume), objects, *device);
    Attention attention(served);
    // A new driver needs a new mount: init starts both again.
    objects.on_deadline([&] { return device->lost() ? Deadline::at_us(1) : attention.deadline(); },
        [&] {
            if (device->lost()) {
                env.log().error("the block device is gone");
                system::exit(1, static_cast<u64>(Error::dead));
            }
            attention.give();
        });
    objects.set_root<Directory>(make_ref<RootDirectory>(served));
    return objects.run();
}

} // namespace gemel::ext4
