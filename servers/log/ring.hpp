// The log's text: the newest `bytes_max` bytes of it, in pieces that are taken as they are needed.
// A cursor is how many bytes were written before it, since the start.
#pragma once

#include "servers/rt/ref.hpp"

#include <deque>
#include <string_view>
#include <vector>

namespace gemel::log {

class Ring {
public:
    static constexpr usize piece_bytes = 64 * 1024;

    // At least two pieces.
    explicit Ring(usize bytes_max);

    // At the end of memory the oldest text gives way sooner.
    void append(std::string_view text);
    // Up to `count` bytes from `cursor` on, which is moved past them. A cursor older than the
    // oldest text goes on there, at a line's start.
    std::string_view read(u64& cursor, usize count) const;
    // Where the last `bytes` begin, at a line's start.
    u64 tail(u64 bytes) const;
    u64 end() const { return end_; }
    usize held_bytes() const { return pieces_.size() * piece_bytes; }

private:
    struct Piece {
        char text[piece_bytes];
    };
    char at(u64 cursor) const;
    bool add_piece();
    u64 line_start(u64 cursor) const;

    usize pieces_max_;
    std::deque<Own<Piece>> pieces_;
    u64 first_ = 0; // cursor of the first piece's first byte; a multiple of piece_bytes
    u64 end_ = 0;
};

} // namespace gemel::log
