// One pass over the log in place of the usual three (scan, revoke, replay): what a transaction
// holds is kept aside until its commit block is seen, and revoke records are applied at the end.
#include "servers/ext4/replay_plan.hpp"

#include "servers/ext4/journal_checksum.hpp"

#include <algorithm>
#include <map>

namespace gemel::ext4 {

namespace {

constexpr u16 fast_commit_head = 0x9;
constexpr u32 version_1_seed = 0xFFFF'FFFF;

struct Logged {
    ReplayPlan::Copy copy;
    u32 sequence;
    bool intact; // its checksum fits
};

struct Revoked {
    u64 block;
    u32 sequence;
};

struct Tag {
    u64 block;
    u32 flags;
    u32 checksum;
};

Tag tag_at(JournalSuper const& super, Bytes bytes, usize offset)
{
    using namespace journal;
    auto const low = load_be32(bytes, offset + tag::block);
    if (super.checksum == JournalChecksum::v3) {
        return { join(low, super.wide ? load_be32(bytes, offset + tag::block_high) : 0),
            load_be32(bytes, offset + tag::flags_v3), load_be32(bytes, offset + tag::checksum_v3) };
    }
    return { join(low, super.wide ? load_be32(bytes, offset + tag::block_high) : 0),
        load_be16(bytes, offset + tag::flags), load_be16(bytes, offset + tag::checksum_v2) };
}

class LogReader {
public:
    LogReader(Journal const& journal, MountReport& report)
        : journal_(journal)
        , super_(journal.super())
        , report_(report)
        , position_(super_.start)
        , sequence_(super_.sequence)
        , bytes_(journal.disk().super().block_bytes)
    {
    }

    Result<ReplayPlan> read()
    {
        LongWork work(report_.listener, "reading the journal", super_.log_blocks());
        while (!ended_ && consumed_ < super_.log_blocks()) {
            work.at(consumed_);
            TRY(step());
        }
        TRY(check_fast_commits());
        return finish();
    }

private:
    enum class Verdict : u8 { committed, ends_the_log };

    template <typename... Parts>
    Error refuse(u32 block, Parts const&... parts)
    {
        report_.refusal
            = sentence("corrupt journal: journal block ", block, " (block ", journal_.place(block),
                ", transaction ", sequence_, ") ", parts..., "; nothing was replayed; run e2fsck");
        return Error::corrupt;
    }

    Result<void> read_block(u32 block, std::span<u8> target)
    {
        auto const done = journal_.read(block, target);
        if (!done) {
            report_.refusal = sentence("cannot read journal block ", block, " (block ",
                journal_.place(block), "): ", name_of(done.error()));
        }
        return done;
    }

    // Moves on by one block; false when the log is used up.
    bool advance()
    {
        ++consumed_;
        position_ = super_.after(position_);
        return consumed_ < super_.log_blocks();
    }

    bool continues(u32 sequence) const
    {
        return journal::load_be32(bytes_, 0) == journal::magic
            && journal::load_be32(bytes_, journal::head::sequence) == sequence;
    }

    Result<void> step()
    {
        auto const block = position_;
        TRY(read_block(block, bytes_));
        if (!continues(sequence_)) {
            end();
            return {};
        }
        advance();
        auto const type
            = static_cast<journal::BlockType>(journal::load_be32(bytes_, journal::head::type));
        started_ = true;
        switch (type) {
        case journal::BlockType::descriptor:
            return take_descriptor(block);
        case journal::BlockType::revoke:
            return take_revoke(block);
        case journal::BlockType::commit:
            return take_commit(block);
        case journal::BlockType::superblock_v1:
        case journal::BlockType::superblock_v2:
            break;
        }
        end();
        return {};
    }

    void end() { ended_ = true; }

    void check_tail(u32 block)
    {
        if (!super_.has_tails() || damaged_ != 0)
            return;
        auto const stored = journal::load_be32(bytes_, bytes_.size() - journal::tail_bytes);
        if (stored != journal_tail_checksum(super_, bytes_))
            damaged_ = block;
    }

    Result<void> take_descriptor(u32 block)
    {
        check_tail(block);
        if (super_.checksum == JournalChecksum::v1)
            version_1_sum_ = crc32_plain(version_1_sum_, bytes_);
        auto const limit = bytes_.size() - (super_.has_tails() ? journal::tail_bytes : 0);
        std::vector<u8> copy(bytes_.size());
        for (usize offset = journal::head::bytes; offset + super_.tag_bytes() <= limit;) {
            auto const tag = tag_at(super_, bytes_, offset);
            if (consumed_ >= super_.log_blocks()) {
                end();
                return {};
            }
            TRY(take_copy(tag, copy));
            advance();
            offset += super_.tag_bytes();
            if ((tag.flags & journal::tag::same_uuid) == 0)
                offset += journal::tag::uuid_bytes;
            if ((tag.flags & journal::tag::last) != 0)
                break;
        }
        return {};
    }

    Result<void> take_copy(Tag tag, std::span<u8> bytes)
    {
        bool intact = true;
        if (super_.checksum != JournalChecksum::none)
            TRY(read_block(position_, bytes));
        if (super_.has_tails())
            intact = journal_data_checksum(super_, sequence_, bytes) == tag.checksum;
        else if (super_.checksum == JournalChecksum::v1)
            version_1_sum_ = crc32_plain(version_1_sum_, bytes);
        pending_.push_back({ { tag.block, journal_.place(position_), position_,
                                 (tag.flags & journal::tag::escaped) != 0 },
            sequence_, intact });
        return {};
    }

    Result<void> take_revoke(u32 block)
    {
        check_tail(block);
        auto const used = journal::load_be32(bytes_, journal::revoke::used_bytes);
        auto const limit = bytes_.size() - (super_.has_tails() ? journal::tail_bytes : 0);
        if (used > limit || used < journal::revoke::first_record) {
            if (damaged_ == 0)
                damaged_ = block;
            return {};
        }
        usize const record_bytes = super_.wide ? 8 : 4;
        for (usize offset = journal::revoke::first_record; offset + record_bytes <= used;
             offset += record_bytes) {
            auto const target = super_.wide ? journal::load_be64(bytes_, offset)
                                            : u64 { journal::load_be32(bytes_, offset) };
            pending_revokes_.push_back({ target, sequence_ });
        }
        return {};
    }

    bool commit_fits() const
    {
        namespace commit = journal::commit;
        auto const stored = journal::load_be32(bytes_, commit::checksum);
        if (super_.has_tails())
            return stored == journal_commit_checksum(super_, bytes_);
        if (super_.checksum == JournalChecksum::none)
            return true;
        auto const type = load8(bytes_, commit::checksum_type);
        auto const size = load8(bytes_, commit::checksum_bytes);
        // A transaction of the time before checksums were switched on has none.
        if (type == 0 && size == 0 && stored == 0 && !version_1_seen_)
            return true;
        return type == journal::checksum_type_crc32 && size == 4 && stored == version_1_sum_;
    }

    // Whether the transaction counts. Blocks of an older use of the log may follow its end and even
    // have fitting sequence numbers; the time of the commit tells them apart.
    Result<Verdict> judge(u32 block)
    {
        auto const time = journal::load_be64(bytes_, journal::commit::seconds);
        bool const stale = time < last_commit_time_;
        if (damaged_ != 0) {
            if (stale)
                return Verdict::ends_the_log;
            return refuse(damaged_, "is damaged, in a transaction that was committed");
        }
        if (!commit_fits()) {
            if (stale || !TRY(log_goes_on()))
                return Verdict::ends_the_log;
            return refuse(block, "is a damaged commit with another transaction after it");
        }
        // Without barriers between the two, the last commit may have got to the disk alone.
        bool const whole = std::all_of(
            pending_.begin(), pending_.end(), [](Logged const& each) { return each.intact; });
        if (!whole && super_.async_commit && !TRY(log_goes_on()))
            return Verdict::ends_the_log;
        if (super_.checksum == JournalChecksum::v1 && load8(bytes_, journal::commit::checksum_type))
            version_1_seen_ = true;
        last_commit_time_ = time;
        return Verdict::committed;
    }

    // Whether another transaction begins behind this one. Spoils nothing that is still needed.
    Result<bool> log_goes_on()
    {
        if (consumed_ >= super_.log_blocks())
            return false;
        std::vector<u8> next(bytes_.size());
        TRY(read_block(position_, next));
        return journal::load_be32(next, 0) == journal::magic
            && journal::load_be32(next, journal::head::sequence) == sequence_ + 1;
    }

    Result<void> take_commit(u32 block)
    {
        if (TRY(judge(block)) == Verdict::ends_the_log) {
            end();
            return {};
        }
        committed_.insert(committed_.end(), pending_.begin(), pending_.end());
        for (auto const& each : pending_revokes_)
            revokes_[each.block] = each.sequence;
        pending_.clear();
        pending_revokes_.clear();
        version_1_sum_ = version_1_seed;
        started_ = false;
        ++transactions_;
        ++sequence_;
        return {};
    }

    // A fast commit says in terms of inodes what happened after the last transaction.
    Result<void> check_fast_commits()
    {
        if (super_.fast_commit_first == 0)
            return {};
        TRY(read_block(super_.fast_commit_first, bytes_));
        if (load16(bytes_, 0) != fast_commit_head || load32(bytes_, 8) != sequence_)
            return {};
        report_.refusal = sentence("the journal holds fast commits (fast_commit, journal block ",
            super_.fast_commit_first, "), which cannot be replayed; run e2fsck on it");
        return Error::unsupported;
    }

    bool is_revoked(Logged const& logged) const
    {
        auto const found = revokes_.find(logged.copy.target);
        return found != revokes_.end() && journal::not_before(found->second, logged.sequence);
    }

    Result<ReplayPlan> finish()
    {
        ReplayPlan plan;
        plan.transactions = transactions_;
        plan.incomplete = started_;
        plan.next_sequence = sequence_ + 1;
        // The last copy of a block wins.
        std::stable_sort(
            committed_.begin(), committed_.end(), [](Logged const& left, Logged const& right) {
                return left.copy.target < right.copy.target;
            });
        for (usize index = 0; index < committed_.size(); ++index) {
            auto const& each = committed_[index];
            bool const superseded = index + 1 < committed_.size()
                && committed_[index + 1].copy.target == each.copy.target;
            if (is_revoked(each)) {
                ++plan.revoked;
                continue;
            }
            if (superseded)
                continue;
            TRY(check_copy(each));
            plan.copies.push_back(each.copy);
        }
        return plan;
    }

    Result<void> check_copy(Logged const& logged)
    {
        auto const& copy = logged.copy;
        sequence_ = logged.sequence;
        if (!logged.intact) {
            return refuse(
                copy.journal_block, "has a wrong checksum: it is the copy of block ", copy.target);
        }
        if (!journal_.disk().super().holds_block(copy.target) || journal_.owns(copy.target)) {
            return refuse(copy.journal_block, "claims to be a copy of block ", copy.target,
                ", which no journal may replace");
        }
        return {};
    }

    Journal const& journal_;
    JournalSuper const& super_;
    MountReport& report_;
    u32 position_;
    u32 sequence_;
    std::vector<u8> bytes_;
    u32 consumed_ = 0;
    bool ended_ = false;

    // Of the transaction that is being read.
    std::vector<Logged> pending_;
    std::vector<Revoked> pending_revokes_;
    bool started_ = false;
    u32 damaged_ = 0; // the journal block; 0: none
    u32 version_1_sum_ = version_1_seed;

    std::vector<Logged> committed_;
    std::map<u64, u32> revokes_; // the last transaction that revoked the block
    u32 transactions_ = 0;
    u64 last_commit_time_ = 0;
    bool version_1_seen_ = false;
};

} // namespace

Result<ReplayPlan> plan_replay(Journal const& journal, MountReport& report)
{
    if (journal.super().start == 0) {
        ReplayPlan plan;
        plan.next_sequence = journal.super().sequence + 1;
        return plan;
    }
    return LogReader(journal, report).read();
}

} // namespace gemel::ext4
