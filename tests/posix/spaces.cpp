// fallocate() in its kinds, SEEK_DATA and SEEK_HOLE, copy_file_range(), statvfs(). What a range
// must hold is computed beside it, block by block.
#include "tests/posix/suite.hpp"

#include <algorithm>

namespace gemel::posix {

namespace {

constexpr u64 block = 4096; // of the volumes that tests/posix/run.py makes
constexpr u64 file_blocks = 8;

// A file of data, a hole, data, and a tail of half a block.
struct Model {
    std::string content;
    std::vector<bool> data; // by block: holds data; else a hole or unwritten

    u64 size() const { return content.size(); }
    void apply(AllocateKind kind, u64 offset, u64 bytes);
    std::vector<u64> stretch(SeekKind kind) const;
};

Model first_model()
{
    Model model { std::string(file_blocks * block + block / 2, '\0'), {} };
    model.data.assign(file_blocks + 1, false);
    for (u64 each = 0; each <= file_blocks; ++each) {
        if (each == 2 || each == 3 || each == 6)
            continue;
        model.data[each] = true;
        auto const bytes = std::min(block, model.size() - each * block);
        std::fill_n(model.content.begin() + static_cast<std::ptrdiff_t>(each * block), bytes,
            static_cast<char>('a' + each));
    }
    return model;
}

void Model::apply(AllocateKind kind, u64 offset, u64 bytes)
{
    auto const end = offset + bytes;
    bool const grows = kind == AllocateKind::grow || kind == AllocateKind::zero;
    bool const clears = kind == AllocateKind::punch || kind == AllocateKind::zero
        || kind == AllocateKind::zero_keep_size;
    if (grows && end > size())
        content.resize(end);
    data.resize((std::max(end, size()) + block - 1) / block);
    if (!clears)
        return;
    for (u64 each = offset; each < std::min(end, size()); ++each)
        content[each] = '\0';
    // Whole blocks hold no data any more; parts of blocks are overwritten with zeros.
    for (u64 each = (offset + block - 1) / block; each < end / block; ++each)
        data[each] = false;
}

int open_model(Suite& suite, Model const& model)
{
    auto const file = suite.backend.open(
        suite.at("f"), OpenFlag::read | OpenFlag::write | OpenFlag::create, 0644);
    suite.must("open", file.fault);
    suite.must("size", suite.backend.resize(file.value, model.size()));
    for (u64 each = 0; each < model.data.size(); ++each)
        if (model.data[each])
            suite.must("data",
                suite.backend
                    .write(file.value, each * block, model.content.substr(each * block, block))
                    .fault);
    return file.value;
}

void check_seeks(Suite& suite, std::string const& name, int file, Model const& model)
{
    suite.must("sync", suite.backend.sync(file)); // data that only wait are no hole
    auto const blocks = (model.size() + block - 1) / block;
    for (auto const kind : { SeekKind::data, SeekKind::hole }) {
        std::string found;
        std::string wanted;
        for (u64 each = 0; each < blocks; ++each) {
            auto const got = suite.backend.seek(file, kind, each * block);
            found += got ? std::to_string(got.value) : std::string(name_of(got.fault));
            found += ' ';
            u64 at = each;
            while (at < blocks && model.data[at] != (kind == SeekKind::data))
                ++at;
            if (at == blocks && kind == SeekKind::data)
                wanted += "ENXIO ";
            else
                wanted += std::to_string(std::min(at * block, model.size())) + ' ';
        }
        suite.same(name + (kind == SeekKind::data ? ": data" : ": holes"), found, wanted);
    }
}

constexpr std::string_view kind_names[]
    = { "grow", "keep size", "punch", "zero", "zero, keep size" };

void check_kinds(Suite& suite)
{
    struct Range {
        u64 offset;
        u64 bytes;
    };
    constexpr Range ranges[] = { { 0, block }, { 0, 1 }, { 100, 200 }, { block, 3 * block },
        { block / 2, block }, { 2 * block, 2 * block }, { 3 * block + 5, 2 * block + 9 },
        { 4 * block, 20 * block }, { 8 * block, block }, { 9 * block, 2 * block },
        { 0, 12 * block }, { 12 * block + 7, 3 * block }, { 7 * block + 1, block - 1 },
        { 8 * block, block / 2 } };
    for (auto const kind : { AllocateKind::grow, AllocateKind::keep_size, AllocateKind::punch,
             AllocateKind::zero, AllocateKind::zero_keep_size }) {
        for (auto const& range : ranges) {
            auto const name = std::string(kind_names[static_cast<u8>(kind)]) + " of "
                + std::to_string(range.bytes) + " at " + std::to_string(range.offset);
            auto model = first_model();
            auto const file = open_model(suite, model);
            suite.same(
                name, suite.backend.allocate(file, kind, range.offset, range.bytes), Fault::none);
            model.apply(kind, range.offset, range.bytes);
            suite.same(name + ": size", suite.status("f").size, model.size());
            // Before anything is read: what the host has cached counts as data there.
            check_seeks(suite, name, file, model);
            suite.same(
                name + ": content", suite.backend.read(file, 0, 30 * block).value, model.content);
            auto const blocks = suite.status("f").blocks * 512;
            if (kind == AllocateKind::keep_size)
                suite.holds(name + ": the room is taken", blocks >= range.bytes / block * block);
            suite.must("close", suite.backend.close(file));
            suite.clear("f");
        }
    }
}

void check_refusals(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("f", std::string(100, 'x'));
    auto const file = backend.open(suite.at("f"), OpenFlag::read | OpenFlag::write, 0).value;
    auto const reader
        = backend.open(suite.at("f"), static_cast<OpenFlags>(OpenFlag::read), 0).value;
    for (auto const kind : { AllocateKind::grow, AllocateKind::keep_size, AllocateKind::punch,
             AllocateKind::zero, AllocateKind::zero_keep_size }) {
        auto const name = std::string(kind_names[static_cast<u8>(kind)]);
        suite.same(name + " of nothing", backend.allocate(file, kind, 0, 0), Fault::inval);
        suite.same(name + " by a reader", backend.allocate(reader, kind, 0, 10), Fault::badf);
        suite.same(
            name + " too far", backend.allocate(file, kind, u64 { 1 } << 62, 4096), Fault::fbig);
    }
    suite.same("more than there is", backend.allocate(file, AllocateKind::grow, 0, u64 { 1 } << 42),
        Fault::nospc);
    suite.same("content is as it was", backend.read(file, 0, 100).value, std::string(100, 'x'));
    suite.must("cut", backend.resize(file, 100));
    suite.same("data from the end on", backend.seek(file, SeekKind::data, 100).fault, Fault::nxio);
    suite.same("holes from the end on", backend.seek(file, SeekKind::hole, 100).fault, Fault::nxio);
    suite.same(
        "data far behind it", backend.seek(file, SeekKind::data, 1 << 30).fault, Fault::nxio);
    suite.same("the hole at the end", backend.seek(file, SeekKind::hole, 99).value, 100);
    suite.must("close", backend.close(file));
    suite.must("close", backend.close(reader));
}

void check_copies(Suite& suite)
{
    auto& backend = suite.backend;
    std::string source(50'000, '\0');
    for (usize each = 0; each < source.size(); ++each)
        source[each] = static_cast<char>('A' + each % 26);
    suite.file("from", source);
    auto const from
        = backend.open(suite.at("from"), static_cast<OpenFlags>(OpenFlag::read), 0).value;
    for (u64 const at : { 0, 1, 4096, 49'990, 50'000, 60'000 }) {
        for (u64 const there : { 0, 5, 8192 }) {
            for (usize const bytes : { 0, 1, 4096, 100'000 }) {
                auto const name = std::to_string(bytes) + " from " + std::to_string(at) + " to "
                    + std::to_string(there);
                suite.file("to", "0123456789");
                auto const to
                    = backend.open(suite.at("to"), OpenFlag::read | OpenFlag::write, 0).value;
                auto const part = at < source.size() ? source.substr(at, bytes) : "";
                usize done = 0;
                while (done < part.size()) { // one call may copy less
                    auto const got
                        = backend.copy_range(from, at + done, to, there + done, bytes - done);
                    if (!got || got.value == 0)
                        break;
                    done += got.value;
                }
                suite.same("copied, " + name, done, part.size());
                std::string wanted = "0123456789";
                if (!part.empty()) {
                    wanted.resize(std::max<usize>(wanted.size(), there + part.size()));
                    wanted.replace(there, part.size(), part);
                }
                suite.same("content, " + name, backend.read(to, 0, 200'000).value, wanted);
                suite.must("close", backend.close(to));
                suite.clear("to");
            }
        }
    }
    suite.same(
        "into a file for reading", backend.copy_range(from, 0, from, 0, 10).fault, Fault::badf);
    auto const both = backend.open(suite.at("from"), OpenFlag::read | OpenFlag::write, 0).value;
    suite.same("onto itself", backend.copy_range(both, 0, both, 10, 100).fault, Fault::inval);
    suite.same("beside itself", backend.copy_range(both, 0, both, 60'000, 100).value, 100);
    auto const writer
        = backend.open(suite.at("from"), static_cast<OpenFlags>(OpenFlag::write), 0).value;
    suite.same("from a file for writing", backend.copy_range(writer, 0, both, 70'000, 10).fault,
        Fault::badf);
    auto const folder
        = backend.open(suite.at("."), static_cast<OpenFlags>(OpenFlag::read), 0).value;
    suite.same("from a directory", backend.copy_range(folder, 0, both, 0, 10).fault, Fault::isdir);
    for (auto const file : { from, both, writer, folder })
        suite.must("close", backend.close(file));
}

void check_volume(Suite& suite)
{
    auto& backend = suite.backend;
    auto const before = backend.volume(suite.at(".")).value;
    suite.same("size of blocks", before.block_bytes, block);
    suite.holds("less is free than there is", before.bytes_free < before.bytes_total);
    suite.holds("fewer files are free than there are", before.files_free < before.files_total);
    suite.same("it can be written", before.read_only, 0);
    suite.file("big", std::string(1 << 20, 'b'));
    suite.file("small", "");
    auto const file
        = backend.open(suite.at("big"), static_cast<OpenFlags>(OpenFlag::read), 0).value;
    suite.must("sync", backend.sync(file));
    suite.must("close", backend.close(file));
    auto const after = backend.volume(suite.at(".")).value;
    suite.holds("a megabyte less is free", before.bytes_free - after.bytes_free >= 1 << 20);
    suite.holds("and not much less", before.bytes_free - after.bytes_free < 1 << 21);
    suite.holds("blocks of the file", suite.status("big").blocks * 512 >= 1 << 20);
    suite.same("blocks of an empty file", suite.status("small").blocks, 0);
}

} // namespace

void check_spaces(Suite& suite)
{
    suite.section("allocation");
    check_kinds(suite);
    suite.section("allocation refused");
    check_refusals(suite);
    suite.section("copies");
    check_copies(suite);
    suite.section("volume");
    check_volume(suite);
}

} // namespace gemel::posix
