#include "servers/pager/space.hpp"

#include "core/base/site.hpp"
#include "servers/rt/system.hpp"

#include <algorithm>

namespace gemel::pager {

namespace {

constexpr u64 guard_bytes = region_bytes_max;
constexpr u64 moved_windows = 1024; // how far the first region is moved at most
constexpr u16 window_flags
    = static_cast<u16>(VmFlag::read | VmFlag::write) | static_cast<u16>(VmFlag::lasting);

} // namespace

Space::Page* Space::Window::find(u32 number)
{
    auto const at = std::ranges::lower_bound(pages, number, {}, &Page::number);
    return at != pages.end() && at->number == number ? &*at : nullptr;
}

// So that `add` cannot fail when the page is there already.
void Space::Window::make_room()
{
    if (pages.size() == pages.capacity())
        pages.reserve(std::max<usize>(8, 2 * pages.size()));
}

void Space::Window::add(Page page)
{
    pages.insert(std::ranges::lower_bound(pages, page.number, {}, &Page::number), page);
}

bool Space::Window::written() const
{
    return std::ranges::any_of(pages,
        [](auto const& page) { return page.state == State::own || page.state == State::kept; });
}

// What the file has too, and zeros.
usize Space::Window::droppable(Keep keep) const
{
    return static_cast<usize>(std::ranges::count_if(pages, [&](auto const& page) {
        return (page.state == State::clean || page.state == State::zeros)
            && (page.number != 0 || keep == Keep::nothing);
    }));
}

Space::Space(Shared& shared, Handle task, Arena const& arena)
    : shared_(shared)
    , task_(std::move(task))
    , arena_(arena)
{
    arena_.begin += arena.chance % moved_windows * region_bytes_max;
}

// --- regions ---

u64 Space::address_of(Region const& region, u32 window)
{
    return region.begin + window * region_bytes_max;
}

std::optional<Space::Place> Space::place_of(u64 address)
{
    auto const after = regions_.upper_bound(address);
    if (after == regions_.begin())
        return std::nullopt;
    auto& region = std::prev(after)->second;
    auto const at = address - region.begin;
    if (at >= region.bytes)
        return std::nullopt;
    return Place { region, static_cast<u32>(at / region_bytes_max),
        static_cast<u32>(at % region_bytes_max / page_bytes) };
}

// The first gap with room for guards on both sides.
Result<u64> Space::free_range(u64 bytes) const
{
    auto const whole = align_up<u64>(bytes, region_bytes_max);
    auto begin = arena_.begin + guard_bytes;
    for (auto const& [address, region] : regions_) {
        if (begin + whole + guard_bytes <= address)
            return begin;
        begin = align_up<u64>(region.begin + region.bytes, region_bytes_max) + guard_bytes;
    }
    if (begin + whole + guard_bytes > arena_.end)
        return Error::too_big;
    return begin;
}

Result<u64> Space::add_region(Region region)
{
    if (region.bytes == 0)
        return Error::invalid;
    // Before anything is added to it: it may be any number.
    if (region.bytes > arena_.end - arena_.begin || regions_.size() == regions_max)
        return Error::too_big;
    region.bytes = align_up<u64>(region.bytes, page_bytes);
    region.begin = TRY(free_range(region.bytes));
    auto const begin = region.begin;
    regions_.emplace(begin, std::move(region));
    return begin;
}

Result<u64> Space::map_zeros(u64 bytes)
{
    return add_region({ .bytes = bytes });
}

Result<u64> Space::map_file(Ref<Backing> file, u64 offset, u64 bytes)
{
    auto const files = std::ranges::count_if(
        regions_, [](auto const& entry) { return entry.second.file.has_value(); });
    if (files == files_max)
        return Error::too_big;
    auto const whole = align_up<u64>(file->size(), page_bytes);
    if (offset % page_bytes != 0 || offset > whole || bytes > whole - offset)
        return Error::invalid;
    return add_region({ .bytes = bytes, .offset = offset, .file = std::move(file) });
}

Result<void> Space::unmap(u64 address)
{
    auto const found = regions_.find(address);
    if (found == regions_.end())
        return Error::not_found;
    for (auto& [number, window] : found->second.windows)
        remove(found->second, number, window);
    regions_.erase(found);
    return {};
}

void Space::clear()
{
    while (!regions_.empty())
        (void)unmap(regions_.begin()->first);
}

Result<u64> Space::snapshot(u64 address)
{
    auto const found = regions_.find(address);
    if (found == regions_.end())
        return Error::not_found;
    auto& from = found->second;
    Region copy { .bytes = from.bytes, .offset = from.offset, .file = from.file };
    for (auto const& [number, window] : from.windows)
        copy.windows[number].pages.reserve(window.pages.size());
    auto const begin = TRY(add_region(std::move(copy)));
    auto& windows = regions_.at(begin).windows;
    for (auto& [number, window] : from.windows) {
        if (auto copied = copy_window(window, windows.at(number)); !copied) {
            (void)unmap(begin);
            return copied.error();
        }
    }
    // A window of the first region may have been given up for the tables of the second.
    std::erase_if(windows, [](auto const& entry) { return !entry.second.table; });
    return begin;
}

// Not mapped yet: the first access does that.
Result<void> Space::copy_window(Window& window, Window& to)
{
    to.table = TRY(new_table({ &window, &to }));
    to.read_at = window.read_at;
    for (auto& page : window.pages)
        TRY(copy_page(window, page, to));
    return {};
}

Result<void> Space::copy_page(Window& window, Page& page, Window& to)
{
    if (page.state == State::zeros) {
        to.pages.push_back(TRY(zeros_page(to.table, page.number, { &window, &to })));
        return {};
    }
    if (page.state == State::own) {
        TRY(shared_.frames.put(page.frame, window.table, page.number, PageAccess::read));
        page.state = State::kept;
    }
    TRY(shared_.frames.put(page.frame, to.table, page.number, PageAccess::read));
    shared_.frames.share(page.frame);
    to.pages.push_back(page);
    return {};
}

// --- faults ---

Result<std::optional<Space::Wanted>> Space::mend(u64 address, PageAccess access)
{
    auto const place = place_of(address);
    if (!place)
        return Error::not_found;
    auto& window = *TRY(touched(*place));
    if (auto wanted = missing(*place, window, address))
        return wanted;
    window.make_room();
    auto* page = window.find(place->page);
    if (!page)
        window.add(TRY(fresh_page(window, place->page, access)));
    else if (access == PageAccess::write)
        TRY(make_own(window, *page));
    TRY(map_window(*place, window));
    return std::optional<Wanted> {};
}

// The window with its table. One of zeros has its first page at once; one of a file gets it before
// it is mapped.
Result<Space::Window*> Space::touched(Place const& place)
{
    auto& windows = place.region.windows;
    auto& window = windows[place.window];
    if (window.table)
        return &window;
    auto const made = make_table(place.region, window);
    if (made)
        return &window;
    remove(place.region, place.window, window);
    windows.erase(place.window);
    return made.error();
}

Result<void> Space::make_table(Region const& region, Window& window)
{
    window.make_room();
    window.table = TRY(new_table({ &window }));
    if (!region.file)
        window.add(TRY(zeros_page(window.table, 0, { &window })));
    return {};
}

std::optional<Space::Wanted> Space::missing(Place const& place, Window& window, u64 needed) const
{
    if (!place.region.file)
        return std::nullopt;
    if (!window.find(0))
        return wanted({ place.region, place.window, 0 }, address_of(place.region, place.window));
    if (!window.find(place.page))
        return wanted(place, align_down<u64>(needed, page_bytes));
    return std::nullopt;
}

// The cluster around the page; the page alone when there is no room for more.
Space::Wanted Space::wanted(Place const& place, u64 needed) const
{
    auto const& region = place.region;
    auto const roomy = pages_ + tables_ + cluster_pages <= pages_max;
    auto const bytes = u64 { roomy ? cluster_pages : 1 } * page_bytes;
    auto const at = align_down<u64>(needed - region.begin, bytes);
    return { .file = *region.file,
        .offset = region.offset + at,
        .bytes = static_cast<u32>(std::min(bytes, region.bytes - at)),
        .address = region.begin + at,
        .needed = needed };
}

Result<void> Space::filled(Wanted const& wanted, std::span<std::byte const> bytes)
{
    auto const needed_at = wanted.needed - wanted.address;
    if (needed_at >= bytes.size())
        return Error::io;
    auto const piece_at
        = [&](u64 at) { return bytes.subspan(at, std::min<u64>(page_bytes, bytes.size() - at)); };
    auto const place = place_of(wanted.needed);
    if (!place)
        return Error::not_found;
    TRY(fill_page(*place, piece_at(needed_at), Room::made));
    place->region.windows.at(place->window).read_at = ++reads_;
    for (u64 at = 0; at < bytes.size(); at += page_bytes) {
        auto const other = place_of(wanted.address + at);
        // Neighbours are a guess: nothing goes for them.
        if (other && !fill_page(*other, piece_at(at), Room::there))
            break;
    }
    return {};
}

Result<void> Space::fill_page(Place const& place, std::span<std::byte const> bytes, Room room)
{
    auto& window = place.region.windows.at(place.window);
    if (window.find(place.page))
        return {};
    window.make_room();
    Busy const busy { .first = &window, .shrinks = true };
    Page page { place.page, State::clean,
        TRY(room == Room::made ? new_frame(busy) : free_frame()) };
    std::ranges::copy(bytes, shared_.frames.bytes(page.frame).begin());
    if (auto put = shared_.frames.put(page.frame, window.table, page.number, PageAccess::read);
        !put) {
        release(page);
        return put;
    }
    window.add(page);
    return {};
}

Result<Space::Page> Space::fresh_page(Window& window, u32 number, PageAccess access)
{
    return access == PageAccess::read ? zeros_page(window.table, number, { &window })
                                      : own_page(window.table, number, { &window });
}

// Too many places of the page of zeros would cost others: then one of its own does as well.
Result<Space::Page> Space::zeros_page(Handle const& table, u32 number, Busy busy)
{
    while (zeros_ >= zeros_max && evict(busy)) { }
    if (zeros_ >= zeros_max)
        return own_page(table, number, busy);
    TRY(shared_.frames.put_zeros(table, number));
    ++zeros_;
    return Page { number, State::zeros, 0 };
}

Result<Space::Page> Space::own_page(Handle const& table, u32 number, Busy busy)
{
    Page page { number, State::own, TRY(new_frame(busy)) };
    if (auto put = shared_.frames.put(page.frame, table, number, PageAccess::write); !put) {
        release(page);
        return put.error();
    }
    return page;
}

// The first write to a page that is shared copies it; who is the last to share it has it.
Result<void> Space::make_own(Window& window, Page& page)
{
    if (page.state == State::own)
        return {};
    if (page.state != State::zeros && !shared_.frames.shared(page.frame)) {
        SOMETIMES("pager.last_of_a_snapshot");
        TRY(shared_.frames.put(page.frame, window.table, page.number, PageAccess::write));
        page.state = State::own;
        return {};
    }
    SOMETIMES("pager.copied_on_write");
    auto own = page;
    own.state = State::own;
    own.frame = TRY(new_frame({ &window }));
    if (page.state != State::zeros)
        std::ranges::copy(
            shared_.frames.bytes(page.frame), shared_.frames.bytes(own.frame).begin());
    if (auto put = shared_.frames.put(own.frame, window.table, own.number, PageAccess::write);
        !put) {
        release(own);
        return put;
    }
    release(page);
    page = own;
    return {};
}

Result<void> Space::map_window(Place const& place, Window& window)
{
    if (window.mapped)
        return {};
    auto const address = address_of(place.region, place.window);
    TRY(shared_.memory.map(task_, window.table, address, window_flags));
    window.mapped = true;
    return {};
}

// --- memory ---

// A table comes with one page, which is replaced before the program sees it.
Result<Handle> Space::take_table()
{
    auto const own = tables_ < tables_own;
    if (tables_ == tables_max || (!own && shared_.tables == 0))
        return Error::quota;
    auto table = TRY(shared_.source.take(1));
    shared_.tables -= own ? 0 : 1;
    ++tables_;
    return table;
}

void Space::give_table_back(Handle table)
{
    shared_.source.give_back(std::move(table));
    shared_.tables += tables_ > tables_own ? 1 : 0;
    --tables_;
}

Result<Handle> Space::new_table(Busy busy)
{
    for (;;) {
        auto const full = pages_ + tables_ >= pages_max;
        auto table = full ? Result<Handle>(Error::quota) : take_table();
        if (table || !evict(busy))
            return table;
    }
}

Result<Frame> Space::free_frame()
{
    if (pages_ + tables_ >= pages_max)
        return Error::quota;
    auto const frame = TRY(shared_.frames.take());
    ++pages_;
    return frame;
}

Result<Frame> Space::new_frame(Busy busy)
{
    for (;;) {
        auto const frame = free_frame();
        if (frame || !evict(busy))
            return frame;
    }
}

void Space::release(Page const& page)
{
    if (page.state == State::zeros)
        --zeros_;
    else if (shared_.frames.release(page.frame) == Frames::Left::free)
        --pages_;
}

// A table cannot do without its first page, so that goes with the whole window only.
Space::Window::Keep Space::kept_of(Window const& window, Busy busy)
{
    return &window == busy.first || window.written() ? Window::Keep::first_page
                                                     : Window::Keep::nothing;
}

// Gives up what can be had again, of the window that was read last the longest ago. False: there
// is nothing.
bool Space::evict(Busy busy)
{
    Region* region = nullptr;
    u32 number = 0;
    auto keep = Window::Keep::nothing;
    auto oldest = ~u64 { 0 };
    for (auto& [begin, candidate] : regions_) {
        for (auto& [at, window] : candidate.windows) {
            auto const stays = (&window == busy.first && !busy.shrinks) || &window == busy.second;
            auto const kept = kept_of(window, busy);
            if (stays || window.read_at >= oldest || window.droppable(kept) == 0)
                continue;
            region = &candidate;
            number = at;
            keep = kept;
            oldest = window.read_at;
        }
    }
    return region && give_up(*region, number, keep);
}

bool Space::give_up(Region& region, u32 number, Window::Keep keep)
{
    auto& window = region.windows.at(number);
    if (keep == Window::Keep::first_page)
        return rebuild(region, number, window).has_value();
    remove(region, number, window);
    region.windows.erase(number);
    return true;
}

// Pages cannot be taken out of a table, so what stays goes into another one.
Result<void> Space::rebuild(Region& region, u32 number, Window& window)
{
    auto table = TRY(take_table());
    auto const stays = [](Page const& page) {
        return page.state == State::own || page.state == State::kept || page.number == 0;
    };
    for (auto const& page : window.pages) {
        if (!stays(page))
            continue;
        if (auto put = put_again(page, table); !put) {
            give_table_back(std::move(table));
            return put;
        }
    }
    if (std::exchange(window.mapped, false))
        (void)shared_.memory.unmap(task_, address_of(region, number));
    give_table_back(std::exchange(window.table, std::move(table)));
    for (auto const& page : window.pages) {
        if (!stays(page))
            release(page);
    }
    std::erase_if(window.pages, [&](auto const& page) { return !stays(page); });
    return {};
}

Result<void> Space::put_again(Page const& page, Handle const& table)
{
    if (page.state == State::zeros)
        return shared_.frames.put_zeros(table, page.number);
    auto const access = page.state == State::own ? PageAccess::write : PageAccess::read;
    return shared_.frames.put(page.frame, table, page.number, access);
}

// Of a window that is about to go.
void Space::remove(Region const& region, u32 number, Window& window)
{
    if (!window.table)
        return;
    if (window.mapped)
        (void)shared_.memory.unmap(task_, address_of(region, number));
    give_table_back(std::move(window.table));
    for (auto const& page : window.pages)
        release(page);
}

} // namespace gemel::pager
