#include "tests/ext4/crash/campaign.hpp"

#include "servers/ext4/check/check.hpp"
#include "servers/ext4/recovery.hpp"
#include "tests/ext4/host.hpp"

#include <algorithm>

namespace gemel::ext4::test {

namespace {

constexpr u64 use_again_every = 5;
constexpr usize cut_writes_max = 6; // of one recovery, for all subsets

class Campaign {
public:
    Campaign(Subject& subject, CampaignOptions const& options)
        : subject_(subject)
        , options_(options)
    {
    }

    bool visit(CrashState const& state)
    {
        ++result_.distinct;
        auto fault = look_at(state);
        bool const again
            = options_.crash_again_every != 0 && result_.distinct % options_.crash_again_every == 0;
        if (!fault && again)
            fault = cut_recovery(state);
        if (!fault && options_.judges && options_.judges->want_next())
            ask_e2fsck(state);
        if (fault)
            result_.failures.push_back(name_of(state) + ": " + *fault);
        return result_.failures.size() < options_.failures_max;
    }

    CampaignResult result_;

private:
    std::string name_of(CrashState const& state) const
    {
        return (options_.workload.empty() ? "" : options_.workload + ", ") + state.name;
    }

    std::optional<std::string> look_at(CrashState const& state)
    {
        orphans_ = 0;
        CowDevice device(state.image);
        if (auto const fault = recover_on(device))
            return fault;
        CollectedErrors problems;
        MountReport report;
        auto const summary = check_volume(device, problems, report);
        if (!summary)
            return "the check was refused: " + report.refusal;
        if (summary->problems != 0)
            return "the check found: " + problems.sentences[0];
        orphans_ = summary->orphans;
        auto fault = subject_.verify(device, state.promised);
        if (!fault && result_.distinct % use_again_every == 0)
            fault = use_again(device);
        return fault;
    }

    // The next mount for writing leaves nothing of the accident.
    static std::optional<std::string> use_again(CowDevice& device)
    {
        CollectedErrors problems;
        MountReport report;
        auto volume = Volume::mount_writable(
            device, problems, report, { .now_ns = [] { return 1'800'000'000'000'000'000; } });
        if (!volume || !volume->writer()) {
            return "it cannot be written any more: " + report.refusal
                + (report.notes.empty() ? "" : report.notes.back());
        }
        if (!volume->writer()->unmount())
            return "unmounting failed";
        auto const summary = check_volume(device, problems, report);
        if (!summary || summary->problems != 0 || summary->orphans != 0)
            return "after the next mount: "
                + (problems.sentences.empty() ? "orphans are left" : problems.sentences[0]);
        return {};
    }

    static std::optional<std::string> recover_on(BlockDevice& device)
    {
        CollectedErrors errors;
        MountReport report;
        if (!recover(device, errors, report))
            return "recovery was refused: " + report.refusal;
        return {};
    }

    // The power goes again while the journal is replayed: the next recovery must come to the same.
    std::optional<std::string> cut_recovery(CrashState const& state)
    {
        RecordingDevice recovering(state.image);
        if (auto const fault = recover_on(recovering))
            return fault;
        std::optional<std::string> fault;
        CrashStates states(state.image, recovering, { cut_writes_max, 8, 2, options_.states.seed });
        states.each([&](CrashState const& cut) {
            CowDevice device(cut.image);
            fault = recover_on(device);
            if (!fault && !device.view().reads_as(recovering.view()))
                fault = "a second recovery came to something else";
            if (fault)
                fault = "recovery cut at " + cut.name + ": " + *fault;
            return !fault;
        });
        result_.recoveries_cut += states.distinct();
        return fault;
    }

    void ask_e2fsck(CrashState const& state)
    {
        CowDevice device(state.image);
        (void)recover_on(device);
        options_.judges->ask(name_of(state), device.view().copy(), orphans_);
    }

    Subject& subject_;
    CampaignOptions const& options_;
    u32 orphans_ = 0; // of the last state that was looked at
};

} // namespace

void CampaignResult::add(CampaignResult const& other)
{
    tried += other.tried;
    distinct += other.distinct;
    recoveries_cut += other.recoveries_cut;
    failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

CampaignResult run_campaign(std::vector<u8> const& before, RecordingDevice const& recorded,
    Subject& subject, CampaignOptions const& options)
{
    Campaign campaign(subject, options);
    CrashStates states(before, recorded, options.states);
    states.each([&](CrashState const& state) { return campaign.visit(state); });
    campaign.result_.tried = states.tried();
    return std::move(campaign.result_);
}

} // namespace gemel::ext4::test
