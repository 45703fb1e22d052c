// The kernel's half of every address space (machine.hpp draws it): nothing is writable and
// executable.
#include "arch/x86_64/boot/setup.hpp"

extern "C" {
extern gemel::u8 gemel_image_begin[], gemel_image_end[];
extern gemel::u8 gemel_init_text_end[], gemel_init_end[];
extern gemel::u8 gemel_text_end[], gemel_rodata_end[];
extern gemel::u64 gemel_image_table[512]; // of the one leaf table that maps the image
}

namespace gemel::arch {

namespace {

using boot::MemoryMap;

constexpr u64 large_bytes = 1 << 21;
constexpr u64 bootstrap_bytes = 1ull << 32; // what is mapped now (start.S)
constexpr u64 table = page::present | page::write;
constexpr u64 data = page::present | page::write | page::global | page::no_execute;
constexpr u64 constant = page::present | page::global | page::no_execute;
constexpr u64 code = page::present | page::global;

u64* at(u64 physical)
{
    return reinterpret_cast<u64*>(direct_map + physical);
}
u64 in_image(void const* pointer)
{
    return reinterpret_cast<u64>(pointer) - image_base;
}

class Tables {
public:
    Tables(MemoryMap& free)
        : free_(free)
        , root_(new_table())
    {
    }

    bool complete() const { return complete_; }
    u64 root() const { return root_; }

    // The entry for `address` in the table whose entries cover 1 << shift bytes.
    u64& entry(u64 address, unsigned shift)
    {
        auto* next = at(root_);
        for (unsigned level = 39; level > shift; level -= 9) {
            auto& link = next[address >> level & 511];
            if (link == 0)
                link = new_table() | table;
            next = at(link & page::target);
        }
        return next[address >> shift & 511];
    }

private:
    u64 new_table()
    {
        auto const page = free_.take_page(bootstrap_bytes);
        complete_ &= page != 0;
        if (page != 0)
            __builtin_memset(at(page), 0, page_bytes);
        return page;
    }

    MemoryMap& free_;
    bool complete_ = true;
    u64 root_ = 0;
};

// The image's 2 MiB: one leaf table, seen in the image's place and, never executable, in the
// direct map. So no alias of the kernel's code is writable.
void map_image(Tables& tables)
{
    auto const begin = in_image(gemel_image_begin);
    auto const first = align_down(begin, large_bytes);
    for (u64 index = 0; index < 512; ++index) {
        auto const physical = first + index * page_bytes;
        auto const address = image_base + physical;
        auto const before = [&](u8 const* end) { return address < reinterpret_cast<u64>(end); };
        auto flags = data;
        if (physical >= begin && before(gemel_image_end)) {
            if (before(gemel_init_text_end))
                flags = code;
            else if (!before(gemel_init_end) && before(gemel_rodata_end))
                flags = before(gemel_text_end) ? code : constant;
        }
        gemel_image_table[index] = physical | flags;
    }
    auto const link = in_image(gemel_image_table) | table;
    tables.entry(image_base + first, 21) = link;
    tables.entry(direct_map + first, 21) = link | page::no_execute;
}

void map_device(Tables& tables, u32 index, u64 physical)
{
    tables.entry(device_window(index, 0), 12) = (physical & page::target) | data | page::uncached;
}

} // namespace

bool Setup::paging(MemoryMap& free, std::span<MemoryRange const> ram, boot::AcpiFacts const& facts)
{
    Tables tables(free);
    for (auto const& range : ram) {
        auto const end = range.end < direct_map_bytes_max ? range.end : direct_map_bytes_max;
        for (auto at = align_down(range.begin, large_bytes); at < end; at += large_bytes)
            tables.entry(direct_map + at, 21) = at | data | page::large;
    }
    map_image(tables);
    map_device(tables, 0, read_msr(Msr::apic_base));
    for (u32 index = 0; index < facts.io_apic_count; ++index)
        map_device(tables, 1 + index, facts.io_apics[index].address);
    if (!tables.complete())
        return false;
    machine_.kernel_root_ = at(tables.root());
    write_cr3(tables.root());
    return true;
}

} // namespace gemel::arch
