// What one program has from the pager: its regions, and which of their pages are there. A region is
// a row of 2 MiB windows; a window that was touched has a table (a kernel region whose pages are
// filled one by one) and is mapped into the program.
#pragma once

#include "servers/pager/backing.hpp"
#include "servers/pager/frames.hpp"
#include "servers/rt/ref.hpp"

#include <vector>

namespace gemel::pager {

// Of one program.
inline constexpr usize regions_max = 64;
inline constexpr u32 pages_max = 2048; // with contents, and tables
inline constexpr u32 tables_max = 192;
inline constexpr u32 tables_own = 32; // that others cannot take; more come from what all share
inline constexpr u32 files_max = 8; // regions of files
inline constexpr u32 zeros_max = 512; // places of the page of zeros: a hosted mapping each

// Pages of a file that are read with the one that was touched: its neighbours.
inline constexpr u32 cluster_pages = 8;
static_assert(cluster_pages * page_bytes == read_bytes_max);

// What all programs work with.
struct Shared {
    Frames& frames;
    MemorySource& source;
    MemoryBroker const& memory;
    u32 tables = 256; // left, beyond each one's own
};

// The addresses that are the pager's to use in a program.
struct Arena {
    u64 begin = 0;
    u64 end = 0;
    u64 chance = 0; // where in it regions begin
};

class Space {
public:
    Space(Shared& shared, Handle task, Arena const& arena);
    Space(Space const&) = delete;
    ~Space() { clear(); }

    // Where the new region begins. At least one unmapped window lies on either side of it. invalid,
    // too_big, as protocol::PagedMemory::Map says.
    Result<u64> map_zeros(u64 bytes);
    Result<u64> map_file(Ref<Backing> file, u64 offset, u64 bytes);
    Result<u64> snapshot(u64 address);
    Result<void> unmap(u64 address);
    void clear();

    // A piece of a file that a fault waits for.
    struct Wanted {
        Ref<Backing> file;
        u64 offset = 0;
        u32 bytes = 0;
        u64 address = 0; // of the first page
        u64 needed = 0; // of the page without which the fault cannot go on
    };
    // Nothing: the access will succeed now. not_found: nothing is there, or it would be outside
    // what was mapped. quota, no_memory: there is no page for it.
    Result<std::optional<Wanted>> mend(u64 address, PageAccess access);
    // What the file had; then the fault is mended again. io: it has become too short.
    Result<void> filled(Wanted const& wanted, std::span<std::byte const> bytes);

    struct Usage {
        u32 regions = 0;
        u32 pages = 0;
        u32 tables = 0;
    };
    Usage usage() const { return { static_cast<u32>(regions_.size()), pages_, tables_ }; }

private:
    enum class State : u8 {
        zeros, // of the frame that is everybody's
        clean, // what the file has
        kept, // what was written, and shared with a snapshot, or was: not writable
        own, // writable
    };
    struct Page {
        u32 number = 0; // in its window
        State state = State::zeros;
        Frame frame = 0; // zeros: none
    };
    struct Window {
        Handle table;
        bool mapped = false;
        u64 read_at = 0; // file reads before its last
        std::vector<Page> pages; // ascending; the first is number 0, once it is mapped

        Page* find(u32 number);
        void make_room();
        void add(Page page);
        bool written() const;
        enum class Keep : u8 { nothing, first_page };
        usize droppable(Keep keep) const;
    };
    struct Region {
        u64 begin = 0;
        u64 bytes = 0;
        u64 offset = 0; // of the file
        std::optional<Ref<Backing>> file;
        std::map<u32, Window> windows;
    };
    // Windows that are being worked on stay; what they have stays too, unless one may shrink.
    struct Busy {
        Window const* first;
        Window const* second = nullptr;
        bool shrinks = false; // the first
    };
    // One page of one window.
    struct Place {
        Region& region;
        u32 window;
        u32 page;
    };

    std::optional<Place> place_of(u64 address);
    static u64 address_of(Region const& region, u32 window);
    Result<u64> add_region(Region region);
    Result<u64> free_range(u64 bytes) const;
    Result<Window*> touched(Place const& place);
    Result<void> make_table(Region const& region, Window& window);
    std::optional<Wanted> missing(Place const& place, Window& window, u64 needed) const;
    Wanted wanted(Place const& place, u64 needed) const;
    enum class Room : u8 { there, made }; // by giving something up
    Result<void> fill_page(Place const& place, std::span<std::byte const> bytes, Room room);
    Result<Page> fresh_page(Window& window, u32 number, PageAccess access);
    Result<Page> zeros_page(Handle const& table, u32 number, Busy busy);
    Result<Page> own_page(Handle const& table, u32 number, Busy busy);
    Result<void> make_own(Window& window, Page& page);
    Result<void> map_window(Place const& place, Window& window);
    Result<void> copy_window(Window& window, Window& to);
    Result<void> copy_page(Window& window, Page& page, Window& to);

    Result<Handle> new_table(Busy busy);
    Result<Frame> free_frame();
    Result<Frame> new_frame(Busy busy);
    void release(Page const& page);
    bool evict(Busy busy);
    bool give_up(Region& region, u32 number, Window::Keep keep);
    static Window::Keep kept_of(Window const& window, Busy busy);
    Result<void> rebuild(Region& region, u32 number, Window& window);
    Result<void> put_again(Page const& page, Handle const& table);
    void remove(Region const& region, u32 number, Window& window);

    Result<Handle> take_table();
    void give_table_back(Handle table);

    Shared& shared_;
    Handle task_;
    Arena arena_;
    std::map<u64, Region> regions_; // by their first addresses
    u32 pages_ = 0;
    u32 tables_ = 0;
    u32 zeros_ = 0;
    u64 reads_ = 0;
};

} // namespace gemel::pager
