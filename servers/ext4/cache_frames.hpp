// Which page of the device each frame of a cache holds, and which frames give way. Only about
// numbers: the bytes are the cache's.
//
// Frames come in segments that lie beside each other. A segment belongs to one of two lists,
// metadata or file contents; each has a CLOCK of its own (a frame that was used since the hand came
// by gets a second chance), so that reading a large file does not throw out directories and inodes.
// Either list may take what the other leaves free, and is left with half of all when both want it.
#pragma once

#include "core/base/types.hpp"

#include <array>
#include <optional>
#include <vector>

namespace gemel::ext4 {

enum class CacheList : u8 { metadata, contents };

class CacheFrames {
public:
    static constexpr u32 segment_frames = 16;
    static constexpr u32 page_sectors = 8;
    static constexpr u64 no_page = ~0ull;

    struct Frame {
        u64 page = no_page;
        u32 next = 0; // in its bucket
        u8 held = 0; // a bit for each sector that is in memory
        u8 dirty = 0; // a bit for each sector that the device does not have yet
        CacheList list = CacheList::metadata;
        bool used = false; // since the hand came by
        bool ahead = false; // read before anybody asked for it
        bool listed = false; // among the dirty ones
    };
    // Frames beside each other.
    struct Run {
        u32 first = 0;
        u32 count = 0;
    };

    // Runs do not cross from one `region_frames` into the next; a multiple of segment_frames.
    CacheFrames(u32 frames_max, u32 region_frames);

    // A region more; not over frames_max.
    void add_region();
    u32 count() const { return static_cast<u32>(frames_.size()); }

    std::optional<u32> find(u64 page) const;
    Frame& at(u32 frame) { return frames_[frame]; }
    Frame const& at(u32 frame) const { return frames_[frame]; }
    // Somebody asked for the page: it gets a second chance, unless that is what it was read for.
    void note_use(u32 frame);

    // Whether the list gets its next frame without taking one from anybody.
    bool has_room(CacheList list) const;
    // At least one frame and at most `pages_max`, for the pages from `page` on, none of which is
    // held. Nothing: all frames are dirty.
    std::optional<Run> take(CacheList list, u64 page, u32 pages_max);
    // The frame's page comes to another frame, of that list; where the bytes have to go. Nothing:
    // it could not be had. The page may be gone then.
    std::optional<u32> move(u32 frame, CacheList list);
    void drop(u32 frame);

    void mark_dirty(u32 frame, u8 sectors);
    // How many are dirty, or were until they were dropped.
    usize dirty_frames() const { return dirty_.size(); }
    // All dirty frames, by page. Who asks makes them clean.
    std::vector<u32> take_dirty();

private:
    static constexpr u32 no_frame = ~0u;
    static constexpr u32 search_frames = 64; // for a longer run

    struct Clock {
        std::vector<u32> segments;
        usize hand = 0; // frames from the first segment's start on

        usize frames() const { return segments.size() * segment_frames; }
        u32 frame() const
        {
            return segments[hand / segment_frames] * segment_frames
                + static_cast<u32>(hand % segment_frames);
        }
        void advance() { hand = hand + 1 == frames() ? 0 : hand + 1; }
    };

    Clock& clock(CacheList list) { return clocks_[static_cast<usize>(list)]; }
    Clock const& clock(CacheList list) const { return clocks_[static_cast<usize>(list)]; }
    bool may_go(u32 frame) const { return !frames_[frame].used && frames_[frame].dirty == 0; }
    bool is_free(u32 frame) const { return frames_[frame].page == no_page; }
    // Segments of free frames before the hand, if there are any to be had.
    void grow(CacheList list, u32 frames);
    std::optional<u32> free_segment(CacheList list);
    std::optional<u32> segment_to_take(Clock const& from) const;
    Run choose(CacheList list, u32 wanted);
    Run free_run(Clock& clock, u32 wanted);
    Run sweep(Clock& clock, u32 wanted);
    usize bucket_of(u64 page) const;
    void hold(u32 frame, u64 page);

    u32 frames_max_;
    u32 region_frames_;
    std::vector<Frame> frames_;
    std::vector<u32> buckets_; // the first frame of each
    std::vector<u32> free_segments_; // the next one last
    std::array<Clock, 2> clocks_;
    std::vector<u32> dirty_;
};

} // namespace gemel::ext4
