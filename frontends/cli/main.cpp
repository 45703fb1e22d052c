// The gemel program: reads the command line (CLI11) and hands over to one function per sub-command.
// ./gemel builds and starts it; what needs no built program (test, bench, doctor) is a script.
#include "frontends/cli/host_threads.hpp"
#include "frontends/cli/options.hpp"
#include "frontends/cli/sim_commands.hpp"

#include <CLI/CLI.hpp>

namespace gemel::cli {

namespace {

// The options that every way of starting the system shares.
void add_run_options(CLI::App& command, RunOptions& options)
{
    command.add_option("IMAGE", options.image,
        "a disk image made by mkfs.ext4 (default: Gemel's own disk, made at the first start)");
    command.add_option("-c,--command", options.script,
        "run this script instead of the prompt; its status is the exit status");
    command.add_flag(
        "--rw", [&](std::int64_t) { options.access = Access::read_write; },
        "open IMAGE for writing too");
    command.add_option("--memory", options.memory_mib, "the machine's memory in MiB")
        ->check(CLI::Range(16u, 16384u))
        ->capture_default_str();
    command.add_option("--cpus", options.cpus, "how many processors the machine has")
        ->check(CLI::Range(1u, 8u))
        ->capture_default_str();
    command.add_flag(
        "--verbose", [&](std::int64_t) { options.verbosity = Verbosity::verbose; },
        "show the boot and the log");
}

void add_mount_options(CLI::App& command, MountOptions& options)
{
    command.add_option("IMAGE", options.image, "a disk image made by mkfs.ext4")->required();
    command.add_option("DIR", options.directory, "an empty directory")->required();
    command
        .add_option("-o", options.words,
            "ro, rw (or else refused), allow_other, offset=BYTES, and what mount(8) knows of "
            "nodev, "
            "noatime ...")
        ->delimiter(',');
    command.add_option("--partition", options.partition, "a partition of the image (MBR or GPT)")
        ->check(CLI::Range(1u, 1024u));
    command.add_flag(
        "-f,--foreground", [&](std::int64_t) { options.ground = Ground::fore; },
        "stay, and end with the mount");
    command.add_flag(
        "--verbose", [&](std::int64_t) { options.verbosity = Verbosity::verbose; },
        "show the boot and the log (with -f)");
    command
        .add_flag(
            "--tmpfs", [&](std::int64_t) { options.volume = Volume::tmpfs; }, "")
        ->group("");
}

void add_fsck_options(CLI::App& command, FsckOptions& options)
{
    command.add_option("IMAGE", options.image, "an ext2, ext3 or ext4 image")->required();
    command.add_flag(
        "-y,--repair", [&](std::int64_t) { options.way = FsckWay::repair; },
        "put right what takes no guess; nothing is changed where one thing does");
    command
        .add_flag(
            "--rw", [&](std::int64_t) { options.way = FsckWay::replay; },
            "replay the journal, and write nothing else")
        ->excludes("--repair");
    command.footer("Without -y nothing is written: a journal is read through.\n"
                   "Exit status, as e2fsck's: 0 clean, 1 repaired, 4 problems are left,\n"
                   "8 it could not be checked, 16 usage.");
}

CLI::App& add_record(CLI::App& app, RunOptions& options)
{
    auto& command
        = *app.add_subcommand("record", "the same session as `run`, in a file for `replay`");
    add_run_options(command, options);
    command.add_option(
        "-o,--output", options.record_to, "the file (default: session-DATE-TIME.gemel)");
    refuse_host_threads(command);
    return command;
}

int record_session(RunOptions options)
{
    if (options.record_to.empty())
        options.record_to = default_recording_name();
    return run_hosted(options);
}

CLI::App& add_run(CLI::App& app, RunOptions& run)
{
    auto& run_command = *app.add_subcommand("run", "the system hosted, in this terminal");
    add_run_options(run_command, run);
    run_command.add_option(
        "--fuse", run.fuse_directory, "an empty directory of the host, where the disk is seen too");
    run_command.add_flag(
        "--trace", [&](std::int64_t) { run.tracing = Tracing::on; },
        "print every message on standard error");
    auto& host_threads = *run_command.add_flag(
        "--host-threads", [&](std::int64_t) { run.turns = Turns::none; },
        "each processor of --cpus is a host thread of its own");
    run_command
        .add_flag(
            "--isolate", [&](std::int64_t) { run.walls = Walls::between_tasks; },
            "keep loads and stores inside their task, as natively; every switch costs more")
        ->excludes(&host_threads); // what can be reached is one thing for the whole process
    run_command.add_option(
        "--block-log", run.block_log, "what is asked of the disk, a line each, into this file");
    run_command
        .add_option("--record-last", run.record_last,
            "when something crashes, leave a recording of at least this long: 60s")
        ->excludes("--fuse") // what the host does there would not be written down
        ->excludes(&host_threads); // nor in which order host threads run
    return run_command;
}

CLI::App& add_umount(CLI::App& app, UmountOptions& umount)
{
    auto& umount_command = *app.add_subcommand("umount", "ends such a mount");
    umount_command.add_option("DIR", umount.directory, "where it is mounted")->required();
    umount_command.add_flag(
        "--lazy", [&](std::int64_t) { umount.busy = WhenBusy::detach; },
        "take it out of sight now; it ends when nobody uses it any more");
    return umount_command;
}

int run_command_line(int count, char** words)
{
    CLI::App app { "Gemel, an operating system in a process" };
    app.name("gemel");
    app.set_version_flag("--version", "gemel " GEMEL_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Exit status: 0 ok, 1 usage, 2 failure; with -c the script's own, 125 if Gemel failed.");

    RunOptions run;
    auto& run_command = add_run(app, run);
    RunOptions record;
    auto& record_command = add_record(app, record);

    BootOptions boot;
    auto& boot_command = *app.add_subcommand("boot", "the native image in QEMU");
    add_run_options(boot_command, boot.run);
    boot_command.add_option("--arch", boot.arch, "x86_64 or arm64")
        ->required()
        ->check(CLI::IsMember({ "x86_64", "arm64" }));
    boot_command
        .add_option("--qemu", boot.qemu_words, "one more word for QEMU: --qemu=-s --qemu=-S")
        ->type_size(1)
        ->allow_extra_args(false);

    MountOptions mount;
    auto& mount_command
        = *app.add_subcommand("mount", "an image's files in a directory of this host");
    add_mount_options(mount_command, mount);
    UmountOptions umount;
    auto& umount_command = add_umount(app, umount);
    FsckOptions fsck;
    auto& fsck_command = *app.add_subcommand("fsck", "checks an image, and repairs it");
    add_fsck_options(fsck_command, fsck);
    SimCommands simulator { app };

    try {
        app.parse(count, words);
    } catch (CLI::ParseError const& error) {
        auto const wrong = fsck_command.parsed() ? exit_fsck_usage : exit_usage;
        return app.exit(error) == 0 ? exit_ok : wrong;
    }
    if (mount_command.parsed())
        return mount_image(mount);
    if (umount_command.parsed())
        return umount_directory(umount);
    if (fsck_command.parsed())
        return check_image(fsck);
    if (auto const status = simulator.run({ words, words + count }))
        return *status;
    if (record_command.parsed())
        return record_session(record);
    return run_command.parsed() ? run_hosted(run) : boot_native(boot);
}

} // namespace

} // namespace gemel::cli

int main(int count, char** words)
{
    gemel::cli::run_simulation_words(count, words);
    return gemel::cli::run_command_line(count, words);
}
