// Pages: allocation, and who pays.
#include "core/base/site.hpp"
#include "core/kernel.hpp"

namespace gemel {

void Kernel::pages_wanted(Task const& payer, u64 pages, u32 others)
{
    if (payer.pages < pages) [[unlikely]]
        fail(Error::quota);
    if (free_pages_ < pages + others || (cpu_->current && BUGGIFY("kernel.no_page"))) [[unlikely]]
        fail(Error::no_memory);
}

// Of those that were wanted.
void* Kernel::page_new(Task& payer, PageUse use, ObjectType type)
{
    auto const number = page_free_;
    auto& info = pages_[number];
    page_free_ = info.next;
    info.next = 0;
    --free_pages_;
    --payer.pages;
    info.use = use;
    info.type = type;
    info.owner = payer.index;
    info.links = 0;
    info.physical = 0;
    info.orphan = 0;
    auto* page = page_at(number);
    machine_.zero_page(page);
    return page;
}

// An object of one page and its first row, whose handle is the result in word 2.
void* Kernel::object_new(Task& payer, ObjectType type, Task& owner, u64* words)
{
    pages_wanted(payer, 1);
    row_wanted(owner);
    auto* page = page_new(payer, PageUse::object, type);
    words[2] = handle_of(row_new(owner, number_of(page), rights_all, nullptr));
    return page;
}

void Kernel::page_free(PageInfo& info)
{
    auto const number = static_cast<u32>(&info - pages_);
    ++tasks_[info.owner]->pages;
    auto const worn = ++info.generation == page_generation_max; // then it is nobody's for ever
    if (info.type != ObjectType::none)
        ++validity_epoch_; // its capabilities are looked at more closely when they are next used
    info.use = worn ? PageUse::reserved : PageUse::free;
    info.type = ObjectType::none;
    info.owner = 0;
    if (worn) [[unlikely]]
        return;
    info.next = page_free_;
    page_free_ = number;
    ++free_pages_;
}

} // namespace gemel
