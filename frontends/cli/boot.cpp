// `gemel boot`: builds the native image, starts QEMU on it and passes the serial line through.
// QEMU sets the terminal to raw itself and restores it; its Ctrl-A X ends the machine.
#include "frontends/cli/image_lock.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/paths.hpp"
#include "frontends/cli/process.hpp"
#include "frontends/cli/script_word.hpp"
#include "frontends/cli/serial_filter.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

namespace gemel::cli {

namespace {

using Words = std::vector<std::string>;

struct Machine {
    std::string_view arch;
    std::string_view emulator;
    Words arguments; // the machine itself
    std::string_view kernel; // below build/<arch>/
    std::string_view disk; // the device that the drive "disk" belongs to
};

Words const x86_64_machine { "-machine", "q35", "-cpu", "max" };
Words const arm64_machine { "-machine", "virt", "-cpu", "max", "-global",
    "virtio-mmio.force-legacy=false" };

Machine machine_of(std::string const& arch)
{
    if (arch == "arm64") {
        return { arch, "qemu-system-aarch64", arm64_machine, "gemel-arm64.img",
            "virtio-blk-device,drive=disk" };
    }
    return { arch, "qemu-system-x86_64", x86_64_machine, "gemel-x86_64.elf",
        "virtio-blk-pci,drive=disk,disable-legacy=on" };
}

// A host thread for each processor, if the host has as many and one for itself: a processor that
// waits for the kernel's lock must not wait for the host's scheduler.
std::string_view accelerator(unsigned cpus)
{
    return cpus > 1 && cpus < std::thread::hardware_concurrency() ? "tcg,thread=multi"
                                                                  : "tcg,thread=single";
}

Words command_for(Machine const& machine, BootOptions const& options, std::string const& image)
{
    auto const tree = repository() + "/build/" + std::string { machine.arch } + "/";
    Words words { std::string { machine.emulator } };
    words.insert(words.end(), machine.arguments.begin(), machine.arguments.end());
    words.insert(words.end(), { "-accel", std::string { accelerator(options.run.cpus) } });
    auto const drive = "if=none,id=disk,format=raw,discard=unmap,file=" + image
        + (options.run.access == Access::read_only ? ",readonly=on" : "");
    auto const memory = std::to_string(options.run.memory_mib);
    auto const cpus = std::to_string(options.run.cpus);
    for (auto const* word :
        { "-smp", cpus.c_str(), "-m", memory.c_str(), "-nodefaults", "-no-reboot", "-display",
            "none", "-serial", "mon:stdio", "-drive", drive.c_str(), "-device" })
        words.emplace_back(word);
    words.emplace_back(machine.disk);
    words.insert(words.end(),
        { "-kernel", tree + std::string { machine.kernel }, "-initrd", tree + "bundle.cpio" });
    std::string command_line;
    if (options.run.script)
        command_line += "GEMEL_COMMAND=" + script_word(*options.run.script) + " ";
    if (options.run.script || ::isatty(STDIN_FILENO) == 0)
        command_line += "GEMEL_INTERACTIVE=0 ";
    if (options.run.verbosity == Verbosity::verbose)
        command_line += "GEMEL_VERBOSE=1 ";
    if (!command_line.empty())
        words.insert(words.end(), { "-append", command_line });
    words.insert(words.end(), options.qemu_words.begin(), options.qemu_words.end());
    return words;
}

void show(std::string_view text)
{
    while (!text.empty()) {
        auto const written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0)
            text.remove_prefix(static_cast<std::size_t>(written));
    }
}

void show_command(Words const& words)
{
    for (auto const& word : words)
        std::fprintf(stderr, "%s ", word.c_str());
    std::fprintf(stderr, "\n");
}

// Runs the emulator to its end; what it writes goes through the filter.
int run_through(SerialFilter& filter, Words const& words)
{
    int ends[2];
    if (::pipe(ends) != 0)
        return 127;
    auto const process = start_program(ending_with_us(words), ends[1]);
    ::close(ends[1]);
    char bytes[4096];
    for (;;) {
        auto const got = ::read(ends[0], bytes, sizeof bytes);
        if (got > 0)
            filter.take({ bytes, static_cast<std::size_t>(got) });
        else if (got == 0 || errno != EINTR)
            break;
    }
    ::close(ends[0]);
    filter.finish();
    return process < 0 ? 127 : wait_for(process);
}

int outcome(SerialFilter const& filter, BootOptions const& options, int emulator_status)
{
    if (filter.status())
        return *filter.status();
    if (!options.run.script && filter.up() && emulator_status == 0)
        return exit_ok; // the user left by Ctrl-A X
    std::fprintf(stderr,
        "%sgemel: the machine ended without saying its status (emulator status %d)\n",
        filter.hidden().c_str(), emulator_status);
    return options.run.script ? exit_gemel_failed : exit_failed;
}

bool ready(Machine const& machine)
{
    auto const scripts = repository() + "/scripts/";
    auto const arch = std::string { machine.arch };
    if (run_program({ scripts + "packages.sh", "boot-" + arch }) != 0)
        return false;
    if (find_program(std::string { machine.emulator }).empty()) {
        std::fprintf(stderr, "gemel: %s is not on PATH. Debian's package is %s.\n",
            machine.emulator.data(), arch == "arm64" ? "qemu-system-arm" : "qemu-system-x86");
        return false;
    }
    return run_program({ scripts + "build.sh", arch }) == 0;
}

} // namespace

int boot_native(BootOptions options)
{
    auto const failed = options.run.script ? exit_gemel_failed : exit_failed;
    auto const machine = machine_of(options.arch);
    if (options.run.script && script_word(*options.run.script).size() > script_word_bytes_max) {
        std::fprintf(stderr,
            "gemel: the script is too long for the machine's command line. Put it in a file of the "
            "image and use -c 'gsh FILE'.\n");
        return failed;
    }
    auto const image = image_for(options.run);
    if (!image || !ready(machine))
        return failed;
    // Held here while QEMU runs: its own locks are not those that `run` and `mount` take.
    auto const descriptor = ::open(image->c_str(), O_RDONLY | O_CLOEXEC);
    if (auto const refusal = lock_image(descriptor, *image, options.run.access)) {
        std::fprintf(
            stderr, "gemel: %s Leave that first, or give another image.\n", refusal->c_str());
        return failed;
    }
    auto const scripted = options.run.script.has_value();
    if (!scripted && ::isatty(STDIN_FILENO))
        std::fprintf(stderr, "gemel: QEMU is starting; leave it with Ctrl-A X (or `shutdown`).\n");
    auto const quiet = scripted && options.run.verbosity == Verbosity::quiet;
    SerialFilter filter { quiet ? BootText::hide : BootText::show,
        scripted ? Use::script : Use::prompt, show };
    auto const command = command_for(machine, options, *image);
    if (options.run.verbosity == Verbosity::verbose)
        show_command(command);
    auto const status = run_through(filter, command);
    return outcome(filter, options, status);
}

} // namespace gemel::cli
