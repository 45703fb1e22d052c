// From start.S to the first thread.
#include "arch/x86_64/boot/loader.hpp"
#include "arch/x86_64/boot/setup.hpp"
#include "arch/x86_64/src/state.hpp"

#include <new>

extern "C" {
extern gemel::u8 gemel_image_begin[], gemel_image_end[], gemel_init_begin[], gemel_init_end[];
gemel::u32 gemel_boot(gemel::u32 magic, gemel::u64 info);
}

namespace gemel::arch {

namespace {

constexpr u64 low_memory_end = 1 << 20; // the firmware's, and for starting processors
constexpr u8 status_no_start = 125;

// What boot code needs to keep out of the free memory while it runs.
constinit boot::Loaded loaded;
constinit boot::MemoryMap free_memory;

[[noreturn]] void stop(char const* reason)
{
    machine.print("gemel: ");
    machine.print(reason);
    machine.print("\n");
    machine.power_off(status_no_start);
    __builtin_unreachable();
}

boot::AcpiFacts read_tables(u32 magic, u64 info)
{
    boot::Physical const memory { reinterpret_cast<u8 const*>(direct_map), 1ull << 32 };
    auto const read = magic == boot::multiboot2_magic ? read_multiboot2(memory, info, loaded)
                                                      : read_pvh(memory, info, loaded);
    if (!read)
        stop("the boot loader left neither PVH nor multiboot2 information");
    return read_acpi(memory, loaded.acpi_rsdp);
}

void reserve()
{
    free_memory = loaded.memory;
    free_memory.remove(0, low_memory_end);
    free_memory.remove(direct_map_bytes_max, ~0ull - page_bytes);
    free_memory.remove(reinterpret_cast<u64>(gemel_image_begin) - image_base,
        reinterpret_cast<u64>(gemel_image_end) - image_base);
    free_memory.remove(loaded.bundle, loaded.bundle + loaded.bundle_bytes);
}

BootInfo boot_info()
{
    BootInfo info;
    info.memory = free_memory.ranges();
    info.bundle = { loaded.bundle, align_up<u64>(loaded.bundle + loaded.bundle_bytes, page_bytes) };
    info.bundle_bytes = loaded.bundle_bytes;
    info.acpi_rsdp = loaded.acpi_rsdp;
    info.command_line = loaded.command_line;
    return info;
}

} // namespace

// How many pages of .init the kernel may have afterwards: none if it numbers its pages from above
// them.
static u32 init_pages()
{
    auto const begin = reinterpret_cast<u64>(gemel_init_begin) - image_base;
    for (auto const& range : free_memory.ranges()) {
        if (range.begin < range.end && range.begin < begin)
            return static_cast<u32>((gemel_init_end - gemel_init_begin) / page_bytes);
    }
    return 0;
}

static u32 boot_machine(u32 magic, u64 info)
{
    Setup setup(machine);
    setup.serial();
    auto const facts = read_tables(magic, info);
    reserve();
    if (!setup.paging(free_memory, loaded.memory.ranges(), facts))
        stop("no memory for page tables");
    setup.traps();
    setup.descriptors(0);
    setup.features();
    setup.interrupts(facts);
    setup.clock(facts);
    setup.power(facts);
    auto& kernel = *::new (&storage.kernel) Kernel(machine);
    kernel.enter();
    setup.start_cpus(facts, loaded.command_line);
    auto from_loader = boot_info();
    from_loader.cpus = setup.cpus();
    from_loader.chance = setup.chance();
    if (!kernel.boot(from_loader))
        stop("the kernel did not start");
    auto const pages = init_pages();
    auto const begin = reinterpret_cast<u64>(gemel_init_begin) - image_base;
    kernel.give_back({ begin, begin + u64 { pages } * page_bytes });
    return pages;
}

} // namespace gemel::arch

// Returns to start.S, which leaves .init for good.
gemel::u32 gemel_boot(gemel::u32 magic, gemel::u64 info)
{
    return gemel::arch::boot_machine(magic, info);
}
