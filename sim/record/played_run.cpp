#include "sim/record/played_run.hpp"

#include "sim/devices/map.hpp"

namespace gemel::sim {

std::optional<Recording> recording_of(std::span<u8 const> file, std::string& error)
{
    constexpr u64 memory_max = u64 { 16 } << 30;
    constexpr u64 memory_step = 2u << 20;
    Recording recording;
    recording.file = file;
    if (!decode(file, recording.start, recording.begin, error))
        return std::nullopt;
    auto const& start = recording.start;
    if (start.memory_bytes < 4 * memory_step || start.memory_bytes > memory_max
        || start.memory_bytes % memory_step != 0 || start.cpus < 1 || start.cpus > cpus_max) {
        error = "its head names a machine that cannot be made";
        return std::nullopt;
    }
    return recording;
}

hosted::Options PlayedSession::options_of(Recording const& recording, Setup const& setup)
{
    hosted::Options options;
    options.memory_bytes = recording.start.memory_bytes;
    options.cpus = recording.start.cpus;
    options.command_line = recording.start.command_line;
    options.bundle = setup.bundle;
    options.init_entry = setup.init_entry;
    return options;
}

PlayedSession::PlayedSession(Recording const& recording, Setup const& setup)
    : recording_(recording)
    , setup_(setup)
    , trace_(setup.keep)
    , system_(options_of(recording, setup))
    , world_(system_, trace_, RecordReader { recording.file, recording.begin },
          [this](std::string_view bytes) { uart_.type(bytes); })
    , uart_(system_.machine(), uart_line, [this](char byte) { take(byte); })
    , clock_([this] { return wall_clock(); })
    , medium_(world_)
    , disk_(system_.machine(), virtio_line, medium_, recording.start.disk_bytes,
          recording.start.disk_writable != 0 ? ImageAccess::read_write : ImageAccess::read_only)
{
    auto& machine = system_.machine();
    machine.live_in(world_);
    machine.attach(clock_port, clock_ports, clock_);
    machine.attach(uart_port, uart_ports, uart_);
    machine.attach(virtio_port, virtio_ports, disk_);
    machine.on_console([this](std::string_view text) {
        for (auto const byte : text)
            take(byte);
    });
    world_.on_failure([this](Failure const& failure) {
        if (failure_)
            return;
        failure_ = failure;
        if (setup_.failing)
            setup_.failing(outcome());
    });
    if (setup_.each_event)
        world_.on_event([this] { setup_.each_event(trace_.count(), world_.time_ns()); });
    else if (setup_.stop_event != 0 || setup_.stop_ns != 0)
        world_.on_event([this] { stop_where_asked(); });
}

void PlayedSession::stop_where_asked()
{
    auto const there = (setup_.stop_event != 0 && trace_.count() >= setup_.stop_event)
        || (setup_.stop_ns != 0 && world_.time_ns() >= setup_.stop_ns);
    if (!there || stopped_)
        return;
    stopped_ = true;
    setup_.stopped();
}

void PlayedSession::take(char byte)
{
    if (lived_) {
        if (output_)
            output_({ &byte, 1 });
        return;
    }
    world_.console(byte);
    console_ += byte;
}

i64 PlayedSession::wall_clock()
{
    return lived_ ? host_wall_clock_() : world_.wall_clock(recording_.start.wall_clock_s);
}

void PlayedSession::go_on(PlayedDisk::Unknown unknown, std::function<i64()> wall_clock)
{
    medium_.go_on(std::move(unknown));
    host_wall_clock_ = std::move(wall_clock);
    lived_.emplace(system_, trace_, nullptr);
    lived_->go_on_from(world_.time_ns());
    auto& machine = system_.machine();
    machine.live_in(*lived_);
    machine.wake_at(machine.wake_ns()); // nothing ticked until now
}

void PlayedSession::on_over(std::function<void()> hook)
{
    world_.on_over([this, hook = std::move(hook)] {
        if (!lived_)
            hook();
        return lived_.has_value();
    });
}

Outcome PlayedSession::outcome() const
{
    Outcome outcome;
    outcome.failure = world_.difference() ? world_.difference() : failure_;
    outcome.time_ns = world_.time_ns();
    outcome.l1 = trace_.hash();
    outcome.events = trace_.count();
    outcome.digests = trace_.digests();
    outcome.console = console_;
    return outcome;
}

// Before the jail is closed, and before a debugger's first mark.
bool PlayedSession::load()
{
    RecordReader records { recording_.file, recording_.begin };
    Surroundings const around { world_, trace_, uart_, clock_, disk_, medium_.requests() };
    auto const error = load_restart_point(system_, around, records);
    world_.records_are(records);
    if (!error.empty())
        failure_ = { "restart-point", error, "", 0, 0 };
    return error.empty();
}

Outcome PlayedSession::run()
{
    auto const at_restart_point = recording_.start.at_restart_point != 0;
    if (at_restart_point && !load())
        return outcome();
    world_.begin();
    if (setup_.closing)
        setup_.closing();
    auto const status = at_restart_point ? system_.resume() : system_.run();
    if (!lived_)
        world_.finish(static_cast<u8>(status));
    auto result = outcome();
    result.status = status;
    result.log = trace_.events();
    result.names = trace_.names();
    return result;
}

} // namespace gemel::sim
