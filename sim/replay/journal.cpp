#include "sim/replay/journal.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstring>
#include <optional>

namespace gemel::sim {

namespace {

constexpr std::string_view magic = "GEMELJ02";
constexpr usize magic_name_bytes = 6; // before the version

struct Header {
    char magic[8];
    u64 seed;
    u64 until_ns;
    Hash l1;
    u32 fault_kinds;
    u8 strategy;
    u8 complete;
    u16 flags;
    u32 records;
    u32 unused;
    char workload[Journal::workload_bytes_max + 1];
    char check_name[32];
    char task[24];
    char what[120];
    u64 what_hash;
    u64 records_check;
    u64 check; // of everything before it
};
static_assert(sizeof(Header) == 304);

struct Record {
    u8 kind;
    u8 unused;
    u16 entity_low;
    u32 ordinal;
    u32 value;
};
static_assert(sizeof(Record) == 12);

constexpr u16 flag_preempts = 1;
constexpr u16 flag_races = 2;
constexpr u32 cpus_shift = 8; // of the flags: how many processors beyond the first
constexpr u32 cpus_mask = 7;

// Entities are thread ids and lines, but for sites: a label's hash needs all its bits, so a site is
// two records, the second with its upper half.
constexpr u8 upper_half = 0x80;

u64 check_of(std::span<u8 const> bytes)
{
    Hash hash;
    for (auto const byte : bytes)
        hash.add(byte);
    return hash.low;
}

u64 check_of(Header const& header)
{
    return check_of({ reinterpret_cast<u8 const*>(&header), offsetof(Header, check) });
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

std::vector<Record> records_of(std::vector<Decision> const& decisions)
{
    std::vector<Record> records;
    for (auto const& [key, value] : decisions) {
        auto const kind = static_cast<u8>(key.kind);
        records.push_back({ kind, 0, static_cast<u16>(key.entity), key.ordinal, value });
        if (key.entity >> 16 != 0)
            records.push_back({ static_cast<u8>(kind | upper_half), 0,
                static_cast<u16>(key.entity >> 16), key.ordinal, value });
    }
    return records;
}

// Null, or the name of another version.
std::optional<std::string> version_of(std::span<u8 const> bytes)
{
    std::string const name { bytes.begin(),
        bytes.begin() + static_cast<std::ptrdiff_t>(magic.size()) };
    return name.substr(0, magic_name_bytes) == magic.substr(0, magic_name_bytes) && name != magic
        ? std::optional { name }
        : std::nullopt;
}

bool read_header(std::span<u8 const> bytes, Header& header, JournalError& error)
{
    auto const has_magic = bytes.size() >= magic.size();
    if (auto const other = has_magic ? version_of(bytes) : std::nullopt) {
        error.what = "it is a journal of another version (" + *other + "; this program reads "
            + std::string { magic }
            + "): run the seed again, or replay it with the build that made it";
        return false;
    }
    if (!has_magic || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
        error.what = "it is no journal of gemel sim (its first eight bytes are not "
            + std::string { magic } + ")";
        return false;
    }
    if (bytes.size() >= sizeof header)
        std::memcpy(&header, bytes.data(), sizeof header);
    if (bytes.size() < sizeof header || header.check != check_of(header)
        || header.strategy >= strategies) {
        error.what = "its header (bytes 0 to " + std::to_string(sizeof header - 1)
            + ") is damaged: run the seed again to make a new one";
        return false;
    }
    return true;
}

// The second half of an entity stands right behind the first, and says the same otherwise.
bool completes(Record const& record, Decision const& decision)
{
    auto const& key = decision.key;
    return record.kind == (static_cast<u8>(key.kind) | upper_half) && key.ordinal == record.ordinal
        && decision.value == record.value && key.entity >> 16 == 0 && record.entity_low != 0;
}

bool take(Record const& record, std::vector<Decision>& decisions)
{
    if ((record.kind & upper_half) != 0) {
        if (decisions.empty() || !completes(record, decisions.back()))
            return false;
        decisions.back().key.entity |= u32 { record.entity_low } << 16;
        return true;
    }
    if (record.kind >= kinds || record.kind == static_cast<u8>(Kind::entropy))
        return false;
    decisions.push_back(
        { { static_cast<Kind>(record.kind), record.entity_low, record.ordinal }, record.value });
    return true;
}

} // namespace

std::vector<u8> encode(Journal const& journal, usize bytes_max)
{
    Header header {};
    std::memcpy(header.magic, magic.data(), magic.size());
    header.seed = journal.seed;
    header.until_ns = journal.until_ns;
    header.l1 = journal.l1;
    header.fault_kinds = journal.fault_kinds;
    header.strategy = static_cast<u8>(journal.strategy);
    header.flags = static_cast<u16>((journal.preempts ? flag_preempts : 0)
        | (journal.races ? flag_races : 0) | (journal.cpus - 1) << cpus_shift);
    put(header.workload, journal.workload);
    put(header.check_name, journal.check);
    put(header.task, journal.task);
    put(header.what, journal.what);
    header.what_hash = journal.what_hash;
    auto records = records_of(journal.decisions);
    header.complete
        = journal.complete && sizeof header + records.size() * sizeof(Record) <= bytes_max;
    if (!header.complete)
        records.clear();
    auto const* first = reinterpret_cast<u8 const*>(records.data());
    std::span const bytes { first, records.size() * sizeof(Record) };
    header.records = static_cast<u32>(records.size());
    header.records_check = check_of(bytes);
    header.check = check_of(header);
    std::vector<u8> file(sizeof header + bytes.size());
    std::memcpy(file.data(), &header, sizeof header);
    std::copy(bytes.begin(), bytes.end(), file.begin() + sizeof header);
    return file;
}

bool decode(std::span<u8 const> bytes, Journal& journal, JournalError& error)
{
    Header header {};
    if (!read_header(bytes, header, error))
        return false;
    journal = {};
    journal.seed = header.seed;
    journal.until_ns = header.until_ns;
    journal.l1 = header.l1;
    journal.fault_kinds = header.fault_kinds;
    journal.strategy = static_cast<StrategyKind>(header.strategy);
    journal.complete = header.complete != 0;
    journal.preempts = (header.flags & flag_preempts) != 0;
    journal.races = (header.flags & flag_races) != 0;
    journal.cpus = 1 + (header.flags >> cpus_shift & cpus_mask);
    journal.workload = taken(header.workload);
    journal.check = taken(header.check_name);
    journal.task = taken(header.task);
    journal.what = taken(header.what);
    journal.what_hash = header.what_hash;
    auto const records = bytes.subspan(sizeof header);
    auto good = records.size() == header.records * sizeof(Record)
        && header.records_check == check_of(records);
    for (usize at = 0; good && at < records.size(); at += sizeof(Record)) {
        Record record;
        std::memcpy(&record, records.data() + at, sizeof record);
        good = take(record, journal.decisions);
    }
    if (!good)
        error.what = "it is damaged or cut off: behind its header stand not the "
            + std::to_string(header.records)
            + " records that it had. Run the seed again to make a new one";
    return good;
}

u64 failure_hash(std::string_view what)
{
    Hash hash;
    for (usize i = 0; i < what.size(); ++i) {
        hash.add(static_cast<u8>(what[i]));
        if (!what.substr(0, i + 1).ends_with("0x"))
            continue;
        while (i + 1 < what.size() && std::isxdigit(static_cast<u8>(what[i + 1])) != 0)
            ++i;
    }
    return hash.low;
}

} // namespace gemel::sim
