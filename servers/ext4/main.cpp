// The ext4 server: mounts the volume on "block" and serves its root directory on its own port.
#include "servers/ext4/device_cache.hpp"
#include "servers/ext4/root_directory.hpp"
#include "servers/rt/env.hpp"

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

} // namespace

Result<void> server_main(Env& env)
{
    auto device = TRY(DeviceCache::create(TRY(env.take<protocol::Block>("block"))));
    LogSink sink(env.log());
    MountReport report;
    auto volume = Volume::mount(*device, sink, report);
    if (!volume) {
        env.log().error(report.refusal);
        // What is refused now is refused again: only a device's error is worth another start.
        bool const final_word
            = volume.error() == Error::unsupported || volume.error() == Error::corrupt;
        return final_word ? Result<void> {} : volume.error();
    }
    for (auto const& note : report.notes)
        env.log().warn(note);
    auto const statistics = volume->statistics();
    env.log().info(statistics.kind, " volume of ", statistics.blocks, " blocks of ",
        statistics.block_bytes, " bytes, read-only");
    ObjectServer objects(env.port());
    ServedVolume served(std::move(*volume), objects);
    // A new driver needs a new mount: init starts both again.
    objects.on_deadline([&] { return device->lost() ? Deadline::at_us(1) : Deadline::none(); },
        [&] {
            env.log().error("the block device is gone");
            system::exit(1, static_cast<u64>(Error::dead));
        });
    objects.set_root<Directory>(make_ref<RootDirectory>(served, SessionMemory {}));
    return objects.run();
}

} // namespace gemel::ext4
