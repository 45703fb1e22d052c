// `gemel mount`: the system's block driver and file system in this process, serving a mount of the
// host through FUSE. By default the process goes to the background once the mount is up.
#include "frontends/cli/host_clock.hpp"
#include "frontends/cli/image_lock.hpp"
#include "frontends/cli/mount_options.hpp"
#include "frontends/cli/mount_outcome.hpp"
#include "frontends/cli/mount_place.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/process.hpp"
#include "frontends/fuse/gate_device.hpp"
#include "sim/devices/cmos_clock.hpp"
#include "sim/devices/map.hpp"
#include "sim/devices/virtio_block.hpp"

#include <gemel/arch/program.hpp>
#include <gemel/hosted/system.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace gemel::cli {

namespace {

constexpr u64 system_memory_bytes = 256u << 20;
constexpr char up_byte = 'U';

int fail(std::string const& what)
{
    std::fprintf(stderr, "gemel: %s\n", what.c_str());
    return exit_failed;
}

// The first thing that went wrong, for a person: "0.012 ERROR ext4: text" is "ext4: text". What
// came after is its consequence.
std::optional<std::string> first_error_in(std::string const& console)
{
    constexpr std::string_view mark = " ERROR ";
    auto const error = console.find(mark);
    if (error == std::string::npos)
        return std::nullopt;
    auto const end = std::min(console.find('\n', error), console.size());
    return console.substr(error + mark.size(), end - error - mark.size());
}

// The host reads ahead 128 KiB by itself; a request may carry a megabyte. Who may not say so (an
// ordinary user) has smaller requests. The mount is not looked at: we serve it ourselves.
void widen_read_ahead(std::string const& device)
{
    std::ofstream { "/sys/class/bdi/" + device + "/read_ahead_kb" }
        << hostmount::data_bytes_max / 1024;
}

// What is mounted: an open file, and the part of it.
struct Image {
    int file = -1;
    ImageWindow window {};

    u64 bytes() const
    {
        auto const end = static_cast<u64>(::lseek(file, 0, SEEK_END));
        auto const left = end - std::min(end, window.offset);
        return std::min(window.bytes.value_or(left), left);
    }
};

// One mount from boot to power off.
class MountedSystem {
public:
    MountedSystem(MountOptions const& options, MountWords const& words, Image image, int up,
        OutcomeTeller& outcome)
        : options_(options)
        , words_(words)
        , image_(image)
        , up_(up)
        , outcome_(outcome)
    {
    }

    int run();
    // Empty, or why not everything was written that was to be.
    std::string const& failure() const { return failure_; }

private:
    hosted::Options machine_options();
    void relay_warnings();
    void serving(hostmount::DriverState state);
    void take_signals();
    void signalled();
    void start_unmount(WhenBusy busy);
    void unmount_ended(int status);

    MountOptions const& options_;
    MountWords words_;
    Image image_;
    int up_; // told when the mount is up; -1: nobody waits
    OutcomeTeller& outcome_;
    std::string directory_;
    std::vector<u8> bundle_;
    hosted::System* system_ = nullptr;
    fuse::GateDevice* gate_ = nullptr;
    int signals_ = -1;
    pid_t unmounting_ = -1;
    WhenBusy unmount_kind_ = WhenBusy::refuse;
    std::string console_;
    std::size_t relayed_ = 0; // of it
    bool is_up_ = false;
    std::string refusal_; // ours, where the system has none
    std::string failure_;
};

hosted::Options MountedSystem::machine_options()
{
    hosted::Options machine;
    machine.device_memory_bytes = fuse::GateDevice::memory_bytes;
    machine.memory_bytes = system_memory_bytes + machine.device_memory_bytes;
    machine.bundle = bundle_;
    machine.init_entry = arch::linked_program("init");
    machine.command_line = options_.volume == Volume::tmpfs
        ? "GEMEL_SERVICES=/gemel/etc/mount-tmpfs.toml"
        : "GEMEL_SERVICES=/gemel/etc/mount.toml";
    machine.command_line += options_.verbosity == Verbosity::verbose ? " GEMEL_VERBOSE=1"
                                                                     : " GEMEL_VERBOSE=warnings";
    return machine;
}

int MountedSystem::run()
{
    directory_ = real_directory(options_.directory);
    bundle_ = boot_bundle();
    if (bundle_.empty()) // without it nobody would ever say that the mount is up
        return fail(build_tree() + "/bundle.cpio is missing. ./gemel builds it.");
    hosted::System system { machine_options() };
    system_ = &system;
    system.machine().on_console([this](std::string_view text) {
        if (options_.verbosity == Verbosity::verbose)
            std::fwrite(text.data(), 1, text.size(), stderr);
        console_ += text;
        if (options_.verbosity != Verbosity::verbose)
            relay_warnings();
    });
    fuse::GateDevice gate { system,
        { .serving = [this](auto state) { serving(state); }, .unmounted = {} },
        fuse::Sharing::alone,
        words_.buffering == WriteBuffering::by_the_host ? fuse::Caching::write_back
                                                        : fuse::Caching::reads,
        options_.volume == Volume::ext4 && checked_permissions(words_) == Permissions::everybodys
            ? fuse::Lists::by_the_host
            : fuse::Lists::unchecked };
    gate_ = &gate;
    sim::ImageMedium medium { image_.file, image_.window.offset };
    std::optional<sim::VirtioBlock> disk;
    if (options_.volume == Volume::ext4) {
        disk.emplace(system.machine(), sim::virtio_line, medium, image_.bytes(),
            words_.access == Access::read_write ? sim::ImageAccess::read_write
                                                : sim::ImageAccess::read_only);
        system.machine().attach(sim::virtio_port, sim::virtio_ports, *disk);
    }
    sim::CmosClock clock { host_seconds };
    system.machine().attach(sim::clock_port, sim::clock_ports, clock);
    system.machine().attach(hostmount::device_port, hostmount::device_ports, gate);
    if (!open_fuse_session(gate, words_, options_.image))
        return exit_usage;
    auto const status = system.run();
    if (!gate.mounted()) {
        if (!refusal_.empty())
            return fail(refusal_);
        if (auto const error = first_error_in(console_))
            return fail(*error);
        std::fputs(console_.c_str(), stderr);
        return exit_failed;
    }
    if (status == 0)
        return exit_ok;
    failure_ = first_error_in(console_).value_or("the system ended by itself.");
    return fail(options_.image + " was not written to the end: " + failure_);
}

// What the file system has to say, or what takes it long, until the mount is up.
void MountedSystem::relay_warnings()
{
    constexpr std::string_view mark = " WARN ext4: ";
    for (auto end = console_.find('\n', relayed_); !is_up_ && end != std::string::npos;
         end = console_.find('\n', relayed_)) {
        auto const line = std::string_view(console_).substr(relayed_, end - relayed_);
        relayed_ = end + 1;
        if (auto const at = line.find(mark); at != std::string_view::npos) {
            auto const text = options_.image + ": " + std::string(line.substr(at + mark.size()));
            std::fprintf(stderr, "gemel: %s\n", text.c_str());
        }
    }
}

void MountedSystem::serving(hostmount::DriverState state)
{
    if (state == hostmount::DriverState::serving_read_only && words_.access == Access::read_write) {
        if (words_.otherwise == Otherwise::refused) {
            refusal_ = options_.image + " can only be read here. Mount it with -o ro.";
            return system_->machine().power_off(exit_failed);
        }
        words_.access = Access::read_only; // the file system has said why
        if (!open_fuse_session(*gate_, words_, options_.image))
            return system_->machine().power_off(exit_failed);
    }
    take_signals(); // first: whoever sees the mount may send one
    if (!gate_->mount(directory_))
        return system_->machine().power_off(exit_failed);
    is_up_ = true;
    if (auto const mount = mount_at(directory_)) {
        widen_read_ahead(mount->device);
        outcome_.open(mount->device);
    }
    if (up_ < 0)
        return;
    if (::write(up_, &up_byte, 1) != 1)
        return; // whoever started us is gone: nobody is told
    ::close(up_);
    auto const nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (auto const stream : { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO })
        ::dup2(nowhere, stream);
    ::close(nowhere);
}

// --- leaving ---

void MountedSystem::take_signals()
{
    sigset_t all;
    sigemptyset(&all);
    for (auto const signal : { SIGINT, SIGTERM, SIGHUP, SIGCHLD })
        sigaddset(&all, signal);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    signals_ = ::signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
    system_->machine().watch(signals_, [this] { signalled(); });
}

// The unmount itself runs beside us: it waits until we have written what the host still keeps.
void MountedSystem::signalled()
{
    signalfd_siginfo signal {};
    while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGCHLD) {
            int status = 0;
            if (unmounting_ > 0 && ::waitpid(unmounting_, &status, WNOHANG) == unmounting_)
                unmount_ended(WIFEXITED(status) ? WEXITSTATUS(status) : exit_failed);
        } else if (unmounting_ < 0) {
            start_unmount(WhenBusy::refuse);
        }
    }
}

void MountedSystem::start_unmount(WhenBusy busy)
{
    unmount_kind_ = busy;
    std::vector<std::string> words { "fusermount3", "-u", "-q", directory_ };
    if (busy == WhenBusy::detach)
        words.insert(words.begin() + 1, "-z");
    unmounting_ = start_program(words, STDOUT_FILENO);
    if (unmounting_ < 0)
        std::fprintf(stderr, "gemel: fusermount3 cannot be started (package fuse3).\n");
}

// In use: nobody sees it any more, and it ends with its last user.
void MountedSystem::unmount_ended(int status)
{
    unmounting_ = -1;
    if (status == 0 || unmount_kind_ == WhenBusy::detach)
        return;
    std::fprintf(
        stderr, "gemel: %s is in use; it ends when nobody uses it any more.\n", directory_.c_str());
    start_unmount(WhenBusy::detach);
}

// --- going to the background ---

// In the parent: waits for the mount or for the child's end. Its exit status.
int wait_until_up(pid_t child, int up)
{
    char byte = 0;
    ssize_t got = 0;
    do {
        got = ::read(up, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1 && byte == up_byte)
        return exit_ok;
    auto const status = wait_for(child);
    return status == exit_usage ? exit_usage : exit_failed;
}

int run_mounted(MountOptions const& options, MountWords const& words, Image image, int up)
{
    if (options.volume == Volume::ext4) {
        if (auto const refusal = lock_image(image.file, options.image, words.access))
            return fail(*refusal);
    }
    try {
        OutcomeTeller outcome;
        MountedSystem mounted(options, words, image, up, outcome);
        auto const status = mounted.run();
        ::close(image.file); // who is told may mount it again
        outcome.tell(mounted.failure());
        return status;
    } catch (std::system_error const& error) {
        return fail(std::string("the machine cannot start: ") + error.what());
    }
}

int run_in_background(MountOptions const& options, MountWords const& words, Image image)
{
    int ends[2] = { -1, -1 };
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail(std::string("no pipe: ") + std::strerror(errno));
    auto const child = ::fork();
    if (child < 0)
        return fail(std::string("no new process: ") + std::strerror(errno));
    if (child == 0) {
        ::close(ends[0]);
        ::setsid();
        ::_exit(run_mounted(options, words, image, ends[1]));
    }
    ::close(ends[1]);
    return wait_until_up(child, ends[0]);
}

// Null: the image is open, and holds a volume at its place.
std::optional<std::string> open_image(MountOptions const& options, MountWords& words, Image& image)
{
    image.window.offset = words.offset.value_or(0);
    if (words.access == Access::read_write)
        image.file = ::open(options.image.c_str(), O_RDWR | O_CLOEXEC);
    bool const may_not = errno == EACCES || errno == EPERM || errno == EROFS;
    if (image.file < 0 && may_not && words.otherwise == Otherwise::read_only)
        words.access = Access::read_only;
    if (words.access == Access::read_only)
        image.file = ::open(options.image.c_str(), O_RDONLY | O_CLOEXEC);
    auto const end = image.file < 0 ? -1 : ::lseek(image.file, 0, SEEK_END);
    if (options.partition != 0 && end > 0) {
        auto const found = find_partition(image.file, static_cast<u64>(end), options.partition);
        if (!found.refusal.empty())
            return options.image + " " + found.refusal + ".";
        image.window = found.window;
    }
    return refuse_image(options.image, words.access, image.window);
}

} // namespace

int mount_image(MountOptions const& options)
{
    auto words = read_mount_words(options.words);
    if (!words.refusal.empty()) {
        fail(words.refusal);
        return exit_usage;
    }
    if (words.offset && options.partition != 0) {
        fail("--partition and -o offset= name two places; say one of them.");
        return exit_usage;
    }
    auto const wanted = words.access;
    Image image;
    if (options.volume == Volume::ext4) {
        if (auto const refusal = open_image(options, words, image))
            return fail(*refusal);
    }
    if (auto const refusal = refuse_place(options.directory, words))
        return fail(*refusal);
    if (words.access != wanted)
        std::fprintf(stderr, "gemel: %s cannot be written: only reading.\n", options.image.c_str());
    if (options.ground == Ground::fore)
        return run_mounted(options, words, image, -1);
    return run_in_background(options, words, image);
}

} // namespace gemel::cli
