// The bytes of one file in memory (see file_data.hpp).
#include "servers/tmpfs/file_data.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace gemel::tmpfs {

namespace {

constexpr u64 file_bytes_max = std::numeric_limits<i64>::max();

// How much of `bytes` from `offset` lies in the offset's own page.
usize within_page(u64 offset, usize bytes)
{
    return std::min<usize>(bytes, page_bytes - offset % page_bytes);
}

} // namespace

Result<void> PageBudget::take()
{
    if (used_ == pages_max_)
        return Error::no_space;
    ++used_;
    return {};
}

usize FileData::read(u64 offset, std::span<std::byte> into) const
{
    if (offset >= size_)
        return 0;
    auto const total = static_cast<usize>(std::min<u64>(into.size(), size_ - offset));
    for (usize done = 0; done < total;) {
        auto const at = offset + done;
        auto const count = within_page(at, total - done);
        auto const page = pages_.find(at / page_bytes);
        if (page == pages_.end())
            std::memset(into.data() + done, 0, count);
        else
            std::memcpy(into.data() + done, page->second->data() + at % page_bytes, count);
        done += count;
    }
    return total;
}

Result<std::byte*> FileData::page_at(u64 number)
{
    auto const found = pages_.find(number);
    if (found != pages_.end())
        return found->second->data();
    auto page = std::make_unique<Page>(); // before the budget: it may throw
    auto const place = pages_.emplace(number, nullptr).first;
    if (auto const taken = budget_.take(); !taken) {
        pages_.erase(place);
        return taken.error();
    }
    place->second = std::move(page);
    return place->second->data();
}

Result<usize> FileData::write(u64 offset, std::span<std::byte const> from)
{
    if (offset > file_bytes_max || from.size() > file_bytes_max - offset)
        return Error::too_big;
    usize done = 0;
    while (done < from.size()) {
        auto const at = offset + done;
        auto const page = page_at(at / page_bytes);
        if (!page && done == 0)
            return page.error();
        if (!page)
            break;
        auto const count = within_page(at, from.size() - done);
        std::memcpy(*page + at % page_bytes, from.data() + done, count);
        done += count;
    }
    if (done > 0)
        size_ = std::max(size_, offset + done);
    return done;
}

Result<u64> FileData::seek(u64 offset, SeekKind kind) const
{
    if (offset >= size_)
        return Error::not_found;
    auto page = pages_.lower_bound(offset / page_bytes);
    if (kind == SeekKind::data) {
        if (page == pages_.end() || page->first * page_bytes >= size_)
            return Error::not_found;
        return std::max(offset, page->first * page_bytes);
    }
    auto number = offset / page_bytes;
    while (page != pages_.end() && page->first == number) {
        ++page;
        ++number;
    }
    return std::min(size_, std::max(offset, number * page_bytes));
}

Result<void> FileData::resize(u64 size)
{
    if (size > file_bytes_max)
        return Error::too_big;
    if (size < size_) {
        auto const first = pages_.lower_bound(align_up<u64>(size, page_bytes) / page_bytes);
        budget_.give(static_cast<u64>(std::distance(first, pages_.end())));
        pages_.erase(first, pages_.end());
        // What stands past the end in the last page would come back when the file grows.
        auto const last = pages_.find(size / page_bytes);
        if (last != pages_.end())
            std::fill(last->second->begin() + static_cast<std::ptrdiff_t>(size % page_bytes),
                last->second->end(), std::byte { 0 });
    }
    size_ = size;
    return {};
}

} // namespace gemel::tmpfs
