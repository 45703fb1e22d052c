#include "frontends/cli/partition.hpp"

#include <array>
#include <span>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace gemel::cli {

namespace {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::size_t table_offset = 446; // of a master boot record
constexpr std::size_t entry_bytes = 16;
constexpr unsigned primary_max = 4;
constexpr unsigned logical_max = 128; // a chain that is longer runs in a circle
constexpr std::uint8_t type_protective = 0xEE;
constexpr unsigned gpt_entries_max = 1024;
constexpr std::size_t gpt_entry_bytes_max = 4096;

using Sector = std::vector<std::uint8_t>;

std::optional<Sector> bytes_at(int image, std::uint64_t offset, std::size_t count)
{
    Sector bytes(count);
    auto const got = ::pread(image, bytes.data(), count, static_cast<off_t>(offset));
    if (got != static_cast<ssize_t>(count))
        return std::nullopt;
    return bytes;
}

std::uint64_t little_endian(std::span<std::uint8_t const> bytes)
{
    std::uint64_t value = 0;
    for (auto index = bytes.size(); index-- > 0;)
        value = value << 8 | bytes[index];
    return value;
}

std::uint64_t number_at(Sector const& bytes, std::size_t offset, std::size_t count)
{
    return little_endian(std::span(bytes).subspan(offset, count));
}

bool is_boot_record(Sector const& sector)
{
    return sector[510] == 0x55 && sector[511] == 0xAA;
}

bool is_extended(std::uint8_t type)
{
    return type == 0x05 || type == 0x0F || type == 0x85;
}

// One entry of a boot record; sectors count from where the record says.
struct Entry {
    std::uint8_t type = 0; // 0: unused
    std::uint64_t first = 0;
    std::uint64_t sectors = 0;
};

Entry entry_of(Sector const& record, unsigned index)
{
    auto const at = table_offset + index * entry_bytes;
    return { record[at + 4], number_at(record, at + 8, 4), number_at(record, at + 12, 4) };
}

// IEEE 802.3's, as the GUID partition table uses it.
std::uint32_t crc32(std::span<std::uint8_t const> bytes)
{
    std::uint32_t sum = 0xFFFF'FFFF;
    for (auto const byte : bytes) {
        sum ^= byte;
        for (int bit = 0; bit < 8; ++bit)
            sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xEDB8'8320u : 0);
    }
    return ~sum;
}

std::string none(unsigned number)
{
    return "has no partition " + std::to_string(number);
}

FoundPartition checked(
    std::uint64_t first, std::uint64_t sectors, std::uint64_t image_bytes, unsigned number)
{
    auto const all = image_bytes / sector_bytes;
    if (first == 0 || first >= all || sectors == 0 || sectors > all - first)
        return { {}, "says that partition " + std::to_string(number) + " lies outside of it" };
    return { { first * sector_bytes, sectors * sector_bytes }, {} };
}

// The header in sector 1, or its copy in the last one.
std::optional<Sector> gpt_header(int image, std::uint64_t image_bytes)
{
    constexpr std::size_t sum_offset = 16;
    auto const last = image_bytes / sector_bytes - 1;
    for (auto const place : { std::uint64_t { 1 }, last }) {
        auto header = bytes_at(image, place * sector_bytes, sector_bytes);
        if (!header || std::string_view(reinterpret_cast<char*>(header->data()), 8) != "EFI PART")
            continue;
        auto const bytes = number_at(*header, 12, 4);
        if (bytes < 92 || bytes > header->size())
            continue;
        auto summed = *header;
        std::fill_n(summed.begin() + sum_offset, 4, std::uint8_t { 0 });
        if (crc32(std::span(summed).first(bytes)) == number_at(*header, sum_offset, 4))
            return header;
    }
    return std::nullopt;
}

FoundPartition find_in_gpt(int image, std::uint64_t image_bytes, unsigned number)
{
    auto const header = gpt_header(image, image_bytes);
    if (!header)
        return { {}, "has a damaged GUID partition table, and its copy is damaged as well" };
    auto const count = number_at(*header, 80, 4);
    auto const bytes = number_at(*header, 84, 4);
    if (count > gpt_entries_max || bytes < 128 || bytes > gpt_entry_bytes_max)
        return { {}, "has a GUID partition table of an impossible size" };
    if (number > count)
        return { {}, none(number) };
    auto const place = number_at(*header, 72, 8) * sector_bytes + (number - 1) * bytes;
    auto const entry = place < image_bytes ? bytes_at(image, place, 128) : std::nullopt;
    if (!entry || (number_at(*entry, 0, 8) == 0 && number_at(*entry, 8, 8) == 0))
        return { {}, none(number) };
    auto const first = number_at(*entry, 32, 8);
    auto const last = number_at(*entry, 40, 8);
    return checked(first, last >= first ? last - first + 1 : 0, image_bytes, number);
}

// Each logical partition stands in a record of its own, which names the next one.
FoundPartition find_logical(
    int image, std::uint64_t image_bytes, std::uint64_t extended, unsigned number)
{
    auto place = extended;
    for (unsigned at = primary_max + 1; at <= primary_max + logical_max; ++at) {
        auto const record = bytes_at(image, place * sector_bytes, sector_bytes);
        if (!record || !is_boot_record(*record))
            break;
        auto const entry = entry_of(*record, 0);
        if (at == number && entry.type != 0)
            return checked(place + entry.first, entry.sectors, image_bytes, number);
        auto const next = entry_of(*record, 1);
        if (!is_extended(next.type))
            break;
        place = extended + next.first;
    }
    return { {}, none(number) };
}

} // namespace

FoundPartition find_partition(int image, std::uint64_t image_bytes, unsigned number)
{
    auto const record = bytes_at(image, 0, sector_bytes);
    if (!record || !is_boot_record(*record))
        return { {}, "has no partition table" };
    if (number == 0)
        return { {}, none(number) };
    for (unsigned index = 0; index < primary_max; ++index) {
        auto const entry = entry_of(*record, index);
        if (entry.type == type_protective)
            return find_in_gpt(image, image_bytes, number);
        if (number > primary_max && is_extended(entry.type))
            return find_logical(image, image_bytes, entry.first, number);
        if (index + 1 == number && entry.type != 0 && !is_extended(entry.type))
            return checked(entry.first, entry.sectors, image_bytes, number);
    }
    return { {}, none(number) };
}

} // namespace gemel::cli
