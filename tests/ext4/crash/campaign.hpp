// What must hold for every state that a power cut leaves.
#pragma once

#include "tests/ext4/crash/cow_device.hpp"
#include "tests/ext4/crash/crash_states.hpp"

#include <optional>

namespace gemel::ext4::test {

// Who knows what was written and promised.
class Subject {
public:
    virtual ~Subject() = default;
    // What is wrong with a recovered volume that must hold step `promised` and all before it;
    // nothing if all is well.
    virtual std::optional<std::string> verify(BlockReader& recovered, u32 promised) = 0;
};

struct CampaignOptions {
    CrashOptions states {};
    usize failures_max = 3; // then it ends
    u32 crash_again_every = 16; // states between two whose recovery is cut, too; 0: none
    u32 judge_every = 0; // states between two that e2fsck looks at; 0: none
    std::string judge_file {}; // where an image is put for it
};

struct CampaignResult {
    u64 tried = 0;
    u64 distinct = 0;
    u64 recoveries_cut = 0; // states of a power cut during the recovery
    u64 judged = 0; // by e2fsck
    std::vector<std::string> failures; // with the state's name

    void add(CampaignResult const& other);
};

// Recovers, checks and verifies every state of the recording.
CampaignResult run_campaign(std::vector<u8> const& before, RecordingDevice const& recorded,
    Subject& subject, CampaignOptions const& options);

} // namespace gemel::ext4::test
