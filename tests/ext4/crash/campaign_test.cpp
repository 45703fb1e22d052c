// The campaign itself: it finds nothing where writes are ordered as they must be, and finds each
// flush that is left out.
#include "tests/ext4/crash/replay_subject.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

// Volumes after each of a few changes by debugfs.
std::vector<std::vector<u8>> make_steps()
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    auto const file = folder.path() / "file";
    write_host_file(file, std::vector<u8>(2500, 'a'));
    run("mkfs.ext4 -q -F -b 1024 -N 32 -J size=1 -E lazy_itable_init=0 " + quoted(image) + " 3M");
    std::vector<std::vector<u8>> steps { read_host_file(image) };
    for (auto const& change : { "write " + file.string() + " one", std::string("mkdir folder"),
             "write " + file.string() + " folder/two", std::string("rm one"),
             std::string("symlink short target") }) {
        run("debugfs -w -R \"" + change + "\" " + quoted(image));
        steps.push_back(read_host_file(image));
    }
    return steps;
}

CampaignResult run_with(Forgotten forgotten, CampaignOptions const& options)
{
    auto const steps = make_steps();
    ReplaySubject subject(steps);
    RecordingDevice device(steps[0]);
    subject.write_all(device, forgotten);
    return run_campaign(steps[0], device, subject, options);
}

// Goal: recovery loses nothing that was committed and keeps nothing that was not, wherever the
// power is cut, in the recovery as well.
TEST(CrashCampaign, AnOrderlyWriterNeverFails)
{
    auto const result = run_with(Forgotten::nothing, {});
    for (auto const& failure : result.failures)
        ADD_FAILURE() << failure;
    std::printf("crash states: %llu tried, %llu distinct, %llu of recoveries\n",
        static_cast<unsigned long long>(result.tried),
        static_cast<unsigned long long>(result.distinct),
        static_cast<unsigned long long>(result.recoveries_cut));
    EXPECT_GT(result.distinct, 1000u);
    EXPECT_GT(result.recoveries_cut, 500u);
}

// Goal: the campaign can fail.
TEST(CrashCampaign, EveryForgottenFlushIsFound)
{
    for (auto const forgotten : { Forgotten::flush_before_commit, Forgotten::flush_after_commit,
             Forgotten::flush_before_promise, Forgotten::flush_before_emptying }) {
        auto const result = run_with(forgotten, { .failures_max = 1 });
        EXPECT_FALSE(result.failures.empty()) << static_cast<int>(forgotten);
    }
}

} // namespace

} // namespace gemel::ext4::test
