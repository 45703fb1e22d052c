#include "tests/ext4/log_writer.hpp"

#include "servers/ext4/checksum.hpp"
#include "servers/ext4/journal_checksum.hpp"
#include "servers/ext4/volume_super.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

constexpr u64 first_commit_seconds = 1'700'000'000;

void check_range(std::vector<u8> const& bytes, u64 byte_offset, usize count)
{
    if (byte_offset > bytes.size() || count > bytes.size() - byte_offset)
        throw std::logic_error("the volume went outside the device");
}

} // namespace

Result<void> MemoryDevice::read(u64 byte_offset, std::span<u8> target)
{
    check_range(bytes, byte_offset, target.size());
    std::copy_n(bytes.data() + byte_offset, target.size(), target.data());
    return {};
}

Result<void> MemoryDevice::write(u64 byte_offset, std::span<u8 const> source)
{
    check_range(bytes, byte_offset, source.size());
    if (fails_at && writes >= *fails_at && failures_left > 0) {
        --failures_left;
        return Error::io;
    }
    ++writes;
    std::copy(source.begin(), source.end(), bytes.data() + byte_offset);
    return {};
}

Result<void> MemoryDevice::discard(u64 byte_offset, u64 count)
{
    check_range(bytes, byte_offset, count);
    constexpr u8 rubbish = 0xDD;
    std::fill_n(bytes.data() + byte_offset, count, rubbish);
    bytes_discarded += count;
    return {};
}

Result<void> MemoryDevice::flush()
{
    ++flushes;
    return {};
}

LogWriter::LogWriter(MemoryDevice& image, LogOptions options)
    : image_(image)
{
    auto const super = load_superblock(image_, report_);
    if (!super)
        throw std::runtime_error(report_.refusal);
    disk_ = std::make_unique<Disk>(image_, errors_, *super);
    auto journal = Journal::open(*disk_, report_);
    if (!journal)
        throw std::runtime_error(report_.refusal);
    journal_ = std::move(*journal);
    super_ = journal_->super();
    super_.checksum = options.checksum;
    super_.wide = options.wide;
    super_.start = options.start != 0 ? options.start : super_.first;
    super_.sequence = options.sequence;
    position_ = super_.start;
    sequence_ = super_.sequence;
    write_super();
}

void LogWriter::write_super()
{
    namespace on_disk = journal::super;
    auto const bytes
        = std::span(image_.bytes)
              .subspan(journal_->place(0) * disk_->super().block_bytes, on_disk::bytes);
    journal::store_be32(bytes, on_disk::start, super_.start);
    journal::store_be32(bytes, on_disk::sequence, super_.sequence);
    auto const checksum = super_.checksum;
    journal::store_be32(bytes, on_disk::compatible, checksum == JournalChecksum::v1 ? 1 : 0);
    journal::store_be32(bytes, on_disk::incompatible,
        journal::incompatible_revoke | (super_.wide ? journal::incompatible_wide : 0)
            | (checksum == JournalChecksum::v2 ? journal::incompatible_checksum_v2 : 0)
            | (checksum == JournalChecksum::v3 ? journal::incompatible_checksum_v3 : 0));
    bytes[on_disk::checksum_type] = super_.has_tails() ? journal::checksum_type_crc32c : 0;
    super_.checksum_seed = crc32c(crc32c_start, bytes.subspan(on_disk::uuid, 16));
    journal::store_be32(bytes, on_disk::checksum, 0);
    if (super_.has_tails())
        journal::store_be32(bytes, on_disk::checksum, journal_super_checksum(bytes));

    auto const volume = std::span(image_.bytes).subspan(superblock_offset, superblock_bytes);
    store32(volume, 0x60, load32(volume, 0x60) | static_cast<u32>(Incompatible::needs_recovery));
    seal_superblock(volume);
}

void LogWriter::append(std::vector<u8> bytes)
{
    if (free_blocks() == 0)
        throw std::logic_error("the test's log is full");
    auto const offset = journal_->place(position_) * bytes.size();
    std::copy(bytes.begin(), bytes.end(), image_.bytes.data() + offset);
    used_.push_back(position_);
    position_ = super_.after(position_);
}

std::vector<u8> LogWriter::head(journal::BlockType type) const
{
    std::vector<u8> bytes(disk_->super().block_bytes);
    journal::store_be32(bytes, 0, journal::magic);
    journal::store_be32(bytes, journal::head::type, static_cast<u32>(type));
    journal::store_be32(bytes, journal::head::sequence, sequence_);
    return bytes;
}

usize LogWriter::put_tag(std::vector<u8>& descriptor, usize offset, LoggedBlock const& block,
    bool first, bool last) const
{
    using namespace journal;
    auto copy = block.bytes;
    u32 flags = (first ? 0 : tag::same_uuid) | (last ? tag::last : 0);
    if (load_be32(copy, 0) == magic) {
        flags |= tag::escaped;
        store_be32(copy, 0, 0);
    }
    auto const sum = journal_data_checksum(super_, sequence_, copy);
    store_be32(descriptor, offset + tag::block, static_cast<u32>(block.target));
    if (super_.checksum == JournalChecksum::v3) {
        store_be32(descriptor, offset + tag::flags_v3, flags);
        store_be32(descriptor, offset + tag::checksum_v3, sum);
    } else {
        store_be32(descriptor, offset + tag::checksum_v2,
            (super_.checksum == JournalChecksum::v2 ? sum << 16 : 0) | flags);
    }
    return offset + super_.tag_bytes() + (first ? tag::uuid_bytes : 0);
}

void LogWriter::append_descriptor(std::span<LoggedBlock const> blocks)
{
    auto descriptor = head(journal::BlockType::descriptor);
    usize offset = journal::head::bytes;
    for (usize index = 0; index < blocks.size(); ++index)
        offset = put_tag(descriptor, offset, blocks[index], index == 0, index + 1 == blocks.size());
    if (super_.has_tails()) {
        journal::store_be32(descriptor, descriptor.size() - journal::tail_bytes,
            journal_tail_checksum(super_, descriptor));
    }
    version_1_sum_ = crc32_plain(version_1_sum_, descriptor);
    append(std::move(descriptor));
    for (auto const& block : blocks) {
        auto copy = block.bytes;
        if (journal::load_be32(copy, 0) == journal::magic)
            journal::store_be32(copy, 0, 0);
        version_1_sum_ = crc32_plain(version_1_sum_, copy);
        append(std::move(copy));
    }
}

void LogWriter::append_revokes(std::span<u64 const> blocks)
{
    auto block = head(journal::BlockType::revoke);
    usize offset = journal::revoke::first_record;
    for (auto const each : blocks) {
        if (super_.wide) {
            journal::store_be32(block, offset, static_cast<u32>(each >> 32));
            offset += 4;
        }
        journal::store_be32(block, offset, static_cast<u32>(each));
        offset += 4;
    }
    journal::store_be32(block, journal::revoke::used_bytes, static_cast<u32>(offset));
    if (super_.has_tails()) {
        journal::store_be32(
            block, block.size() - journal::tail_bytes, journal_tail_checksum(super_, block));
    }
    append(std::move(block));
}

void LogWriter::append_commit()
{
    namespace commit = journal::commit;
    auto block = head(journal::BlockType::commit);
    journal::store_be32(
        block, commit::seconds + 4, static_cast<u32>(first_commit_seconds + commits_++));
    if (super_.checksum == JournalChecksum::v1) {
        block[commit::checksum_type] = journal::checksum_type_crc32;
        block[commit::checksum_bytes] = 4;
        journal::store_be32(block, commit::checksum, version_1_sum_);
    }
    if (super_.has_tails())
        journal::store_be32(block, commit::checksum, journal_commit_checksum(super_, block));
    append(std::move(block));
    version_1_sum_ = 0xFFFF'FFFF;
    ++sequence_;
}

void LogWriter::transaction(
    std::vector<LoggedBlock> const& blocks, std::vector<u64> const& revokes, Ending ending)
{
    auto const room = disk_->super().block_bytes - journal::head::bytes - journal::tail_bytes;
    auto const tags = (room - journal::tag::uuid_bytes) / super_.tag_bytes();
    for (usize done = 0; done < blocks.size(); done += tags)
        append_descriptor(std::span(blocks).subspan(done, std::min(tags, blocks.size() - done)));
    auto const records = (room - 4) / 8;
    for (usize done = 0; done < revokes.size(); done += records)
        append_revokes(
            std::span(revokes).subspan(done, std::min<usize>(records, revokes.size() - done)));
    if (ending == Ending::committed)
        append_commit();
}

void LogWriter::seal(std::span<u8> block) const
{
    if (!super_.has_tails() || journal::load_be32(block, 0) != journal::magic)
        return;
    auto const type
        = static_cast<journal::BlockType>(journal::load_be32(block, journal::head::type));
    bool const commit = type == journal::BlockType::commit;
    auto const offset = commit ? journal::commit::checksum : block.size() - journal::tail_bytes;
    journal::store_be32(block, offset,
        commit ? journal_commit_checksum(super_, block) : journal_tail_checksum(super_, block));
}

} // namespace gemel::ext4::test
