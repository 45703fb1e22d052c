// What the user asked for, after the command line was read and checked.
#pragma once

#include "frontends/cli/image_check.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gemel::cli {

enum class Verbosity { quiet, verbose };
enum class Tracing { off, on };
enum class Walls { none, between_tasks }; // hosted: whether loads and stores stay in their task

// Hosted: processors take turns on one host thread, or each has its own.
enum class Turns { taken, none };

struct RunOptions {
    std::string image; // empty: the default disk
    std::optional<std::string> script;
    std::string fuse_directory; // of the host, where the disk is to be seen; empty: nowhere
    Access access = Access::read_only;
    unsigned memory_mib = 256; // 16..16384
    unsigned cpus = 1; // 1..8
    Turns turns = Turns::taken;
    Tracing tracing = Tracing::off;
    Walls walls = Walls::none;
    Verbosity verbosity = Verbosity::quiet;
    std::string block_log; // a file that gets what is asked of the disk; empty: none
    // Where the session is recorded (gemel record); empty: nowhere, unless record_last says so.
    std::string record_to;
    // A crash leaves a recording of at least this much: 60s. Empty: none.
    std::string record_last;
};

struct BootOptions {
    RunOptions run;
    std::string arch; // "x86_64" or "arm64"
    std::vector<std::string> qemu_words; // added to QEMU's command as they are
};

enum class Ground { back, fore };
enum class Volume { ext4, tmpfs }; // tmpfs: for tests of the mount itself

struct MountOptions {
    std::string image;
    std::string directory;
    std::vector<std::string> words; // of -o, as given
    unsigned partition = 0; // 0: the whole image
    Ground ground = Ground::back;
    Volume volume = Volume::ext4;
    Verbosity verbosity = Verbosity::quiet;
};

enum class WhenBusy { refuse, detach };

struct UmountOptions {
    std::string directory;
    WhenBusy busy = WhenBusy::refuse;
};

// look: nothing is written; replay: the journal is; repair: what can be put right too.
enum class FsckWay { look, replay, repair };

struct FsckOptions {
    std::string image;
    FsckWay way = FsckWay::look;
};

// Exit statuses of the program (docs/errors.md).
inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 1;
inline constexpr int exit_failed = 2;
inline constexpr int exit_fsck_usage = 16; // fsck's are e2fsck's, where 1 means "repaired"
inline constexpr int exit_gemel_failed = 125; // under -c, where the others are the script's own

// Each prints its own messages and returns the exit status of the program.
int run_hosted(RunOptions options);
std::string default_recording_name(); // for RunOptions::record_to
int boot_native(BootOptions options);
int mount_image(MountOptions const& options);
int umount_directory(UmountOptions const& options);
int check_image(FsckOptions const& options);

// The image to use, checked: the one given or the default disk. Null after a message.
std::optional<std::string> image_for(RunOptions& options);

} // namespace gemel::cli
