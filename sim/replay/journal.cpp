#include "sim/replay/journal.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace gemel::sim {

namespace {

constexpr char magic[8] = { 'G', 'E', 'M', 'E', 'L', 'J', '0', '1' };

struct Header {
    char magic[8];
    u64 seed;
    u64 until_ns;
    Hash l1;
    u32 fault_kinds;
    u8 strategy;
    u8 complete;
    u16 flags;
    char workload[Journal::workload_bytes_max + 1];
    char check_name[32];
    u64 check; // of everything before it
};
static_assert(sizeof(Header) == 136);

struct Record {
    u8 kind;
    u8 check; // of the other bytes and the record's place
    u16 entity_low;
    u32 ordinal;
    u32 value;
};
static_assert(sizeof(Record) == 12);

constexpr u16 flag_preempts = 1;
constexpr u32 cpus_shift = 8; // of the flags: how many processors beyond the first
constexpr u32 cpus_mask = 7;

// Entities are thread ids and lines, but for sites: a label's hash needs all its bits, so a site is
// two records, the second with its upper half.
constexpr u8 upper_half = 0x80;

u64 check_of(void const* bytes, usize count, u64 place)
{
    Hash hash;
    hash.add(place);
    auto const* at = static_cast<u8 const*>(bytes);
    for (usize i = 0; i < count; ++i)
        hash.add(at[i]);
    return hash.low;
}

u8 check_of(Record record, usize place)
{
    record.check = 0;
    return static_cast<u8>(check_of(&record, sizeof record, place) >> 56);
}

template <usize n>
void put(char (&to)[n], std::string const& from)
{
    std::memcpy(to, from.data(), std::min(from.size(), n - 1));
}

template <usize n>
std::string taken(char const (&from)[n])
{
    return { from, ::strnlen(from, n) };
}

void append(std::vector<u8>& to, Record record)
{
    record.check = check_of(record, to.size());
    auto const* bytes = reinterpret_cast<u8 const*>(&record);
    to.insert(to.end(), bytes, bytes + sizeof record);
}

} // namespace

std::vector<u8> encode(Journal const& journal, usize bytes_max)
{
    Header header {};
    std::memcpy(header.magic, magic, sizeof magic);
    header.seed = journal.seed;
    header.until_ns = journal.until_ns;
    header.l1 = journal.l1;
    header.fault_kinds = journal.fault_kinds;
    header.strategy = static_cast<u8>(journal.strategy);
    header.flags = static_cast<u16>(
        (journal.preempts ? flag_preempts : 0) | (journal.cpus - 1) << cpus_shift);
    put(header.workload, journal.workload);
    put(header.check_name, journal.check);
    usize bytes = sizeof header;
    for (auto const& decision : journal.decisions)
        bytes += decision.key.entity >> 16 != 0 ? 2 * sizeof(Record) : sizeof(Record);
    header.complete = journal.complete && bytes <= bytes_max;
    header.check = check_of(&header, offsetof(Header, check), 0);
    std::vector<u8> file(sizeof header);
    std::memcpy(file.data(), &header, sizeof header);
    for (auto const& [key, value] : journal.decisions) {
        if (!header.complete)
            break;
        auto const kind = static_cast<u8>(key.kind);
        append(file, { kind, 0, static_cast<u16>(key.entity), key.ordinal, value });
        if (key.entity >> 16 != 0)
            append(file,
                { static_cast<u8>(kind | upper_half), 0, static_cast<u16>(key.entity >> 16),
                    key.ordinal, value });
    }
    return file;
}

bool decode(std::span<u8 const> bytes, Journal& journal, usize& dropped_bytes, JournalError& error)
{
    Header header;
    if (bytes.size() < sizeof header || std::memcmp(bytes.data(), magic, sizeof magic) != 0) {
        error.what = "it is no journal of gemel sim (its first eight bytes are not GEMELJ01)";
        return false;
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.check != check_of(&header, offsetof(Header, check), 0)
        || header.strategy >= strategies) {
        error.what = "its header (bytes 0 to 135) is damaged: run the seed again to make a new one";
        return false;
    }
    journal = {};
    journal.seed = header.seed;
    journal.until_ns = header.until_ns;
    journal.l1 = header.l1;
    journal.fault_kinds = header.fault_kinds;
    journal.strategy = static_cast<StrategyKind>(header.strategy);
    journal.complete = header.complete != 0;
    journal.preempts = (header.flags & flag_preempts) != 0;
    journal.cpus = 1 + (header.flags >> cpus_shift & cpus_mask);
    journal.workload = taken(header.workload);
    journal.check = taken(header.check_name);
    auto at = sizeof header;
    for (; at + sizeof(Record) <= bytes.size(); at += sizeof(Record)) {
        Record record;
        std::memcpy(&record, bytes.data() + at, sizeof record);
        auto const kind = static_cast<u8>(record.kind & ~upper_half);
        auto const second = (record.kind & upper_half) != 0;
        if (record.check != check_of(record, at) || kind >= kinds
            || (second && journal.decisions.empty()))
            break;
        if (second)
            journal.decisions.back().key.entity |= u32 { record.entity_low } << 16;
        else
            journal.decisions.push_back(
                { { static_cast<Kind>(kind), record.entity_low, record.ordinal }, record.value });
    }
    dropped_bytes = bytes.size() - at;
    return true;
}

} // namespace gemel::sim
