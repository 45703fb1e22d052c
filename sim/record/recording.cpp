#include "sim/record/recording.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace gemel::sim {

namespace {

constexpr char magic[8] = { 'G', 'E', 'M', 'E', 'L', 'R', '0', '1' };
constexpr usize number_bytes_max = 10;
constexpr u8 last_kind = static_cast<u8>(RecordKind::disk_written);

// Eight bytes at a time; the rest of them as one word with its length.
void add_bytes(Hash& hash, std::span<u8 const> bytes)
{
    usize at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        u64 word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        hash.add(word);
    }
    u64 word = bytes.size() - at;
    for (; at < bytes.size(); ++at)
        word = word << 8 | bytes[at];
    hash.add(word);
}

u64 check_of(std::span<u8 const> bytes)
{
    Hash hash;
    add_bytes(hash, bytes);
    return hash.high ^ hash.low;
}

u64 chained(u64 chain, u8 kind, std::span<u8 const> body)
{
    Hash hash { chain, body.size() };
    hash.add(kind);
    add_bytes(hash, body);
    return hash.high ^ hash.low;
}

u8 short_check(u64 chain)
{
    return static_cast<u8>(chain >> 48);
}

usize number_into(u8* to, u64 value)
{
    usize count = 0;
    for (; value >= 0x80; value >>= 7)
        to[count++] = static_cast<u8>(value | 0x80);
    to[count++] = static_cast<u8>(value);
    return count;
}

void put_word(std::vector<u8>& to, u64 value)
{
    for (u32 i = 0; i < 8; ++i)
        to.push_back(static_cast<u8>(value >> 8 * i));
}

void put_text(std::vector<u8>& to, std::string const& text)
{
    auto const kept = text.substr(0, RecordingStart::text_bytes_max);
    put_number(to, kept.size());
    to.insert(to.end(), kept.begin(), kept.end());
}

std::string text_of(Fields& fields)
{
    auto const bytes = fields.number();
    std::string text;
    for (u64 i = 0; i < bytes && fields.ok() && i < RecordingStart::text_bytes_max; ++i)
        text += static_cast<char>(fields.byte());
    return text;
}

} // namespace

void put_number(std::vector<u8>& to, u64 value)
{
    u8 bytes[number_bytes_max];
    auto const count = number_into(bytes, value);
    to.insert(to.end(), bytes, bytes + count);
}

// --- fields ---

u64 Fields::number()
{
    u64 value = 0;
    for (u32 shift = 0; shift < 64; shift += 7) {
        auto const part = byte();
        value |= u64 { part & 0x7Fu } << shift;
        if (part < 0x80)
            return value;
    }
    ok_ = false;
    return 0;
}

u64 Fields::fixed(usize bytes)
{
    if (left_.size() < bytes) {
        ok_ = false;
        left_ = {};
        return 0;
    }
    u64 value = 0;
    for (usize i = bytes; i-- > 0;)
        value = value << 8 | left_[i];
    left_ = left_.subspan(bytes);
    return value;
}

u64 Fields::word()
{
    return fixed(8);
}

u32 Fields::half()
{
    return static_cast<u32>(fixed(4));
}

u8 Fields::byte()
{
    return static_cast<u8>(fixed(1));
}

// --- start and end ---

std::vector<u8> encode(RecordingStart const& start)
{
    std::vector<u8> fields;
    put_word(fields, start.build);
    put_number(fields, start.memory_bytes);
    put_number(fields, start.disk_bytes);
    put_number(fields, zigzag(start.wall_clock_s));
    put_number(fields, start.image_changed_ns);
    put_number(fields, start.cpus);
    for (auto const flag : { start.disk_writable, start.boot_hidden, start.at_prompt })
        fields.push_back(flag);
    put_text(fields, start.command_line);
    put_text(fields, start.image);
    fields.push_back(start.at_restart_point);
    put_word(fields, start.place);
    std::vector<u8> file(std::begin(magic), std::end(magic));
    put_word(file, fields.size());
    put_word(file, check_of(fields));
    file.insert(file.end(), fields.begin(), fields.end());
    return file;
}

bool is_recording(std::span<u8 const> bytes)
{
    return bytes.size() >= sizeof magic && std::memcmp(bytes.data(), magic, sizeof magic) == 0;
}

bool decode(std::span<u8 const> bytes, RecordingStart& start, usize& begin, std::string& error)
{
    constexpr usize head = sizeof magic + 16;
    if (!is_recording(bytes)) {
        error = "it is no recording (its first eight bytes are not GEMELR01)";
        return false;
    }
    error = "its head is damaged or cut off: nothing of it can be used";
    Fields front { bytes.subspan(sizeof magic) };
    auto const length = front.word();
    auto const check = front.word();
    if (!front.ok() || length > bytes.size() - head)
        return false;
    auto const body = bytes.subspan(head, length);
    if (check_of(body) != check)
        return false;
    Fields fields { body };
    start.build = fields.word();
    start.memory_bytes = fields.number();
    start.disk_bytes = fields.number();
    start.wall_clock_s = from_zigzag(fields.number());
    start.image_changed_ns = fields.number();
    start.cpus = static_cast<u32>(fields.number());
    for (auto* flag : { &start.disk_writable, &start.boot_hidden, &start.at_prompt })
        *flag = fields.byte();
    start.command_line = text_of(fields);
    start.image = text_of(fields);
    if (!fields.rest().empty()) { // older ones end there
        start.at_restart_point = fields.byte();
        start.place = fields.word();
    }
    begin = head + length;
    if (!fields.ok())
        return false;
    error.clear();
    return true;
}

std::vector<u8> encode(RecordingEnd const& end)
{
    std::vector<u8> fields;
    put_number(fields, end.entries);
    put_number(fields, end.events);
    put_number(fields, end.image_changed_ns);
    put_word(fields, end.l1.high);
    put_word(fields, end.l1.low);
    fields.push_back(end.status);
    fields.push_back(static_cast<u8>(end.how));
    return fields;
}

bool decode(std::span<u8 const> bytes, RecordingEnd& end)
{
    Fields fields { bytes };
    end.entries = fields.number();
    end.events = fields.number();
    end.image_changed_ns = fields.number();
    end.l1.high = fields.word();
    end.l1.low = fields.word();
    end.status = fields.byte();
    auto const how = fields.byte();
    end.how = static_cast<RecordingEnd::How>(how);
    return fields.ok() && how <= static_cast<u8>(RecordingEnd::How::elsewhere);
}

// --- writing ---

RecordWriter::RecordWriter(RecordStore& store, std::span<u8 const> begun)
    : store_(store)
    , chain_(check_of(begun))
{
    auto* at = store_.extend(begun.size());
    if (at)
        std::memcpy(at, begun.data(), begun.size());
    full_ = at == nullptr;
}

// The kind is written last: a process that ends before it has written no record.
bool RecordWriter::add(
    RecordKind kind, std::span<u8 const> fields, std::span<u8 const> bytes) noexcept
{
    if (full_)
        return false;
    u8 length[number_bytes_max];
    auto const length_bytes = number_into(length, fields.size() + bytes.size());
    auto* at = store_.extend(2 + length_bytes + fields.size() + bytes.size());
    if (!at) {
        full_ = true;
        return false;
    }
    std::memcpy(at + 2, length, length_bytes);
    auto* body = at + 2 + length_bytes;
    std::copy(fields.begin(), fields.end(), body);
    if (!bytes.empty())
        std::memcpy(body + fields.size(), bytes.data(), bytes.size());
    chain_ = chained(chain_, static_cast<u8>(kind), { body, fields.size() + bytes.size() });
    at[1] = short_check(chain_);
    std::atomic_signal_fence(std::memory_order_release);
    at[0] = static_cast<u8>(kind);
    return true;
}

// --- reading ---

RecordReader::RecordReader(std::span<u8 const> file, usize begin)
    : file_(file)
    , at_(begin)
    , chain_(check_of(file.first(begin)))
{
    look();
}

void RecordReader::look()
{
    next_ = {};
    after_ = at_;
    if (file_.size() - at_ < 3 || file_[at_] == 0 || file_[at_] > last_kind)
        return;
    Fields front { file_.subspan(at_ + 2) };
    auto const length = front.number();
    if (!front.ok() || length > front.rest().size())
        return;
    auto const body = front.rest().first(length);
    auto const kind = static_cast<RecordKind>(file_[at_]);
    next_chain_ = chained(chain_, file_[at_], body);
    if (short_check(next_chain_) != file_[at_ + 1])
        return;
    next_ = { kind, body };
    after_ = static_cast<usize>(body.data() + body.size() - file_.data());
}

void RecordReader::take()
{
    if (next_.kind == RecordKind::nothing)
        return;
    at_ = after_;
    chain_ = next_chain_;
    look();
}

bool RecordReader::damaged() const
{
    auto const rest = file_.subspan(at_);
    return next_.kind == RecordKind::nothing
        && std::any_of(rest.begin(), rest.end(), [](u8 byte) { return byte != 0; });
}

// --- the clock ---

bool ReadBudget::take()
{
    if (left_ == 0)
        return false;
    --left_;
    return true;
}

void ReadBudget::refill(u64 now_ns)
{
    auto const readings = (now_ns - filled_ns_) / ns_per_reading;
    left_ = static_cast<u32>(std::min<u64>(left_ + readings, burst));
    filled_ns_ += readings * ns_per_reading;
}

} // namespace gemel::sim
