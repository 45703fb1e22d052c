// Checks a whole volume: every structure, and that they agree with each other.
#pragma once

#include "servers/ext4/block_reader.hpp"
#include "servers/ext4/error_sink.hpp"
#include "servers/ext4/mount_report.hpp"

#include <vector>

namespace gemel::ext4 {

struct CheckSummary {
    u64 problems = 0; // sentences told to the sink
    u32 inodes_used = 0;
    u32 directories = 0;
    u64 blocks_used = 0;
    u32 orphans = 0; // deleted files that wait to be freed: no problem
};

// Tells `problems` each thing that is wrong. `device` must be constant meanwhile; a volume whose
// journal is to be replayed is checked as its replay would leave it. Errors: what cannot be checked
// at all is explained in `report` (Error::unsupported, Error::corrupt for a superblock or a journal
// that makes no sense), the device's errors pass through.
Result<CheckSummary> check_volume(BlockReader& device, ErrorSink& problems, MountReport& report);

// How a problem is put right without a guess; in the order in which that is done, since what comes
// first changes what is counted later.
enum class Remedy : u8 {
    none, // it takes a choice that nobody but a person can make
    field, // what other structures say is written into the one that differs
    bitmap, // what is in use is marked, and nothing else
    count,
    checksum, // nothing else is wrong with what it sums
    reconnect, // it gets a name in lost+found
};
// What a person is told about it.
std::string_view text_of(Remedy remedy);

// Bytes for a place on the device.
struct Patch {
    u64 offset;
    std::vector<u8> bytes;
};
Patch patch16(u64 offset, u32 value);
Patch patch32(u64 offset, u32 value);

struct Finding {
    std::string sentence;
    Remedy remedy = Remedy::none;
    std::vector<Patch> patches {}; // checksums of what they change are wrong then
    u32 inode = 0; // to reconnect; 0: another finding's repair reaches it too
};

// The superblock's totals count only once a volume was unmounted; a repair leaves it so.
enum class Totals : u8 { when_clean, always };

struct Examination {
    static constexpr usize findings_max = 10'000; // more are counted, and kept no more

    CheckSummary summary;
    std::vector<Finding> findings;
};

// The same with what can be done about each problem.
Result<Examination> examine_volume(BlockReader& device, MountReport& report, Totals totals);

} // namespace gemel::ext4
