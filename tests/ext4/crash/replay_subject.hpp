// A journaling writer without a file system: it takes a volume through a sequence of images, each
// step one transaction, in the order of writes and flushes that a real one must keep. It can be
// told to forget a flush, so that the campaign can be seen to notice.
#pragma once

#include "tests/ext4/crash/campaign.hpp"
#include "tests/ext4/log_writer.hpp"

namespace gemel::ext4::test {

enum class Forgotten : u8 {
    nothing,
    flush_before_commit,
    flush_after_commit, // before blocks are written in their places
    flush_before_promise,
    flush_before_emptying, // the log, once the blocks are in their places
};

class ReplaySubject final : public Subject {
public:
    // `images`: clean volumes of the same format, which differ in what was done to them.
    explicit ReplaySubject(std::vector<std::vector<u8>> images);

    // Writes all steps to `device`, which holds the first image.
    void write_all(RecordingDevice& device, Forgotten forgotten);
    std::optional<std::string> verify(BlockReader& recovered, u32 promised) override;

private:
    using Blocks = std::vector<u64>;

    Blocks changes(usize step, Journal const& journal) const;
    std::vector<u8> block_of(usize step, u64 block) const;

    std::vector<std::vector<u8>> images_;
    u32 block_bytes_ = 0;
    std::vector<u8> bytes_; // what was recovered
    std::vector<bool> compared_; // blocks that are not the journal's or the superblock's
};

} // namespace gemel::ext4::test
