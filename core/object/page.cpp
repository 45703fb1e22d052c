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

void Kernel::page_free(void* page)
{
    auto const number = number_of(page);
    auto& info = pages_[number];
    ++tasks_[info.owner]->pages;
    ++info.generation;
    info.use = PageUse::free;
    info.type = ObjectType::none;
    info.owner = 0;
    info.next = page_free_;
    page_free_ = number;
    ++free_pages_;
}

// In front of the list, in ascending order: memory is handed out upwards.
void Kernel::add_free(MemoryRange range)
{
    for (auto at = range.end; at > range.begin;) {
        at -= page_bytes;
        auto const number = static_cast<u32>(at / page_bytes - page_base_);
        pages_[number].use = PageUse::free;
        pages_[number].next = page_free_;
        page_free_ = number;
        ++free_pages_;
    }
}

// Natively boot code gives its own memory back once the first thread is chosen.
void Kernel::give_back(MemoryRange range)
{
    add_free(range);
    auto const pages = static_cast<u32>((range.end - range.begin) / page_bytes);
    total_pages_ += pages;
    kernel_task_.pages += pages;
}

} // namespace gemel
