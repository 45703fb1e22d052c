// ACPI specification 6.5: 5.2.5 (root pointer), 5.2.9 (FADT), 5.2.12 (MADT), 7.4.2 (\_S5).
#include "arch/x86_64/boot/acpi.hpp"

#include <string_view>

namespace gemel::arch::boot {

namespace {

constexpr u32 header_bytes = 36;
constexpr u32 table_bytes_max = 1 << 20;
constexpr u64 classic_io_apic = 0xFEC0'0000;
constexpr u16 sleep_enable = 1 << 13;
constexpr u32 sleep_type_shift = 10;

using Table = std::span<u8 const>;

bool sums_to_zero(u8 const* bytes, u32 count)
{
    u8 sum = 0;
    for (u32 index = 0; index < count; ++index)
        sum = static_cast<u8>(sum + bytes[index]);
    return sum == 0;
}

// Empty: no such table, or it is broken.
Table table_at(Physical const& memory, u64 address)
{
    auto const* const header = memory.span(address, header_bytes);
    if (address == 0 || header == nullptr)
        return {};
    auto const length = load<u32>(header + 4);
    if (length < header_bytes || length > table_bytes_max || !memory.span(address, length)
        || !sums_to_zero(header, length))
        return {};
    return { header, length };
}

bool signed_as(Table table, std::string_view signature)
{
    return table.size() >= header_bytes
        && std::string_view(reinterpret_cast<char const*>(table.data()), 4) == signature;
}

u8 const* root_pointer(Physical const& memory, u64 address)
{
    constexpr u32 bytes = 20; // of version 1; the rest has a sum of its own
    auto const* const pointer = memory.span(address, 36);
    constexpr std::string_view signature = "RSD PTR ";
    if (pointer == nullptr
        || std::string_view(reinterpret_cast<char const*>(pointer), 8) != signature
        || !sums_to_zero(pointer, bytes))
        return nullptr;
    return pointer;
}

u64 search_root_pointer(Physical const& memory)
{
    for (u64 address = 0xE0000; address < 0x100000; address += 16) {
        if (root_pointer(memory, address) != nullptr)
            return address;
    }
    return 0;
}

// The entries of an RSDT are 4 bytes wide, of an XSDT 8.
struct Root {
    Table table;
    u32 width = 4;
};

Root root_of(Physical const& memory, u8 const* pointer)
{
    if (pointer[15] >= 2) {
        auto const extended = table_at(memory, load<u64>(pointer + 24));
        if (signed_as(extended, "XSDT"))
            return { extended, 8 };
    }
    auto const plain = table_at(memory, load<u32>(pointer + 16));
    return { signed_as(plain, "RSDT") ? plain : Table {}, 4 };
}

Table find(Physical const& memory, Root const& root, std::string_view signature)
{
    for (usize at = header_bytes; at + root.width <= root.table.size(); at += root.width) {
        auto const* const entry = root.table.data() + at;
        auto const table = table_at(memory, root.width == 8 ? load<u64>(entry) : load<u32>(entry));
        if (signed_as(table, signature))
            return table;
    }
    return {};
}

void add_io_apic(AcpiFacts& facts, AcpiIoApic found)
{
    if (facts.io_apic_count == acpi_io_apics_max)
        return;
    auto at = facts.io_apic_count++;
    for (; at > 0 && facts.io_apics[at - 1].first_line > found.first_line; --at)
        facts.io_apics[at] = facts.io_apics[at - 1];
    facts.io_apics[at] = found;
}

void add_cpu(AcpiFacts& facts, u32 apic_id, u32 flags)
{
    constexpr u32 enabled = 1;
    if (!(flags & enabled) || facts.cpu_count == acpi_cpus_max)
        return;
    for (u32 index = 0; index < facts.cpu_count; ++index)
        if (facts.cpus[index] == apic_id)
            return;
    facts.cpus[facts.cpu_count++] = apic_id;
}

void read_interrupts(Table madt, AcpiFacts& facts)
{
    constexpr u8 io_apic = 1;
    constexpr u8 override = 2;
    constexpr u8 local_apic = 0;
    constexpr u8 local_x2apic = 9;
    for (usize at = header_bytes + 8; at + 2 <= madt.size();) {
        auto const* const entry = madt.data() + at;
        auto const length = entry[1];
        if (length < 2 || length > madt.size() - at)
            return;
        if (entry[0] == io_apic && length >= 12)
            add_io_apic(facts, { load<u32>(entry + 4), load<u32>(entry + 8) });
        if (entry[0] == local_apic && length >= 8)
            add_cpu(facts, entry[3], load<u32>(entry + 4));
        if (entry[0] == local_x2apic && length >= 16)
            add_cpu(facts, load<u32>(entry + 4), load<u32>(entry + 8));
        if (entry[0] == override && length >= 10 && entry[3] < isa_lines) {
            auto const flags = load<u16>(entry + 8);
            facts.isa[entry[3]] = { load<u32>(entry + 4), (flags & 3) == 3, (flags >> 2 & 3) == 3 };
        }
        at += length;
    }
}

// `Name (_S5, Package () { a, b, .. })` is found by its bytes: no interpreter for one number.
u16 power_off_value(Table dsdt)
{
    constexpr u8 package = 0x12;
    constexpr u8 byte_prefix = 0x0A;
    constexpr std::string_view name = "_S5_";
    auto const is_at = [&](usize place) {
        return __builtin_memcmp(dsdt.data() + place, name.data(), name.size()) == 0;
    };
    usize found = header_bytes;
    while (found + 10 <= dsdt.size() && !(is_at(found) && dsdt[found + 4] == package))
        ++found;
    if (found + 10 > dsdt.size())
        return sleep_enable;
    auto at = found + 5;
    at += (dsdt[at] >> 6) + 2u; // the package's length, and its count of elements
    if (at + 1 < dsdt.size() && dsdt[at] == byte_prefix)
        ++at;
    auto const type = at < dsdt.size() ? dsdt[at] & 7u : 0;
    return static_cast<u16>(type << sleep_type_shift | sleep_enable);
}

void read_fixed(Physical const& memory, Table fadt, AcpiFacts& facts)
{
    constexpr usize bytes_min = 116;
    if (fadt.size() < bytes_min)
        return;
    auto const* const bytes = fadt.data();
    facts.switch_on_port = load<u16>(bytes + 48);
    facts.switch_on_value = bytes[52];
    facts.power_control = load<u16>(bytes + 64);
    facts.timer = load<u16>(bytes + 76);
    auto dsdt = table_at(memory, load<u32>(bytes + 40));
    if (dsdt.empty() && fadt.size() >= 148)
        dsdt = table_at(memory, load<u64>(bytes + 140));
    facts.power_off_value = power_off_value(dsdt);
}

} // namespace

AcpiFacts read_acpi(Physical const& memory, u64& rsdp)
{
    AcpiFacts facts;
    for (u32 line = 0; line < isa_lines; ++line)
        facts.isa[line].line = line;
    if (rsdp == 0)
        rsdp = search_root_pointer(memory);
    if (auto const* const pointer = root_pointer(memory, rsdp)) {
        auto const root = root_of(memory, pointer);
        read_interrupts(find(memory, root, "APIC"), facts);
        read_fixed(memory, find(memory, root, "FACP"), facts);
    }
    if (facts.io_apic_count == 0)
        add_io_apic(facts, { classic_io_apic, 0 });
    return facts;
}

} // namespace gemel::arch::boot
