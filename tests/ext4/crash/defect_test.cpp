// The model of what is durable can fail: each way to sync, done wrong, is found.
#include "tests/ext4/crash/volume_subject.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

struct Planted {
    Defect defect;
    char const* what;
    char const* told; // in the failure
};

constexpr Planted planted[] {
    { Defect::file_sync_is_not_flushed, "fsync of a file does not flush", "not a state since" },
    { Defect::file_sync_flushes_once, "the commit may come before what it commits",
        "that it did not have" },
    { Defect::file_sync_leaves_times, "fsync leaves times to a later commit", "has times" },
    { Defect::contents_sync_leaves_size, "fdatasync leaves the size", "bytes" },
    { Defect::directory_sync_is_of_contents, "fsync of a directory leaves its names", "names" },
    { Defect::replacement_comes_first, "a new name comes before the bytes",
        "that it did not have" },
};

void work_with(VolumeSubject& subject, Defect defect)
{
    switch (defect) {
    case Defect::none:
        break;
    case Defect::file_sync_is_not_flushed:
    case Defect::file_sync_flushes_once:
        subject.perform(Operation::append);
        return subject.sync(SyncWay::file);
    case Defect::file_sync_leaves_times:
        subject.perform(Operation::overwrite);
        return subject.sync(SyncWay::file);
    case Defect::contents_sync_leaves_size:
        subject.perform(Operation::append);
        return subject.sync(SyncWay::contents);
    case Defect::directory_sync_is_of_contents:
        subject.perform(Operation::create);
        return subject.sync(SyncWay::directory);
    case Defect::replacement_comes_first:
        subject.replace({});
        return subject.sync(SyncWay::volume);
    }
}

std::vector<std::string> failures_with(
    std::vector<u8> const& image, Defect work, Defect defect, u64 seed)
{
    RecordingDevice device(image);
    VolumeSubject subject(device, { .seed = seed, .defect = defect });
    work_with(subject, work);
    return run_campaign(image, device, subject, { .crash_again_every = 0 }).failures;
}

} // namespace

// Goal: the model of what each sync makes durable can fail.
// Method: each defect in a workload of two steps, by some seed; without it the same finds nothing.
TEST(CrashDefects, EveryWrongSyncIsFound)
{
    TemporaryFolder folder;
    auto const path = folder.path() / "image";
    run("mkfs.ext4 -q -F -b 1024 -N 64 -J size=1 -E lazy_itable_init=0 " + quoted(path) + " 3M");
    auto const image = read_host_file(path);
    for (auto const& each : planted) {
        bool found = false;
        for (u64 seed = 1; seed <= 8 && !found; ++seed) {
            for (auto const& failure : failures_with(image, each.defect, each.defect, seed))
                found |= failure.find(each.told) != std::string::npos;
            for (auto const& failure : failures_with(image, each.defect, Defect::none, seed))
                ADD_FAILURE() << "without a defect: " << failure;
        }
        EXPECT_TRUE(found) << each.what;
    }
}

} // namespace gemel::ext4::test
