#include "servers/log/ring.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace gemel::log {

Ring::Ring(usize bytes_max)
    : pieces_max_(bytes_max / piece_bytes)
{
    ASSERT(pieces_max_ >= 2);
}

// False: there is neither memory nor an old piece to use again.
bool Ring::add_piece()
{
    if (pieces_.size() < pieces_max_) {
        if (auto* const piece = new (std::nothrow) Piece) {
            pieces_.emplace_back(piece);
            return true;
        }
    }
    if (pieces_.size() < 2)
        return false;
    auto oldest = std::move(pieces_.front());
    pieces_.pop_front();
    first_ += piece_bytes;
    pieces_.push_back(std::move(oldest));
    return true;
}

void Ring::append(std::string_view text)
{
    while (!text.empty()) {
        auto const used = end_ - first_;
        if (used == pieces_.size() * piece_bytes && !add_piece())
            return;
        auto const within = (end_ - first_) % piece_bytes;
        auto const count = std::min(text.size(), piece_bytes - within);
        std::memcpy(pieces_.back()->text + within, text.data(), count);
        end_ += count;
        text.remove_prefix(count);
    }
}

char Ring::at(u64 cursor) const
{
    auto const offset = cursor - first_;
    return pieces_[offset / piece_bytes]->text[offset % piece_bytes];
}

// The first start of a line at or after `cursor`.
u64 Ring::line_start(u64 cursor) const
{
    if (cursor <= first_ && first_ == 0)
        return 0;
    cursor = std::max(cursor, first_ + 1);
    while (cursor < end_ && at(cursor - 1) != '\n')
        ++cursor;
    return std::min(cursor, end_);
}

std::string_view Ring::read(u64& cursor, usize count) const
{
    if (cursor < first_)
        cursor = line_start(first_);
    if (cursor >= end_)
        return {};
    auto const offset = cursor - first_;
    auto const within = offset % piece_bytes;
    count = std::min({ count, static_cast<usize>(end_ - cursor), piece_bytes - within });
    cursor += count;
    return { pieces_[offset / piece_bytes]->text + within, count };
}

u64 Ring::tail(u64 bytes) const
{
    return bytes >= end_ - first_ ? line_start(first_) : line_start(end_ - bytes);
}

} // namespace gemel::log
