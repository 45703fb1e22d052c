// What every part of the program works with.
#pragma once

#include "servers/fskit/client.hpp"
#include "servers/rt/paged_memory.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::paged {

struct Cast {
    Env& env;
    fskit::Files& files;
    fskit::OpenFile& out;
    PagedMemory& memory;
    bool wrong = false; // something that was checked

    std::string_view check(bool right)
    {
        wrong = wrong || !right;
        return right ? "yes" : "NO";
    }
    // A line on standard output.
    template <typename... Pieces>
    Result<void> say(Pieces const&... pieces) const
    {
        return out.write(concatenate(pieces..., '\n'));
    }
};

// A word of a page, which the compiler does not look through.
inline u64 volatile& word(PagedMemory::Bytes region, u64 page, u64 at = 0)
{
    return *reinterpret_cast<u64 volatile*>(region.data() + page * page_bytes + at * sizeof(u64));
}

} // namespace gemel::paged
