#include "servers/devices/device_tree.hpp"

#include "servers/rt/region.hpp"

#include <libfdt.h>

namespace gemel::devices {
namespace {

constexpr u32 shared_line_first = 32; // GIC: SPI 0 is interrupt 32, PPI 0 is 16
constexpr u32 private_line_first = 16;
constexpr u32 primecell_bytes = 0x1000;
constexpr int cells_max = 2;

Result<SharedRegion> map_physical(PhysBroker const& phys, u64 address, u64 bytes, u16 flags)
{
    auto const first = address / page_bytes;
    auto const pages = (address + bytes + page_bytes - 1) / page_bytes - first;
    if (pages > region_pages_max)
        return Error::too_big;
    auto region = TRY(phys.region_physical(first, static_cast<u32>(pages), flags));
    auto const write = flags & static_cast<u16>(PhysFlag::write);
    return SharedRegion::map(
        std::move(region), write ? RegionAccess::read_write : RegionAccess::read);
}

class Tree {
public:
    explicit Tree(void const* blob)
        : blob_(blob)
    {
    }

    // Calls visit(node) for each node that is compatible and not switched off.
    template <typename Visit>
    void each(char const* compatible, Visit visit) const
    {
        for (int node = fdt_node_offset_by_compatible(blob_, -1, compatible); node >= 0;
             node = fdt_node_offset_by_compatible(blob_, node, compatible))
            if (enabled(node))
                visit(node);
    }

    // The first range of `reg`; 0: none.
    u64 address_of(int node) const
    {
        auto const parent = fdt_parent_offset(blob_, node);
        int length = 0;
        auto const* const cells
            = static_cast<fdt32_t const*>(fdt_getprop(blob_, node, "reg", &length));
        auto const count = parent < 0 ? 0 : fdt_address_cells(blob_, parent);
        if (!cells || count < 1 || count > cells_max || length < count * 4)
            return 0;
        u64 address = 0;
        for (int i = 0; i < count; ++i)
            address = address << 32 | fdt32_to_cpu(cells[i]);
        return address;
    }

    // The first of `interrupts`, as the kernel numbers lines; 0: none.
    u32 line_of(int node) const
    {
        int length = 0;
        auto const* const cells
            = static_cast<fdt32_t const*>(fdt_getprop(blob_, node, "interrupts", &length));
        if (!cells || length < 12)
            return 0;
        auto const is_private = fdt32_to_cpu(cells[0]) == 1;
        return fdt32_to_cpu(cells[1]) + (is_private ? private_line_first : shared_line_first);
    }

private:
    bool enabled(int node) const
    {
        int length = 0;
        auto const* const status
            = static_cast<char const*>(fdt_getprop(blob_, node, "status", &length));
        return !status || std::string_view(status, static_cast<usize>(length)).starts_with("ok");
    }
    void const* blob_;
};

// Its device id, 0 when the place is empty or speaks another version.
u32 device_id_at(PhysBroker const& phys, u64 address)
{
    auto const window = map_physical(phys, address, virtio_mmio_bytes,
        static_cast<u16>(PhysFlag::write) | static_cast<u16>(PhysFlag::uncached));
    if (!window)
        return 0;
    auto const* const registers
        = reinterpret_cast<u32 const volatile*>(window->span().data() + address % page_bytes);
    if (registers[0] != virtio_magic || registers[1] != virtio_mmio_version)
        return 0;
    return registers[2];
}

void add(std::vector<FoundDevice>& found, Tree const& tree, int node, FoundDevice device)
{
    device.line = tree.line_of(node);
    if (device.line != 0)
        found.push_back(device);
}

void find_nodes(PhysBroker const& phys, Tree const& tree, std::vector<FoundDevice>& found)
{
    auto const primecell = [&](std::string_view device_class, protocol::DeviceKind kind) {
        return [&, device_class, kind](int node) {
            FoundDevice device;
            device.device_class = device_class;
            device.kind = kind;
            device.ranges[0] = { tree.address_of(node), primecell_bytes };
            if (device.ranges[0].base != 0)
                add(found, tree, node, device);
        };
    };
    tree.each("arm,pl011", primecell("console", protocol::DeviceKind::pl011));
    tree.each("arm,pl031", primecell("clock", protocol::DeviceKind::pl031));
    tree.each("virtio,mmio", [&](int node) {
        FoundDevice device;
        auto const address = tree.address_of(node);
        auto const id = address ? device_id_at(phys, address) : 0;
        device.device_class = virtio_class(id);
        device.ranges[0] = { address, virtio_mmio_bytes };
        if (id != 0)
            add(found, tree, node, device);
    });
}

} // namespace

Result<void> find_in_device_tree(
    PhysBroker const& phys, u64 physical, u64 bytes, std::vector<FoundDevice>& found)
{
    if (physical == 0 || bytes == 0)
        return {};
    auto const window = TRY(map_physical(phys, physical, bytes, 0));
    auto const* const blob = window.span().data() + physical % page_bytes;
    if (bytes < sizeof(fdt_header) || fdt_check_header(blob) != 0 || fdt_totalsize(blob) > bytes)
        return Error::corrupt;
    find_nodes(phys, Tree { blob }, found);
    return {};
}

} // namespace gemel::devices
