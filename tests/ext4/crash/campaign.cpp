#include "tests/ext4/crash/campaign.hpp"

#include "servers/ext4/check/check.hpp"
#include "servers/ext4/recovery.hpp"
#include "tests/ext4/host.hpp"

#include <algorithm>
#include <sstream>

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
        bool const judge
            = options_.judge_every != 0 && result_.distinct % options_.judge_every == 0;
        if (!fault && judge)
            fault = ask_e2fsck(state);
        if (fault)
            result_.failures.push_back(state.name + ": " + *fault);
        return result_.failures.size() < options_.failures_max;
    }

    CampaignResult result_;

private:
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
        RecordingDevice recovering({ state.image.begin(), state.image.end() });
        if (auto const fault = recover_on(recovering))
            return fault;
        std::optional<std::string> fault;
        std::vector<u8> bytes(state.image.size());
        CrashStates states({ state.image.begin(), state.image.end() }, recovering,
            { cut_writes_max, 8, 2, options_.states.seed });
        states.each([&](CrashState const& cut) {
            CowDevice device(cut.image);
            fault = recover_on(device);
            (void)device.read(0, bytes);
            if (!fault && bytes != recovering.image())
                fault = "a second recovery came to something else";
            if (fault)
                fault = "recovery cut at " + cut.name + ": " + *fault;
            return !fault;
        });
        result_.recoveries_cut += states.distinct();
        return fault;
    }

    std::optional<std::string> ask_e2fsck(CrashState const& state)
    {
        ++result_.judged;
        CowDevice device(state.image);
        (void)recover_on(device);
        std::vector<u8> bytes(state.image.size());
        (void)device.read(0, bytes);
        write_host_file(options_.judge_file, bytes);
        if (orphans_ > 0) {
            if (auto const fault = let_e2fsck_free_orphans())
                return fault;
        }
        auto const said
            = run("e2fsck -fn " + quoted(fs::path(options_.judge_file)) + "; echo status $?");
        if (said.find("status 0\n") != std::string::npos)
            return {};
        return "e2fsck says:\n" + said;
    }

    // Where it may only look, e2fsck calls orphans damage; where it may write it frees them, and
    // must find nothing else to do.
    std::optional<std::string> let_e2fsck_free_orphans() const
    {
        auto const said = run_up_to("e2fsck -fp " + quoted(fs::path(options_.judge_file)), 1);
        std::istringstream lines(said);
        for (std::string line; std::getline(lines, line);) {
            bool const expected = line.find("rphan") != std::string::npos || line == "CLEARED."
                || line.find("Clearing") != std::string::npos
                || line.find("Truncating") != std::string::npos
                || line.find("non-contiguous") != std::string::npos;
            if (!expected)
                return "e2fsck, asked to free orphans, says:\n" + said;
        }
        return {};
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
    judged += other.judged;
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
