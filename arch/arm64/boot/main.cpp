// From the first instruction at the kernel's addresses to the first thread. All of it is given
// back.
#include "arch/arm64/src/main.hpp"

#include "arch/arm64/boot/image.hpp"
#include "arch/arm64/boot/platform.hpp"
#include "arch/arm64/src/registers.hpp"
#include "core/base/assert.hpp"

#include <new>
#include <utility>

namespace gemel::arch {

extern "C" u8 start_other[]; // start.S
extern "C" u64 other_roots[2];
extern "C" [[noreturn]] void boot_finished(u64* first_page, u64 pages);

namespace {

constinit Platform platform;

// What the direct map holds: all RAM but what is reserved and the resident image.
RangeList usable_memory(u64 image)
{
    auto ram = platform.memory;
    ram.shrink_to_pages();
    for (u32 i = 0; i < platform.reserved.count; ++i)
        ram.remove(platform.reserved.items[i].begin, platform.reserved.items[i].end);
    ram.remove(image + image_offset(init_end), image + image_offset(image_end));
    return ram;
}

// Puts the largest range of the image's gigabyte, which the early tables map, first.
void put_reachable_first(RangeList& ranges, u64 image)
{
    auto const bytes = [image](MemoryRange const& range) {
        return range.begin >> 30 == image >> 30 && (range.end - 1) >> 30 == image >> 30
            ? range.end - range.begin
            : 0;
    };
    for (u32 i = 1; i < ranges.count; ++i)
        if (bytes(ranges.items[i]) > bytes(ranges.items[0]))
            std::swap(ranges.items[i], ranges.items[0]);
}

// The kernel numbers its pages between its lowest and highest range.
void give_back(Kernel& kernel, MemoryRange range, std::span<MemoryRange const> memory)
{
    bool below = false;
    bool above = false;
    for (auto const& other : memory) {
        below |= other.end <= range.begin;
        above |= other.begin >= range.end;
    }
    if (below && above)
        kernel.give_back(range);
}

[[noreturn]] void stop()
{
    while (true)
        asm volatile("wfi");
}

// Random bits, as Machine::entropy() makes them later: that is resident, and compiled into its one
// caller.
u64 chance()
{
    auto const own = READ_REGISTER(id_aa64isar0_el1) >> 60 != 0;
    auto const fresh = own ? READ_REGISTER(S3_3_C2_C4_0) : 0; // RNDR
    auto mixed = (platform.seed ^ fresh) + READ_REGISTER(cntvct_el0);
    mixed = (mixed ^ mixed >> 30) * 0xBF58'476D'1CE4'E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D0'49BB'1331'11EB;
    return mixed ^ mixed >> 31;
}

} // namespace

// On another processor, in boot code; what follows is resident (src/entry.S).
extern "C" void boot_other(u32 number)
{
    the_machine.join(platform, number);
}

// `device_tree` and `image` are physical addresses.
extern "C" [[noreturn]] void boot_main(u64 device_tree, u64 image)
{
    if (!read_device_tree(the_machine.at_physical(device_tree), device_tree, platform))
        stop(); // nothing to say it on
    auto const ram = usable_memory(image);
    auto free = ram;
    free.remove(platform.device_tree.begin, platform.device_tree.end);
    free.remove(platform.bundle.begin, platform.bundle.end);
    free.remove(image, image + image_offset(init_end));
    put_reachable_first(free, image);
    auto* const init_entries = map_kernel(platform, image, ram, free);
    the_machine.start(platform);

    BootInfo info {
        .memory = { free.items.data(), free.count },
        .bundle = platform.bundle,
        .bundle_bytes = platform.bundle.end - platform.bundle.begin,
        .device_tree = platform.device_tree,
        .device_tree_bytes = platform.device_tree.end - platform.device_tree.begin,
        .chance = chance(),
        .command_line = platform.command_line,
    };
    auto* const kernel = ::new (&the_kernel()) Kernel(the_machine);
    kernel->enter();
    other_roots[0] = READ_REGISTER(ttbr1_el1);
    other_roots[1] = READ_REGISTER(ttbr0_el1);
    auto const all_came = the_machine.start_others(platform, image + image_offset(start_other));
    info.cpus = the_machine.cpus();
    if (!kernel->boot(info))
        the_machine.power_off(125);
    if (!all_came) // the late one begins in boot code, whenever it comes
        boot_finished(init_entries, 0);
    give_back(*kernel, { image, image + image_offset(init_end) }, info.memory);
    boot_finished(init_entries, image_offset(init_end) / page_bytes);
}

} // namespace gemel::arch

// Boot code's own: the resident kernel asserts when it is compiled, and would not link with this.
namespace gemel {

void assertion_failed(char const* expression, char const* file, int line)
{
    auto& machine = arch::the_machine;
    machine.print("\ngemel: kernel assertion ");
    machine.print(expression);
    machine.print(" in ");
    machine.print(file);
    machine.print_hexadecimal(static_cast<u64>(line));
    machine.power_off(arch::status_kernel_failed);
    __builtin_unreachable();
}

} // namespace gemel
