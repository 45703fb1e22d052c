// The devices of a flattened device tree (Devicetree Specification 0.4): virtio-mmio transports and
// the PL011. libfdt checks the tree's bytes; interrupts are GIC specifiers of three cells.
#include "servers/devices/probe.hpp"
#include "servers/devices/window.hpp"

#include <algorithm>
#include <optional>

extern "C" {
#include <libfdt.h>
}

namespace gemel::devices {
namespace {

using protocol::DeviceKind;
using protocol::WindowKind;
using protocol::WindowRole;

constexpr u32 virtio_magic = 0x7472'6976;
constexpr u32 tree_bytes_max = region_bytes_max;

struct Node {
    u64 base = 0;
    u32 bytes = 0;
    u32 line = 0; // a GIC interrupt id
};

u64 cell(u8 const* at)
{
    return u64 { at[0] } << 24 | u64 { at[1] } << 16 | u64 { at[2] } << 8 | at[3];
}

// reg with two address and two size cells (what machines of this kind have), interrupts with three.
std::optional<Node> node_at(void const* tree, int offset)
{
    int reg_bytes = 0;
    auto const* reg = static_cast<u8 const*>(fdt_getprop(tree, offset, "reg", &reg_bytes));
    if (!reg || reg_bytes < 16)
        return {};
    Node node;
    node.base = cell(reg) << 32 | cell(reg + 4);
    node.bytes = static_cast<u32>(cell(reg + 12));
    int interrupt_bytes = 0;
    auto const* interrupts
        = static_cast<u8 const*>(fdt_getprop(tree, offset, "interrupts", &interrupt_bytes));
    if (interrupts && interrupt_bytes >= 12) {
        auto const shared = cell(interrupts) == 0; // SPI; 1 is PPI
        node.line = static_cast<u32>(cell(interrupts + 4)) + (shared ? 32 : 16);
    }
    return node;
}

std::vector<Node> nodes_of(void const* tree, char const* compatible)
{
    std::vector<Node> nodes;
    auto offset = fdt_node_offset_by_compatible(tree, -1, compatible);
    while (offset >= 0 && nodes.size() < devices_max) {
        if (auto const node = node_at(tree, offset))
            nodes.push_back(*node);
        offset = fdt_node_offset_by_compatible(tree, offset, compatible);
    }
    std::sort(
        nodes.begin(), nodes.end(), [](Node const& a, Node const& b) { return a.base < b.base; });
    return nodes;
}

Found found_at(std::string device_class, DeviceKind kind, Node const& node)
{
    Found found { std::move(device_class), kind, node.line, {}, {}, {} };
    found.places.push_back({ WindowRole::registers, WindowKind::memory, node.base, node.bytes, 0 });
    return found;
}

// A transport without a device behind it has type 0.
u32 virtio_type_at(PhysBroker const& phys, Node const& node)
{
    auto const window = Window::open(phys, node.base, std::max<u32>(node.bytes, 16));
    if (!window || window->read32(0) != virtio_magic || window->read32(4) != 2)
        return 0;
    return window->read32(8);
}

} // namespace

void find_tree(
    PhysBroker const& phys, u64 tree, u64 tree_bytes, std::vector<Found>& found, Log& log)
{
    if (tree == 0 || tree_bytes == 0)
        return;
    if (tree_bytes > tree_bytes_max) {
        log.error("the device tree is larger than 2 MiB: it is not used");
        return;
    }
    auto const begin = tree / page_bytes;
    auto const pages = (tree + tree_bytes + page_bytes - 1) / page_bytes - begin;
    auto region = phys.region_physical(begin, static_cast<u32>(pages), 0);
    if (!region) {
        log.error("the device tree cannot be mapped: ", region.error());
        return;
    }
    auto const mapped = SharedRegion::map(std::move(*region), RegionAccess::read);
    if (!mapped) {
        log.error("the device tree cannot be mapped: ", mapped.error());
        return;
    }
    void const* const blob = mapped->span().data() + tree % page_bytes;
    if (fdt_check_header(blob) != 0 || fdt_totalsize(blob) > tree_bytes) {
        log.error("the device tree is damaged: it is not used");
        return;
    }
    for (auto const& node : nodes_of(blob, "arm,pl011"))
        found.push_back(found_at("console", DeviceKind::pl011, node));
    for (auto const& node : nodes_of(blob, "virtio,mmio"))
        if (auto const type = virtio_type_at(phys, node); type != 0)
            found.push_back(found_at(class_of_virtio(type), DeviceKind::virtio_mmio, node));
}

} // namespace gemel::devices
