#include <gemel/hosted/kept_memory.hpp>

#include <cstring>
#include <sys/mman.h>

namespace gemel::hosted {

namespace {

// More than that is given back to the host: looking it through would cost more than new pages do.
constexpr u64 later_bytes_max = 16u << 20;

} // namespace

KeptMemory::KeptMemory(arch::Machine& machine)
    : memory_(*machine.memory())
    , place_(memory_.bytes() / page_bytes)
{
    for (auto const& range : memory_.touched())
        for (auto at = range.begin; at < range.end; at += page_bytes) {
            auto const* page = memory_.begin() + at;
            if (is_zero_page(page))
                continue;
            kept_.insert(kept_.end(), page, page + page_bytes);
            place_[at / page_bytes] = static_cast<u32>(kept_.size() / page_bytes);
        }
}

void KeptMemory::put_back(u64 at)
{
    auto* page = memory_.begin() + at;
    if (auto const place = place_[at / page_bytes]; place != 0) {
        auto const* kept = kept_.data() + u64 { place - 1 } * page_bytes;
        if (std::memcmp(page, kept, page_bytes) != 0)
            std::memcpy(page, kept, page_bytes);
    } else if (!is_zero_page(page)) {
        std::memset(page, 0, page_bytes);
    }
}

void KeptMemory::put_back()
{
    later_.clear();
    u64 later_bytes = 0;
    for (auto const& range : memory_.touched())
        for (auto at = range.begin; at < range.end; at += page_bytes) {
            if (place_[at / page_bytes] == 0 && later_bytes >= later_bytes_max) {
                ::madvise(memory_.begin() + at, page_bytes, MADV_REMOVE);
                continue;
            }
            if (place_[at / page_bytes] == 0) {
                later_bytes += page_bytes;
                if (later_.empty() || later_.back().end != at)
                    later_.push_back({ at, at });
                later_.back().end = at + page_bytes;
            }
            put_back(at);
        }
}

void KeptMemory::expect_the_same()
{
    for (auto const& range : later_)
        memory_.expect(range);
}

} // namespace gemel::hosted
