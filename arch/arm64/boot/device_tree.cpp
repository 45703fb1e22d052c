// Reads the device tree by libfdt (Devicetree Specification v0.4; bindings of the Linux kernel for
// the GIC, the PL011 and PSCI). The tree is the firmware's word: what is malformed counts as
// absent.
#include "arch/arm64/boot/platform.hpp"

#include <libfdt.h>

namespace gemel::arch {

namespace {

class Tree {
public:
    explicit Tree(void const* blob)
        : blob_(blob)
    {
    }

    int path(char const* name) const { return fdt_path_offset(blob_, name); }
    int compatible(char const* name, int after = -1) const
    {
        return fdt_node_offset_by_compatible(blob_, after, name);
    }
    char const* text(int node, char const* name) const
    {
        int length = 0;
        auto const* const value = static_cast<char const*>(fdt_getprop(blob_, node, name, &length));
        return value && length > 0 && value[length - 1] == 0 ? value : nullptr;
    }
    // `cells` 32-bit words from word `at`; a missing one reads as 0.
    u64 number(int node, char const* name, int at, int cells) const
    {
        int length = 0;
        auto const* const words
            = static_cast<fdt32_t const*>(fdt_getprop(blob_, node, name, &length));
        u64 value = 0;
        for (int i = at; i < at + cells; ++i)
            value = value << 32 | (words && i < length / 4 ? fdt32_to_cpu(words[i]) : 0);
        return value;
    }
    int words(int node, char const* name) const
    {
        int length = 0;
        return fdt_getprop(blob_, node, name, &length) ? length / 4 : 0;
    }
    // Number of words, 1 or 2: `chosen` does not say.
    u64 whole_number(int node, char const* name) const
    {
        return number(node, name, 0, words(node, name));
    }
    // Entry `index` of `reg`, as physical addresses; empty: there is none.
    MemoryRange window(int node, int index) const;

    void const* blob() const { return blob_; }

private:
    u64 translated(int bus, u64 address) const;

    void const* blob_;
};

MemoryRange Tree::window(int node, int index) const
{
    auto const bus = fdt_parent_offset(blob_, node);
    if (bus < 0)
        return {};
    auto const address_cells = fdt_address_cells(blob_, bus);
    auto const size_cells = fdt_size_cells(blob_, bus);
    if (address_cells < 0 || size_cells < 0)
        return {};
    auto const at = index * (address_cells + size_cells);
    if (at + address_cells + size_cells > words(node, "reg"))
        return {};
    auto const begin = translated(bus, number(node, "reg", at, address_cells));
    return { begin, begin + number(node, "reg", at + address_cells, size_cells) };
}

// A bus's `ranges` say where its addresses stand in its parent's space, up to the root.
u64 Tree::translated(int bus, u64 address) const
{
    for (auto parent = fdt_parent_offset(blob_, bus); parent >= 0;
         bus = parent, parent = fdt_parent_offset(blob_, bus)) {
        auto const child_cells = fdt_address_cells(blob_, bus);
        auto const parent_cells = fdt_address_cells(blob_, parent);
        auto const size_cells = fdt_size_cells(blob_, bus);
        if (child_cells < 0 || parent_cells < 0 || size_cells < 0)
            break;
        auto const step = child_cells + parent_cells + size_cells;
        for (int at = 0; step > 0 && at + step <= words(bus, "ranges"); at += step) {
            auto const from = number(bus, "ranges", at, child_cells);
            auto const bytes = number(bus, "ranges", at + child_cells + parent_cells, size_cells);
            if (address - from < bytes) {
                address += number(bus, "ranges", at + child_cells, parent_cells) - from;
                break;
            }
        }
    }
    return address;
}

void read_memory(Tree const& tree, Platform& platform)
{
    for (int node = fdt_node_offset_by_prop_value(tree.blob(), -1, "device_type", "memory", 7);
         node >= 0;
         node = fdt_node_offset_by_prop_value(tree.blob(), node, "device_type", "memory", 7)) {
        for (int i = 0;; ++i) {
            auto const range = tree.window(node, i);
            if (range.begin == range.end)
                break;
            platform.memory.add(range.begin, range.end);
        }
    }
    for (int i = 0; i < fdt_num_mem_rsv(tree.blob()); ++i) {
        u64 begin = 0;
        u64 bytes = 0;
        if (fdt_get_mem_rsv(tree.blob(), i, &begin, &bytes) == 0)
            platform.reserved.add(begin, begin + bytes);
    }
    auto const parent = tree.path("/reserved-memory");
    if (parent < 0)
        return;
    int node = 0;
    fdt_for_each_subnode(node, tree.blob(), parent)
    {
        auto const range = tree.window(node, 0);
        platform.reserved.add(range.begin, range.end);
    }
}

void read_chosen(Tree const& tree, Platform& platform)
{
    auto const chosen = tree.path("/chosen");
    if (chosen < 0)
        return;
    platform.bundle = { tree.whole_number(chosen, "linux,initrd-start"),
        tree.whole_number(chosen, "linux,initrd-end") };
    if (auto const* const arguments = tree.text(chosen, "bootargs"))
        platform.command_line = arguments;
    platform.seed = tree.number(chosen, "kaslr-seed", 0, 2);
    for (int i = 0; i < tree.words(chosen, "rng-seed"); ++i)
        platform.seed = (platform.seed ^ tree.number(chosen, "rng-seed", i, 1)) * 0x100'0000'01B3;
}

// The console is what /chosen/stdout-path names (up to a colon), else the first PL011.
void read_uart(Tree const& tree, Platform& platform)
{
    int node = tree.compatible("arm,pl011");
    auto const chosen = tree.path("/chosen");
    auto const* const path = chosen >= 0 ? tree.text(chosen, "stdout-path") : nullptr;
    if (path) {
        int length = 0;
        while (path[length] != 0 && path[length] != ':')
            ++length;
        auto const named = fdt_path_offset_namelen(tree.blob(), path, length);
        if (named >= 0 && fdt_node_check_compatible(tree.blob(), named, "arm,pl011") == 0)
            node = named;
    }
    if (node >= 0)
        platform.uart = tree.window(node, 0).begin;
}

void read_gic(Tree const& tree, Platform& platform)
{
    struct Binding {
        char name[20];
        u32 version;
    };
    static constexpr Binding bindings[] = { { "arm,gic-v3", 3 }, { "arm,gic-400", 2 },
        { "arm,cortex-a15-gic", 2 }, { "arm,cortex-a9-gic", 2 } };
    for (auto const& binding : bindings) {
        auto const node = tree.compatible(binding.name);
        if (node < 0)
            continue;
        auto const second = tree.window(node, 1);
        platform.gic = { binding.version, tree.window(node, 0).begin, second.begin,
            second.end - second.begin };
        return;
    }
}

void read_processors(Tree const& tree, Platform& platform)
{
    auto const cpus = tree.path("/cpus");
    auto const cells = cpus < 0 ? -1 : fdt_address_cells(tree.blob(), cpus);
    for (int node = fdt_node_offset_by_prop_value(tree.blob(), -1, "device_type", "cpu", 4);
         node >= 0 && cells > 0 && platform.processor_count < cpus_max;
         node = fdt_node_offset_by_prop_value(tree.blob(), node, "device_type", "cpu", 4))
        platform.processors[platform.processor_count++] = tree.number(node, "reg", 0, cells);
}

void read_psci(Tree const& tree, Platform& platform)
{
    auto node = tree.compatible("arm,psci-0.2");
    if (node < 0)
        node = tree.compatible("arm,psci-1.0");
    auto const* const method = node >= 0 ? tree.text(node, "method") : nullptr;
    if (method)
        platform.conduit = method[0] == 's' ? Conduit::smc : Conduit::hvc;
}

} // namespace

u32 processors_wanted(char const* line)
{
    constexpr char key[] = "cpus=";
    for (; *line != 0; ++line) {
        auto const* at = line;
        auto const* wanted = key;
        while (*wanted != 0 && *at == *wanted) {
            ++at;
            ++wanted;
        }
        if (*wanted != 0)
            continue;
        u32 value = 0;
        for (; *at >= '0' && *at <= '9' && value < cpus_max; ++at)
            value = value * 10 + static_cast<u32>(*at - '0');
        return value == 0 ? 1 : value < cpus_max ? value : cpus_max;
    }
    return cpus_max;
}

bool read_device_tree(void const* blob, u64 physical, Platform& platform)
{
    if (fdt_check_header(blob) != 0)
        return false;
    platform.device_tree = { physical, physical + fdt_totalsize(blob) };
    Tree const tree { blob };
    read_memory(tree, platform);
    read_chosen(tree, platform);
    read_uart(tree, platform);
    read_gic(tree, platform);
    read_psci(tree, platform);
    read_processors(tree, platform);
    return platform.memory.count != 0 && platform.uart != 0 && platform.gic.version != 0;
}

} // namespace gemel::arch
