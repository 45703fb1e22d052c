#include "tests/model/snapshot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace gemel {

void Snapshot::add(void const* at, usize bytes)
{
    auto const offset = bytes_.size();
    bytes_.resize(offset + bytes);
    std::memcpy(bytes_.data() + offset, at, bytes);
    pieces_.push_back({ const_cast<u8*>(static_cast<u8 const*>(at)), offset, bytes });
}

void Snapshot::take(KernelFixture& fixture)
{
    fixture_ = &fixture;
    now_ns_ = fixture.now_ns;
    pieces_.clear();
    bytes_.clear();
    add(&fixture.kernel, sizeof fixture.kernel);
    add(fixture.kernel.rows().data(), rows_max * sizeof(Row));
    // The free ones that were never had need not be kept: a page is cleared when it is taken.
    auto const pages = fixture.kernel.pages();
    auto end = pages.size();
    while (end > 0 && pages[end - 1].use == PageUse::free && pages[end - 1].generation == 0)
        --end;
    constexpr usize taken_next = 16;
    add(pages.data(), std::min(end + taken_next, pages.size()) * sizeof(PageInfo));
    for (usize i = 0; i < end; ++i) {
        if (pages[i].use != PageUse::object)
            continue;
        auto const* at = fixture.page_at(static_cast<u32>(i));
        constexpr auto port_bytes = offsetof(Port, ring) + messages_max * sizeof Port::ring[0];
        if (pages[i].type == ObjectType::port)
            add(at, port_bytes);
        else if (pages[i].type == ObjectType::thread)
            add(at, sizeof(Thread));
        else if (pages[i].type == ObjectType::task)
            add(at, sizeof(Task));
    }
}

void Snapshot::restore() const
{
    for (auto const& piece : pieces_)
        std::memcpy(piece.at, bytes_.data() + piece.offset, piece.bytes);
    fixture_->now_ns = now_ns_;
}

} // namespace gemel
