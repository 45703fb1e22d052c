#include "servers/ext4/cache_frames.hpp"

#include "core/base/assert.hpp"

#include <algorithm>
#include <bit>

namespace gemel::ext4 {

CacheFrames::CacheFrames(u32 frames_max, u32 region_frames)
    : frames_max_(frames_max)
    , region_frames_(region_frames)
    , buckets_(std::bit_ceil(frames_max), no_frame)
{
    ASSERT(region_frames > 0 && region_frames % segment_frames == 0);
}

// Memory for all that may become dirty or free is there before it is needed.
void CacheFrames::add_region()
{
    auto const before = count();
    ASSERT(before + region_frames_ <= frames_max_);
    auto const frames = before + region_frames_;
    dirty_.reserve(frames);
    free_segments_.reserve(frames / segment_frames);
    for (auto& each : clocks_)
        each.segments.reserve(frames / segment_frames);
    frames_.resize(frames);
    for (auto segment = frames / segment_frames; segment-- > before / segment_frames;)
        free_segments_.insert(free_segments_.begin(), segment);
    std::sort(free_segments_.rbegin(), free_segments_.rend());
}

usize CacheFrames::bucket_of(u64 page) const
{
    constexpr u64 golden = 0x9E37'79B9'7F4A'7C15;
    return static_cast<usize>((page * golden) >> 32) & (buckets_.size() - 1);
}

std::optional<u32> CacheFrames::find(u64 page) const
{
    for (auto frame = buckets_[bucket_of(page)]; frame != no_frame; frame = frames_[frame].next) {
        if (frames_[frame].page == page)
            return frame;
    }
    return std::nullopt;
}

void CacheFrames::note_use(u32 frame)
{
    auto& each = frames_[frame];
    each.used = !each.ahead;
    each.ahead = false;
}

void CacheFrames::hold(u32 frame, u64 page)
{
    auto& bucket = buckets_[bucket_of(page)];
    frames_[frame].page = page;
    frames_[frame].next = bucket;
    bucket = frame;
}

void CacheFrames::drop(u32 frame)
{
    auto& dropped = frames_[frame];
    if (dropped.page == no_page)
        return;
    auto* link = &buckets_[bucket_of(dropped.page)];
    while (*link != frame)
        link = &frames_[*link].next;
    *link = dropped.next;
    dropped = { .list = dropped.list, .listed = dropped.listed };
}

bool CacheFrames::has_room(CacheList list) const
{
    auto const& own = clock(list);
    return !free_segments_.empty() || (own.frames() > 0 && is_free(own.frame()));
}

// From the hand on: one that nobody used, else one without dirty frames.
std::optional<u32> CacheFrames::segment_to_take(Clock const& from) const
{
    std::optional<u32> used;
    for (usize step = 0; step < from.segments.size(); ++step) {
        auto const place = (from.hand / segment_frames + step) % from.segments.size();
        auto const first = from.segments[place] * segment_frames;
        bool is_dirty = false;
        bool is_used = false;
        for (auto frame = first; frame < first + segment_frames; ++frame) {
            is_dirty |= frames_[frame].dirty != 0;
            is_used |= frames_[frame].used;
        }
        if (!is_dirty && !is_used)
            return static_cast<u32>(place);
        if (!is_dirty && !used)
            used = static_cast<u32>(place);
    }
    return used;
}

// One that nobody has, or one of the other list's when it has more than its half and this one less.
std::optional<u32> CacheFrames::free_segment(CacheList list)
{
    if (!free_segments_.empty()) {
        auto const segment = free_segments_.back();
        free_segments_.pop_back();
        return segment;
    }
    auto& other = clock(list == CacheList::metadata ? CacheList::contents : CacheList::metadata);
    auto const half = count() / segment_frames / 2;
    if (clock(list).segments.size() >= half || other.segments.size() <= half)
        return std::nullopt;
    auto const place = segment_to_take(other);
    if (!place)
        return std::nullopt;
    auto const segment = other.segments[*place];
    for (u32 each = 0; each < segment_frames; ++each)
        drop(segment * segment_frames + each);
    other.segments.erase(other.segments.begin() + static_cast<std::ptrdiff_t>(*place));
    if (other.hand / segment_frames > *place)
        other.hand -= segment_frames;
    if (other.hand >= other.frames())
        other.hand = 0;
    return segment;
}

void CacheFrames::grow(CacheList list, u32 frames)
{
    auto& own = clock(list);
    auto const place = (own.hand + segment_frames - 1) / segment_frames;
    for (u32 given = 0; given * segment_frames < frames; ++given) {
        auto const segment = free_segment(list);
        if (!segment)
            return;
        own.segments.insert(
            own.segments.begin() + static_cast<std::ptrdiff_t>(place + given), *segment);
        own.hand = place * segment_frames;
        for (u32 each = 0; each < segment_frames; ++each)
            frames_[*segment * segment_frames + each].list = list;
    }
}

CacheFrames::Run CacheFrames::free_run(Clock& clock, u32 wanted)
{
    Run run { clock.frame(), 0 };
    while (run.count < wanted && clock.frame() == run.first + run.count && is_free(clock.frame())
        && (run.count == 0 || clock.frame() % region_frames_ != 0)) {
        ++run.count;
        clock.advance();
    }
    return run;
}

// Moves the hand on to frames that may go. A run of all that is wanted is taken where it is met;
// for a longer one than the first the hand goes a little further.
CacheFrames::Run CacheFrames::sweep(Clock& clock, u32 wanted)
{
    Run best;
    Run run;
    u32 since_first = 0;
    for (usize step = 0; step < 2 * clock.frames(); ++step) {
        auto const frame = clock.frame();
        clock.advance();
        if (may_go(frame)) {
            bool const goes_on
                = run.count > 0 && frame == run.first + run.count && frame % region_frames_ != 0;
            run = goes_on ? Run { run.first, run.count + 1 } : Run { frame, 1 };
            if (run.count > best.count)
                best = run;
            if (best.count == wanted)
                break;
        }
        frames_[frame].used = false;
        if (best.count > 0 && ++since_first == wanted + search_frames)
            break;
    }
    return best;
}

CacheFrames::Run CacheFrames::choose(CacheList list, u32 wanted)
{
    auto& own = clock(list);
    if (own.frames() == 0 || !is_free(own.frame()))
        grow(list, wanted);
    if (own.frames() == 0)
        return {};
    auto const free = free_run(own, wanted);
    return free.count > 0 ? free : sweep(own, wanted);
}

std::optional<CacheFrames::Run> CacheFrames::take(CacheList list, u64 page, u32 pages_max)
{
    ASSERT(pages_max > 0);
    auto const run = choose(list, pages_max);
    if (run.count == 0)
        return std::nullopt;
    for (u32 each = 0; each < run.count; ++each) {
        drop(run.first + each);
        hold(run.first + each, page + each);
    }
    return run;
}

std::optional<u32> CacheFrames::move(u32 frame, CacheList list)
{
    auto const page = frames_[frame].page;
    auto const run = choose(list, 1);
    if (run.count == 0 || frames_[frame].page != page)
        return std::nullopt;
    drop(run.first);
    auto const moved = frames_[frame];
    drop(frame);
    hold(run.first, page);
    frames_[run.first].held = moved.held;
    if (moved.dirty != 0)
        mark_dirty(run.first, moved.dirty);
    return run.first;
}

void CacheFrames::mark_dirty(u32 frame, u8 sectors)
{
    auto& each = frames_[frame];
    each.dirty = static_cast<u8>(each.dirty | sectors);
    if (each.listed)
        return;
    each.listed = true;
    dirty_.push_back(frame);
}

std::vector<u32> CacheFrames::take_dirty()
{
    std::vector<u32> taken;
    taken.reserve(dirty_.size());
    for (auto const frame : dirty_) {
        frames_[frame].listed = false;
        if (frames_[frame].dirty != 0)
            taken.push_back(frame);
    }
    dirty_.clear();
    std::sort(taken.begin(), taken.end(),
        [&](u32 left, u32 right) { return frames_[left].page < frames_[right].page; });
    return taken;
}

} // namespace gemel::ext4
