// A recording may come from anywhere: reading one ends, stays in its bytes, and gives records that
// say how long they are.
#include "sim/record/played_run.hpp"
#include "tests/fuzz/target.hpp"

#include <cstdlib>

using namespace gemel;
using namespace gemel::sim;

namespace {

class Vector final : public RecordStore {
public:
    Vector() { bytes.resize(65536); }
    u8* extend(usize count) noexcept override
    {
        if (count > bytes.size() - used)
            return nullptr;
        used += count;
        return bytes.data() + used - count;
    }
    std::vector<u8> bytes;
    usize used = 0;
};

void read_fields(Record const& record)
{
    Fields fields { record.bytes };
    fields.number();
    fields.number();
    if (fields.rest().size() > record.bytes.size())
        std::abort();
    RecordingEnd end;
    if (record.kind == RecordKind::end && decode(record.bytes, end)
        && end.how > RecordingEnd::How::elsewhere)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string error;
    auto const recording = recording_of({ data, size }, error);
    if (!recording) {
        if (error.empty())
            std::abort();
        return 0;
    }
    RecordReader records { recording->file, recording->begin };
    auto last = records.good_bytes();
    while (records.next().kind != RecordKind::nothing) {
        read_fields(records.next());
        records.take();
        if (records.good_bytes() <= last || records.good_bytes() > size)
            std::abort();
        last = records.good_bytes();
    }
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    RecordingStart start;
    start.memory_bytes = 64u << 20;
    start.command_line = "GEMEL_INTERACTIVE=0 ";
    Vector store;
    RecordWriter writer { store, encode(start) };
    std::vector<u8> fields;
    put_number(fields, 300);
    for (auto const kind : { RecordKind::time, RecordKind::tick, RecordKind::typed })
        writer.add(kind, fields);
    writer.add(RecordKind::disk_bytes, fields, std::vector<u8>(512, 1));
    writer.add(RecordKind::end, encode(RecordingEnd {}));
    store.bytes.resize(store.used);
    return { store.bytes, encode(start) };
}
