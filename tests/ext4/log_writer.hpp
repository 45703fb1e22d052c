// Writes journals of every kind into an image in memory: what a writer leaves behind when the power
// is cut. e2fsck is asked whether it understands them as the reader does.
#pragma once

#include "servers/ext4/journal.hpp"
#include "tests/ext4/host.hpp"

#include <optional>

namespace gemel::ext4::test {

// An image in memory. Reads and writes outside it are thrown.
class MemoryDevice final : public BlockDevice {
public:
    explicit MemoryDevice(std::vector<u8> bytes)
        : bytes(std::move(bytes))
    {
    }
    Result<void> read(u64 byte_offset, std::span<u8> target) override;
    Result<void> write(u64 byte_offset, std::span<u8 const> source) override;
    Result<void> flush() override;
    Result<void> discard(u64 byte_offset, u64 bytes) override;
    u64 size_bytes() const override { return bytes.size(); }

    std::vector<u8> bytes;
    u64 bytes_discarded = 0;
    u64 writes = 0;
    u64 flushes = 0;
    // From this write on every one fails; the device is then as a power cut leaves it.
    std::optional<u64> fails_at;
    // So often: then it works again.
    u64 failures_left = ~u64 { 0 };
};

struct LogOptions {
    JournalChecksum checksum = JournalChecksum::v3;
    bool wide = true;
    u32 start = 0; // 0: the log's first block
    u32 sequence = 1;
};

struct LoggedBlock {
    u64 target;
    std::vector<u8> bytes;
};

enum class Ending : u8 { committed, cut_off };

class LogWriter {
public:
    // `image` holds a clean volume; it is marked as one to recover.
    LogWriter(MemoryDevice& image, LogOptions options);

    // Appends one transaction; as many descriptor and revoke blocks as it needs.
    void transaction(
        std::vector<LoggedBlock> const& blocks, std::vector<u64> const& revokes, Ending ending);

    // Journal blocks written so far, in order: where damage can be done.
    std::vector<u32> const& used() const { return used_; }
    Journal const& journal() const { return *journal_; }
    u32 free_blocks() const { return super_.log_blocks() - static_cast<u32>(used_.size()); }
    // Makes the checksum of a block of the log fit again, if it is of a kind that has one.
    void seal(std::span<u8> block) const;
    JournalSuper const& super() const { return super_; }

private:
    void write_super();
    void append(std::vector<u8> bytes);
    std::vector<u8> head(journal::BlockType type) const;
    usize put_tag(std::vector<u8>& descriptor, usize offset, LoggedBlock const& block, bool first,
        bool last) const;
    void append_descriptor(std::span<LoggedBlock const> blocks);
    void append_revokes(std::span<u64 const> blocks);
    void append_commit();

    MemoryDevice& image_;
    CollectedErrors errors_;
    MountReport report_;
    std::unique_ptr<Disk> disk_;
    std::optional<Journal> journal_;
    JournalSuper super_;
    u32 position_;
    u32 sequence_;
    u64 commits_ = 0;
    u32 version_1_sum_ = 0xFFFF'FFFF;
    std::vector<u32> used_;
};

} // namespace gemel::ext4::test
