// What the tests of the file system under power cuts share: an image, campaigns on it, and their
// numbers.
#pragma once

#include "tests/ext4/crash/volume_subject.hpp"

#include <chrono>
#include <functional>
#include <gtest/gtest.h>

namespace gemel::ext4::test {

class VolumeCrash : public testing::Test {
protected:
    using Work = std::function<void(VolumeSubject&)>;

    // GEMEL_TEST_LONG: some hours rather than a minute.
    static bool is_long();
    void SetUp() override;
    void TearDown() override;
    void make_image(std::string const& options, std::string const& size = "3M");
    // Cuts the power at each moment of `work`.
    void campaign(std::string const& name, u64 seed, Work const& work);
    // Steps at random, of which one in `sync_every` is followed by one of the ways to sync.
    void random_steps(VolumeSubject& subject, std::mt19937_64& random, int steps,
        std::span<Operation const> among, u32 sync_every = 6);
    static SyncWay any_way(std::mt19937_64& random)
    {
        return static_cast<SyncWay>(random() % sync_ways);
    }

    TemporaryFolder folder_;
    std::vector<u8> image_;
    CampaignOptions options_;
    SubjectOptions subject_options_;
    CampaignResult all_;

private:
    std::optional<Judges> judges_;
    std::chrono::steady_clock::time_point began_;
};

std::vector<Operation> all_operations();

} // namespace gemel::ext4::test
