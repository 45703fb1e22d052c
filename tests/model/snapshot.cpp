#include "tests/model/snapshot.hpp"

#include <cstring>

namespace gemel {

namespace {

// What stands in the arena before the kernel's own pages lies in "reserved" pages too; a run of the
// kernel writes free pages as well, but clears a page when it takes it.
bool is_kept(PageInfo const& page)
{
    return page.use != PageUse::free;
}

} // namespace

Snapshot::Snapshot(KernelFixture& fixture)
    : fixture_(fixture)
    , now_ns_(fixture.now_ns)
{
    auto const* kernel = reinterpret_cast<u8 const*>(&fixture.kernel);
    kernel_.assign(kernel, kernel + sizeof fixture.kernel);
    auto const pages = fixture.kernel.pages();
    for (u32 i = 1; i < pages.size(); ++i) {
        if (!is_kept(pages[i]))
            continue;
        auto* at = static_cast<u8*>(fixture.page_at(i));
        pages_.push_back({ at, std::vector<u8>(at, at + page_bytes) });
    }
}

void Snapshot::restore() const
{
    std::memcpy(reinterpret_cast<u8*>(&fixture_.kernel), kernel_.data(), kernel_.size());
    for (auto const& page : pages_)
        std::memcpy(page.at, page.bytes.data(), page_bytes);
    fixture_.now_ns = now_ns_;
}

} // namespace gemel
