// The kernel's translation tables. Nothing is writable and executable; the image's read-only part
// is not in the direct map, so there is no writable alias of it.
#include "arch/arm64/boot/image.hpp"
#include "arch/arm64/boot/platform.hpp"
#include "arch/arm64/src/main.hpp"
#include "core/base/assert.hpp"

namespace gemel::arch {

namespace {

constexpr u64 block_bytes = 2 << 20;
constexpr u64 memory_page
    = entry::normal_memory | entry::inner_shareable | entry::accessed | entry::user_no_execute;
constexpr u64 writable = memory_page | entry::kernel_no_execute;
constexpr u64 constant = writable | entry::read_only;
constexpr u64 code = memory_page | entry::read_only;
constexpr u64 device
    = entry::device_memory | entry::accessed | entry::user_no_execute | entry::kernel_no_execute;

u64* table_at(u64 physical)
{
    return reinterpret_cast<u64*>(direct_map | (physical & entry::address_mask));
}

class Tables {
public:
    explicit Tables(MemoryRange& pages)
        : pages_(pages)
        , root_(page())
    {
    }

    u64 root() const { return root_; }

    // Everything page aligned. 2 MiB blocks where both addresses allow.
    void map(u64 address, u64 physical, u64 bytes, u64 attributes)
    {
        while (bytes != 0) {
            auto const block = (address | physical) % block_bytes == 0 && bytes >= block_bytes;
            auto& slot = entry_for(address, block ? 21 : 12);
            slot = physical | attributes | (block ? entry::block : entry::table);
            auto const step = block ? block_bytes : page_bytes;
            address += step;
            physical += step;
            bytes -= step;
        }
    }

    u64& entry_for(u64 address, unsigned last_shift)
    {
        auto* table = table_at(root_);
        for (unsigned shift = 39; shift != last_shift; shift -= 9) {
            auto& slot = table[address >> shift & 511];
            if (slot == 0)
                slot = page() | entry::table;
            table = table_at(slot);
        }
        return table[address >> last_shift & 511];
    }

    // A zeroed page, for good.
    u64 page()
    {
        ASSERT(pages_.begin < pages_.end);
        auto const physical = pages_.begin;
        pages_.begin += page_bytes;
        the_machine.zero_page(table_at(physical));
        return physical;
    }

private:
    MemoryRange& pages_;
    u64 root_;
};

void map_image(Tables& tables, u64 image)
{
    struct Section {
        u8 const* begin;
        u8 const* end;
        u64 attributes;
    };
    Section const sections[] = { { image_begin, init_code_end, code },
        { init_code_end, init_end, writable }, { init_end, code_end, code },
        { code_end, constants_end, constant }, { data_begin, image_end, writable } };
    for (auto const& section : sections) {
        auto const address = reinterpret_cast<u64>(section.begin);
        tables.map(address, image + image_offset(section.begin),
            static_cast<u64>(section.end - section.begin), section.attributes);
    }
}

void map_devices(Tables& tables, Platform const& platform)
{
    auto const window = [&tables](u64 physical, u64 bytes) {
        auto const begin = align_down<u64>(physical, page_bytes);
        tables.map(
            direct_map | begin, begin, align_up<u64>(physical + bytes, page_bytes) - begin, device);
    };
    constexpr u64 distributor_bytes = 64 << 10;
    window(platform.uart, page_bytes);
    window(platform.gic.distributor, platform.gic.version == 3 ? distributor_bytes : page_bytes);
    window(platform.gic.second, platform.gic.second_bytes);
}

void activate(u64 root, u64 empty)
{
    asm volatile("dsb ishst; msr ttbr1_el1, %0; msr ttbr0_el1, %1; isb;"
                 "tlbi vmalle1; dsb ish; isb"
                 :
                 : "r"(root), "r"(empty)
                 : "memory");
}

} // namespace

u64* map_kernel(Platform const& platform, u64 image, RangeList const& ram, RangeList& free)
{
    Tables tables { free.items[0] };
    map_image(tables, image);
    for (u32 i = 0; i < ram.count; ++i) {
        auto const range = ram.items[i];
        tables.map(direct_map | range.begin, range.begin, range.end - range.begin, writable);
    }
    map_devices(tables, platform);
    activate(tables.root(), tables.page());
    return &tables.entry_for(reinterpret_cast<u64>(image_begin), 12);
}

} // namespace gemel::arch
