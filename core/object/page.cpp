// Pages: allocation, and who pays.
#include "core/base/site.hpp"
#include "core/kernel.hpp"

namespace gemel {

void* Kernel::page_new(Task* payer, PageUse use, ObjectType type)
{
    if (payer->pages == 0) [[unlikely]]
        return fail(Error::quota);
    if (page_free_ == 0 || BUGGIFY("kernel.no_page")) [[unlikely]]
        return fail(Error::no_memory);
    auto const number = page_free_;
    auto& info = pages_[number];
    page_free_ = info.next;
    info.next = 0;
    --free_pages_;
    --payer->pages;
    info.use = use;
    info.type = type;
    info.owner = payer->index;
    info.links = 0;
    info.physical = 0;
    info.orphan = 0;
    auto* page = page_at(number);
    machine_.zero_page(page);
    return page;
}

// Whatever was remembered of the object is stale. So that its capabilities are looked at more
// closely when they are next used, the validity epoch moves.
void Kernel::object_ended(PageInfo& info)
{
    ++info.generation;
    ++validity_epoch_;
}

void Kernel::page_free(void* page)
{
    auto const number = number_of(page);
    auto& info = pages_[number];
    ++tasks_[info.owner]->pages;
    if (info.type != ObjectType::none)
        object_ended(info);
    info.use = PageUse::free;
    info.type = ObjectType::none;
    info.owner = 0;
    info.next = page_free_;
    page_free_ = number;
    ++free_pages_;
}

} // namespace gemel
