// The order of writes is what makes it safe; each function says what must be durable before it.
#include "servers/ext4/journal_writer.hpp"

#include "core/base/site.hpp"
#include "servers/ext4/checksum.hpp"
#include "servers/ext4/journal_checksum.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace format = journal;

namespace {

constexpr u32 log_blocks_min = 64;
constexpr usize run_bytes_max = 1 << 18; // of one write of the log or of a checkpoint

bool looks_like_log(Bytes content)
{
    return format::load_be32(content, 0) == format::magic;
}

Error refuse(MountReport& report, std::string_view why)
{
    report.refusal = sentence("the journal cannot be written: ", why);
    return Error::unsupported;
}

} // namespace

Result<JournalWriter> JournalWriter::open(Disk& disk, BlockDevice& device, MountReport& report)
{
    auto journal = TRY(Journal::open(disk, report));
    auto const& super = journal.super();
    if (super.start != 0)
        return refuse(report, "it still has to be replayed");
    if (super.error != 0)
        return refuse(report, "an error is recorded in it; run e2fsck");
    if (super.async_commit || super.fast_commit_first != 0)
        return refuse(report, "it has fast_commit or asynchronous commits");
    if (super.log_blocks() < log_blocks_min)
        return refuse(report, "it is too small");
    JournalWriter writer(std::move(journal), device);
    writer.superblock_.resize(format::super::bytes);
    writer.log_.reserve(std::max<usize>(run_bytes_max, writer.block_bytes_));
    writer.escaped_.resize(writer.block_bytes_);
    TRY(disk.contents(writer.journal_.place(0), 0, writer.superblock_, writer.journal_.inode()));
    TRY(writer.set_features(disk.super()));
    return writer;
}

// A version 1 superblock has no room for features.
Result<void> JournalWriter::set_features(Superblock const& volume)
{
    if (super_.version == 1)
        return {};
    std::span<u8> const bytes(superblock_);
    auto incompatible = format::load_be32(bytes, format::super::incompatible);
    auto compatible = format::load_be32(bytes, format::super::compatible);
    incompatible |= format::incompatible_revoke;
    if (volume.has(Incompatible::wide)) {
        incompatible |= format::incompatible_wide;
        super_.wide = true;
    }
    if (volume.has(ReadOnlyCompatible::metadata_csum)) {
        incompatible &= ~format::incompatible_checksum_v2;
        incompatible |= format::incompatible_checksum_v3;
        compatible &= ~format::compatible_checksum_v1;
        super_.checksum = JournalChecksum::v3;
    }
    // Version 1 sums whole transactions; nothing obliges a writer to.
    if (super_.checksum == JournalChecksum::v1) {
        compatible &= ~format::compatible_checksum_v1;
        super_.checksum = JournalChecksum::none;
    }
    if (super_.has_tails())
        store8(bytes, format::super::checksum_type, format::checksum_type_crc32c);
    super_.checksum_seed = crc32c(crc32c_start, bytes.subspan(format::super::uuid, 16));
    format::store_be32(bytes, format::super::incompatible, incompatible);
    format::store_be32(bytes, format::super::compatible, compatible);
    return {};
}

Result<void> JournalWriter::write_superblock(u32 start)
{
    std::span<u8> const bytes(superblock_);
    format::store_be32(bytes, format::super::sequence, sequence_);
    format::store_be32(bytes, format::super::start, start);
    TRY(put_superblock());
    tail_ = start;
    return {};
}

Result<void> JournalWriter::put_superblock()
{
    std::span<u8> const bytes(superblock_);
    if (super_.has_tails())
        format::store_be32(bytes, format::super::checksum, journal_super_checksum(bytes));
    return device_->write(journal_.place(0) * block_bytes_, bytes);
}

usize JournalWriter::tail_bytes() const
{
    return super_.has_tails() ? format::tail_bytes : 0;
}

u64 JournalWriter::free_blocks() const
{
    if (tail_ == 0)
        return log_blocks();
    auto const used = head_ >= tail_ ? head_ - tail_ : log_blocks() - (tail_ - head_);
    return log_blocks() - used;
}

usize JournalWriter::tags_per_descriptor() const
{
    return (block_bytes_ - format::head::bytes - format::tag::uuid_bytes - tail_bytes())
        / super_.tag_bytes();
}

usize JournalWriter::revokes_per_block() const
{
    return (block_bytes_ - format::revoke::first_record - tail_bytes()) / (super_.wide ? 8 : 4);
}

u64 JournalWriter::blocks_needed(Transaction const& transaction) const
{
    auto const blocks = transaction.running().size();
    auto const revokes = transaction.revoked().size();
    return blocks + (blocks + tags_per_descriptor() - 1) / tags_per_descriptor()
        + (revokes + revokes_per_block() - 1) / revokes_per_block() + 1;
}

void JournalWriter::put_head(std::span<u8> block, format::BlockType type) const
{
    format::store_be32(block, 0, format::magic);
    format::store_be32(block, format::head::type, static_cast<u32>(type));
    format::store_be32(block, format::head::sequence, sequence_);
}

void JournalWriter::seal_tail(std::span<u8> block) const
{
    if (super_.has_tails()) {
        format::store_be32(
            block, block.size() - format::tail_bytes, journal_tail_checksum(super_, block));
    }
}

// The next block of the log, zeros; what was made before may be written out for it.
Result<std::span<u8>> JournalWriter::next_block()
{
    if (log_.size() + block_bytes_ > log_.capacity())
        TRY(write_log());
    auto const start = log_.size();
    log_.resize(start + block_bytes_);
    return std::span(log_).subspan(start);
}

Result<void> JournalWriter::append_revokes(Transaction const& transaction)
{
    bool const wide = super_.wide;
    auto next = transaction.revoked().begin();
    while (next != transaction.revoked().end()) {
        SOMETIMES("ext4.revoke_written");
        auto const block = TRY(next_block());
        put_head(block, format::BlockType::revoke);
        auto at = format::revoke::first_record;
        for (usize count = 0; count < revokes_per_block() && next != transaction.revoked().end();
             ++count, ++next) {
            if (wide)
                format::store_be32(block, at, static_cast<u32>(*next >> 32));
            format::store_be32(block, at + (wide ? 4 : 0), static_cast<u32>(*next));
            at += wide ? 8 : 4;
        }
        format::store_be32(block, format::revoke::used_bytes, static_cast<u32>(at));
        seal_tail(block);
    }
    return {};
}

void JournalWriter::put_tag(std::span<u8> tag, u64 block, u32 flags, Bytes content) const
{
    format::store_be32(tag, format::tag::block, static_cast<u32>(block));
    if (super_.wide || super_.checksum == JournalChecksum::v3)
        format::store_be32(tag, format::tag::block_high, static_cast<u32>(block >> 32));
    auto const sum = super_.has_tails() ? journal_data_checksum(super_, sequence_, content) : 0;
    if (super_.checksum == JournalChecksum::v3) {
        format::store_be32(tag, format::tag::flags_v3, flags);
        format::store_be32(tag, format::tag::checksum_v3, sum);
        return;
    }
    // Two 16-bit numbers beside each other: checksum, flags.
    format::store_be32(tag, format::tag::checksum_v2, (sum & 0xFFFF) << 16 | flags);
}

// A block that looks like one of the log's own has zeros in the place of the magic number.
Bytes JournalWriter::as_logged(Bytes content)
{
    if (!looks_like_log(content))
        return content;
    std::copy(content.begin(), content.end(), escaped_.begin());
    format::store_be32(escaped_, 0, 0);
    return escaped_;
}

void JournalWriter::fill_descriptor(
    std::span<u8> descriptor, Blocks::const_iterator next, usize count)
{
    put_head(descriptor, format::BlockType::descriptor);
    auto at = format::head::bytes;
    for (usize each = 0; each < count; ++each, ++next) {
        Bytes const content(*next->second.bytes);
        u32 flags = each == 0 ? 0 : format::tag::same_uuid;
        if (each + 1 == count)
            flags |= format::tag::last;
        if (looks_like_log(content))
            flags |= format::tag::escaped;
        put_tag(descriptor.subspan(at, super_.tag_bytes()), next->first, flags, as_logged(content));
        at += super_.tag_bytes();
        if (each == 0) {
            std::copy_n(superblock_.begin() + format::super::uuid, format::tag::uuid_bytes,
                descriptor.begin() + static_cast<std::ptrdiff_t>(at));
            at += format::tag::uuid_bytes;
        }
    }
    seal_tail(descriptor);
}

Result<void> JournalWriter::append_blocks(Blocks const& blocks)
{
    auto next = blocks.begin();
    for (auto left = blocks.size(); left > 0;) {
        auto const count = std::min(left, tags_per_descriptor());
        fill_descriptor(TRY(next_block()), next, count);
        for (usize each = 0; each < count; ++each, ++next) {
            auto const content = as_logged(*next->second.bytes);
            std::copy(content.begin(), content.end(), TRY(next_block()).begin());
        }
        left -= count;
    }
    return {};
}

Result<void> JournalWriter::append_commit(i64 now_ns)
{
    constexpr i64 ns_per_second = 1'000'000'000;
    auto const block = TRY(next_block());
    put_head(block, format::BlockType::commit);
    auto const seconds = static_cast<u64>(now_ns / ns_per_second);
    format::store_be32(block, format::commit::seconds, static_cast<u32>(seconds >> 32));
    format::store_be32(block, format::commit::seconds + 4, static_cast<u32>(seconds));
    format::store_be32(
        block, format::commit::nanoseconds, static_cast<u32>(now_ns % ns_per_second));
    if (super_.has_tails())
        format::store_be32(block, format::commit::checksum, journal_commit_checksum(super_, block));
    return {};
}

// What was made so far goes to the head, which moves on and wraps.
Result<void> JournalWriter::write_log()
{
    for (Bytes blocks(log_); !blocks.empty();) {
        auto const place = journal_.place(head_);
        u32 count = 1;
        while (count * block_bytes_ < blocks.size() && head_ + count < super_.end
            && journal_.place(head_ + count) == place + count)
            ++count;
        auto const bytes = static_cast<usize>(count) * block_bytes_;
        TRY(device_->write_contents(place * block_bytes_, blocks.first(bytes)));
        blocks = blocks.subspan(bytes);
        head_ = super_.after(head_ + count - 1);
        if (head_ == super_.first)
            SOMETIMES("ext4.log_wraps");
    }
    log_.clear();
    return {};
}

// Needs no memory of its own: it is called when there may be none, and what it began it ends.
Result<void> JournalWriter::commit(i64 now_ns)
{
    auto& transaction = journal_.disk().transaction();
    if (transaction.empty())
        return device_->flush();
    auto const needed = blocks_needed(transaction);
    if (needed >= free_blocks()) {
        SOMETIMES("ext4.log_full");
        TRY(checkpoint());
    }
    if (needed >= free_blocks()) {
        NEVER("ext4.log_too_small"); // blocks_max() is a quarter of it
        return Error::no_space;
    }
    // In the first epoch: until the commit block follows, it points to nothing that counts.
    if (tail_ == 0)
        TRY(write_superblock(head_));
    log_.clear(); // of a commit that failed
    TRY(append_revokes(transaction));
    TRY(append_blocks(transaction.running()));
    TRY(write_log());
    TRY(device_->flush());
    TRY(append_commit(now_ns));
    TRY(write_log());
    TRY(device_->flush());
    ++sequence_;
    transaction.committed_running();
    return {};
}

Result<void> JournalWriter::record_error()
{
    constexpr u32 io_error = 0xFFFF'FFFB; // -EIO, as the kernel writes it
    format::store_be32(superblock_, format::super::error, io_error);
    TRY(put_superblock());
    return device_->flush();
}

Result<void> write_committed(Disk& disk, BlockDevice& device)
{
    u64 const block_bytes = disk.super().block_bytes;
    auto const& committed = disk.transaction().committed();
    for (auto next = committed.begin(); next != committed.end();) {
        auto const first = next->first;
        std::vector<u8> run;
        for (; next != committed.end() && next->first == first + run.size() / block_bytes
             && run.size() < run_bytes_max;
             ++next)
            run.insert(run.end(), next->second.bytes->begin(), next->second.bytes->end());
        TRY(device.write(first * block_bytes, run));
    }
    return {};
}

// The log's new start is durable before the old log is written over: else a replay could find the
// first part of it and take blocks back to what they were.
Result<void> JournalWriter::checkpoint()
{
    if (tail_ == 0)
        return {};
    TRY(write_committed(journal_.disk(), *device_));
    TRY(device_->flush());
    TRY(write_superblock(0));
    TRY(device_->flush());
    journal_.disk().take_committed();
    return {};
}

} // namespace gemel::ext4
