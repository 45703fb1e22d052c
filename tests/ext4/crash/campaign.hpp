// What must hold for every state that a power cut leaves.
#pragma once

#include "tests/ext4/crash/cow_device.hpp"
#include "tests/ext4/crash/crash_states.hpp"
#include "tests/ext4/crash/judges.hpp"

#include <optional>

namespace gemel::ext4::test {

// Who knows what was written and promised.
class Subject {
public:
    virtual ~Subject() = default;
    // What is wrong with a recovered volume for which promise `promised` must hold, and all before
    // it; nothing if all is well.
    virtual std::optional<std::string> verify(BlockReader& recovered, u32 promised) = 0;
};

struct CampaignOptions {
    CrashOptions states {};
    usize failures_max = 3; // then it ends
    u32 crash_again_every = 16; // states between two whose recovery is cut, too; 0: none
    Judges* judges
        = nullptr; // e2fsck, if it is to look at some of them; tells what it found itself
    std::string workload {}; // for the names of states
};

struct CampaignResult {
    u64 tried = 0;
    u64 distinct = 0;
    u64 recoveries_cut = 0; // states of a power cut during the recovery
    std::vector<std::string> failures; // with the state's name

    void add(CampaignResult const& other);
};

// Recovers, checks and verifies every state of the recording.
CampaignResult run_campaign(std::vector<u8> const& before, RecordingDevice const& recorded,
    Subject& subject, CampaignOptions const& options);

} // namespace gemel::ext4::test
