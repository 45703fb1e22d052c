// `gemel run`: the hosted machine with its devices, in this terminal.
#include "frontends/cli/fixed_place.hpp"
#include "frontends/cli/host_clock.hpp"
#include "frontends/cli/host_console.hpp"
#include "frontends/cli/image_lock.hpp"
#include "frontends/cli/mount_place.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/script_word.hpp"
#include "frontends/cli/session_recording.hpp"
#include "frontends/cli/terminal.hpp"
#include "sim/devices/block_log.hpp"
#include "sim/devices/cmos_clock.hpp"
#include "sim/devices/map.hpp"
#include "sim/devices/virtio_block.hpp"

#include <gemel/arch/program.hpp>
#include <gemel/hosted/jail.hpp>
#include <gemel/hosted/system.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <system_error>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr u64 memory_step = 2 << 20; // the machine's memory is a multiple of it

int fail(RunOptions const& options, std::string const& what)
{
    std::fprintf(stderr, "gemel: %s\n", what.c_str());
    return options.script ? exit_gemel_failed : exit_failed;
}

// Init's variables (docs/booting.md).
std::string command_line(RunOptions const& options, Input input)
{
    std::string words;
    if (options.script)
        words += "GEMEL_COMMAND=" + script_word(*options.script) + " ";
    if (input == Input::stream)
        words += "GEMEL_INTERACTIVE=0 ";
    if (options.verbosity == Verbosity::verbose)
        words += "GEMEL_VERBOSE=1 ";
    if (options.tracing == Tracing::on)
        words += "GEMEL_TRACE=1 ";
    if (!options.fuse_directory.empty())
        words += "GEMEL_MORE_SERVICES=/gemel/etc/export.toml ";
    return words;
}

// The disk as a mount of the host, beside the system's own use of it.
class Export {
public:
    Export(hosted::System& system, RunOptions const& options, std::string const& image)
        : options_(options)
        , gate_(system, { .serving = [this](auto) { serving(); }, .unmounted = {} },
              fuse::Sharing::shared, fuse::Caching::reads, fuse::Lists::unchecked)
    {
        words_.access = options.access;
        if (open_fuse_session(gate_, words_, image))
            system.machine().attach(hostmount::device_port, hostmount::device_ports, gate_);
    }

private:
    // libfuse says what goes wrong; the system goes on.
    void serving() { static_cast<void>(gate_.mount(real_directory(options_.fuse_directory))); }

    RunOptions const& options_;
    MountWords words_;
    fuse::GateDevice gate_;
};

hosted::Options machine_of(RunOptions const& options, Input input, std::span<u8 const> bundle)
{
    hosted::Options machine;
    machine.memory_bytes = align_up<u64>(u64 { options.memory_mib } << 20, memory_step);
    if (!options.fuse_directory.empty()) {
        machine.device_memory_bytes = fuse::GateDevice::memory_bytes;
        machine.memory_bytes += machine.device_memory_bytes;
    }
    machine.cpus = options.cpus;
    if (options.turns == Turns::none)
        machine.host_threads = hosted::HostThreads::one_each;
    if (options.walls == Walls::between_tasks)
        machine.isolation = arch::Isolation::on;
    machine.bundle = bundle;
    machine.init_entry = arch::linked_program("init");
    machine.command_line = command_line(options, input);
    return machine;
}

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// Null: no path. One that cannot be written is a std::system_error.
File file_for(std::string const& path)
{
    File file { path.empty() ? nullptr : std::fopen(path.c_str(), "we") };
    if (!file && !path.empty())
        throw std::system_error(errno, std::generic_category(), path);
    return file;
}

struct Image {
    std::string path;
    int descriptor;
};

// The machine, its devices and the console, from boot to power off. `recording`: null, or where
// all of it is written down.
int run_machine(
    RunOptions const& options, Image const& image, Input input, SessionRecording* recording)
{
    auto const bundle = boot_bundle();
    auto const machine_options = machine_of(options, input, bundle);
    if (recording
        && !recording->describe(machine_options, options, input, image.path, image.descriptor))
        return options.script ? exit_gemel_failed : exit_failed;
    hosted::System system { machine_options };
    if (recording)
        recording->live(system);

    auto const scripted = options.script.has_value();
    auto const hidden = scripted && options.verbosity == Verbosity::quiet;
    HostConsole* shown = nullptr;
    SerialFilter filter { hidden ? BootText::hide : BootText::show,
        input == Input::terminal ? Use::prompt : Use::script,
        [&shown](std::string_view text) { shown->show(text); } };
    HostConsole console { system.machine(), filter, input,
        recording ? &recording->tap() : nullptr };
    shown = &console;
    if (recording && options.fuse_directory.empty()) // a mount's requests are not looked for
        recording->on_outside([&console] { return console.input_waits(); });
    sim::ImageMedium medium { image.descriptor };
    sim::Medium& recorded = recording ? recording->disk(medium) : medium;
    auto const log = file_for(options.block_log);
    sim::BlockLog logged { recorded, [&system] { return system.machine().now_ns(); },
        [&log](std::string_view text) { std::fwrite(text.data(), 1, text.size(), log.get()); } };
    sim::VirtioBlock disk { system.machine(), sim::virtio_line, log ? logged : recorded,
        static_cast<u64>(::lseek(image.descriptor, 0, SEEK_END)),
        options.access == Access::read_write ? sim::ImageAccess::read_write
                                             : sim::ImageAccess::read_only };
    sim::CmosClock clock { [recording] {
        return recording ? recording->wall_clock() : host_seconds();
    } };
    system.machine().attach(sim::clock_port, sim::clock_ports, clock);
    system.machine().attach(sim::uart_port, sim::uart_ports, console.uart());
    system.machine().attach(sim::virtio_port, sim::virtio_ports, disk);
    std::optional<Export> exported;
    if (!options.fuse_directory.empty())
        exported.emplace(system, options, image.path);

    auto status = system.run();
    while (system.paused()) {
        recording->restart_point(system, console.uart(), clock, disk);
        status = system.resume();
    }
    if (recording)
        recording->finish(status);
    filter.finish();
    console.flush();
    if (scripted && !filter.up())
        std::fprintf(stderr, "%s", filter.hidden().c_str());
    return status;
}

std::optional<RawTerminal> enter_terminal()
{
    std::fprintf(
        stderr, "gemel: leave with `shutdown` or Ctrl-D; Ctrl-] ends the machine at once.\n");
    return RawTerminal::enter();
}

// The terminal is the user's own again when this returns.
int run_in_terminal(
    RunOptions const& options, Image const& image, bool interactive, SessionRecording* recording)
{
    auto const terminal = interactive ? enter_terminal() : std::nullopt;
    std::optional<hosted::FixedProtectorWords> words; // a restart point holds them
    if (recording)
        words.emplace();
    return run_machine(options, image, terminal ? Input::terminal : Input::stream, recording);
}

} // namespace

int run_hosted(RunOptions options)
{
    if (!options.record_last.empty())
        go_to_fixed_place();
    if (options.script && script_word(*options.script).size() > script_word_bytes_max)
        return fail(
            options, "the script is too long. Put it in a file of the image, -c 'gsh FILE'.");
    if (!options.fuse_directory.empty()) {
        if (auto const refusal = refuse_place(options.fuse_directory, {}))
            return fail(options, *refusal);
    }
    auto const image = image_for(options);
    if (!image)
        return options.script ? exit_gemel_failed : exit_failed;
    auto const descriptor = ::open(
        image->c_str(), (options.access == Access::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (descriptor < 0)
        return fail(options, *image + " cannot be opened: " + std::strerror(errno));
    if (auto const refusal = lock_image(descriptor, *image, options.access))
        return fail(options, *refusal + " Leave that first, or give another image.");
    auto const interactive
        = !options.script && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
    std::unique_ptr<SessionRecording> recording;
    if (!SessionRecording::begin(options, recording))
        return options.script ? exit_gemel_failed : exit_failed;
    try {
        auto const status
            = run_in_terminal(options, { *image, descriptor }, interactive, recording.get());
        if (recording)
            recording->tell();
        return status;
    } catch (std::system_error const& error) {
        return fail(options, std::string { "the machine cannot start: " } + error.what());
    }
}

} // namespace gemel::cli
