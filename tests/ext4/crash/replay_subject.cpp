#include "tests/ext4/crash/replay_subject.hpp"

#include "servers/ext4/recovery.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

// Writes to the device what differs between the two images.
void write_difference(RecordingDevice& device, std::vector<u8> const& wanted,
    std::vector<u64> const& blocks, u32 bytes)
{
    std::vector<u8> there(bytes);
    for (auto const block : blocks) {
        auto const at = block * bytes;
        (void)device.read(at, there);
        auto const part = std::span(wanted).subspan(at, bytes);
        if (!std::equal(part.begin(), part.end(), there.begin()))
            (void)device.write(at, part);
    }
}

} // namespace

ReplaySubject::ReplaySubject(std::vector<std::vector<u8>> images)
    : images_(std::move(images))
{
    MemoryDevice first(images_[0]);
    MountReport report;
    CollectedErrors errors;
    auto const super = load_superblock(first, report);
    if (!super)
        throw std::runtime_error(report.refusal);
    block_bytes_ = super->block_bytes;
    Disk disk(first, errors, *super);
    auto const journal = Journal::open(disk, report);
    for (u64 block = 0; block < super->blocks; ++block)
        compared_.push_back(
            !journal->owns(block) && block != superblock_offset / super->block_bytes);
}

std::vector<u8> ReplaySubject::block_of(usize step, u64 block) const
{
    auto const start = images_[step].begin() + static_cast<std::ptrdiff_t>(block * block_bytes_);
    return { start, start + block_bytes_ };
}

// Blocks in which the step differs from the one before.
ReplaySubject::Blocks ReplaySubject::changes(usize step, Journal const& journal) const
{
    Blocks blocks;
    for (u64 block = 0; block < compared_.size(); ++block) {
        if (!journal.owns(block) && block_of(step, block) != block_of(step - 1, block))
            blocks.push_back(block);
    }
    return blocks;
}

void ReplaySubject::write_all(RecordingDevice& device, Forgotten forgotten)
{
    auto const flush_unless = [&](Forgotten which) {
        if (forgotten != which)
            (void)device.flush();
    };
    auto const super_block = superblock_offset / block_bytes_;
    for (usize step = 1; step < images_.size(); ++step) {
        // The log is made in a copy; what changed there is written in the right order.
        MemoryDevice planned({ device.image() });
        LogWriter log(planned, { JournalChecksum::v3, true, 0, static_cast<u32>(100 * step) });
        auto const& journal = log.journal();
        write_difference(device, planned.bytes, { super_block, journal.place(0) }, block_bytes_);
        (void)device.flush();

        std::vector<LoggedBlock> blocks;
        for (auto const block : changes(step, journal)) {
            auto bytes = block_of(step, block);
            if (block == super_block) {
                auto const part = std::span(bytes).subspan(superblock_offset % block_bytes_, 1024);
                store32(part, 0x60, load32(part, 0x60) | 4);
                seal_superblock(part);
            }
            blocks.push_back({ block, std::move(bytes) });
        }
        log.transaction(blocks, {}, Ending::committed);
        Blocks places;
        for (auto const used : log.used())
            places.push_back(journal.place(used));
        auto const commit = places.back();
        places.pop_back();
        write_difference(device, planned.bytes, places, block_bytes_);
        flush_unless(Forgotten::flush_before_commit);
        write_difference(device, planned.bytes, { commit }, block_bytes_);
        if (forgotten == Forgotten::flush_before_promise)
            device.promise(static_cast<u32>(step));
        flush_unless(Forgotten::flush_after_commit);
        device.promise(static_cast<u32>(step));

        for (auto const& block : blocks)
            (void)device.write(block.target * block_bytes_, block.bytes);
        flush_unless(Forgotten::flush_before_emptying);
        MemoryDevice emptied({ device.image() });
        MountReport report;
        CollectedErrors errors;
        if (!recover(emptied, errors, report))
            throw std::runtime_error(report.refusal);
        write_difference(device, emptied.bytes, { journal.place(0) }, block_bytes_);
        (void)device.flush();
        write_difference(device, emptied.bytes, { super_block }, block_bytes_);
        (void)device.flush();
    }
}

std::optional<std::string> ReplaySubject::verify(BlockReader& recovered, u32 promised)
{
    bytes_.resize(recovered.size_bytes());
    (void)recovered.read(0, bytes_);
    for (auto step = static_cast<usize>(promised); step < images_.size(); ++step) {
        bool same = true;
        for (u64 block = 0; same && block < compared_.size(); ++block) {
            same = !compared_[block]
                || std::memcmp(bytes_.data() + block * block_bytes_,
                       images_[step].data() + block * block_bytes_, block_bytes_)
                    == 0;
        }
        if (same)
            return {};
    }
    return "it is none of the steps from " + std::to_string(promised) + " on";
}

} // namespace gemel::ext4::test
