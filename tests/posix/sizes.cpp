// Contents and sizes: truncate from every size to every other, writes with a gap before them, the
// largest file there can be.
#include "tests/posix/suite.hpp"

namespace gemel::posix {

namespace {

constexpr u64 sizes[]
    = { 0, 1, 59, 60, 61, 511, 512, 1023, 1024, 1025, 4095, 4096, 4097, 12'287, 65'536, 70'001 };
// Of blocks of 4 KiB, as tests/posix/run.py makes its volumes.
constexpr u64 file_bytes_max = ((u64 { 1 } << 32) - 1) * 4096;

std::string pattern(u64 bytes)
{
    std::string made(bytes, '\0');
    for (u64 each = 0; each < bytes; ++each)
        made[each] = static_cast<char>(1 + each * 7 % 251);
    return made;
}

void check_resizing(Suite& suite)
{
    for (auto const from : sizes) {
        for (auto const to : sizes) {
            auto const name = std::to_string(from) + " to " + std::to_string(to) + " bytes";
            suite.file("f", pattern(from));
            suite.same("resize from " + name, suite.backend.resize(suite.at("f"), to), Fault::none);
            auto wanted = pattern(from);
            wanted.resize(to);
            suite.same("size, " + name, suite.status("f").size, to);
            suite.same("content, " + name, suite.content("f"), wanted);
            // What was cut off does not come back.
            suite.must("grow", suite.backend.resize(suite.at("f"), 80'000));
            wanted.resize(80'000);
            suite.same("grown again, " + name, suite.content("f"), wanted);
            suite.clear("f");
        }
    }
}

void check_gaps(Suite& suite)
{
    for (auto const from : sizes) {
        for (u64 const place : { 0, 1, 1023, 1024, 4095, 4096, 10'000, 65'535, 100'000 }) {
            auto const name = std::to_string(from) + " bytes, written at " + std::to_string(place);
            suite.file("f", pattern(from));
            auto const file
                = suite.backend.open(suite.at("f"), OpenFlag::read | OpenFlag::write, 0);
            suite.must("open", file.fault);
            auto const put = suite.backend.write(file.value, place, "0123456789");
            suite.same(name, put.value, 10);
            auto wanted = pattern(from);
            wanted.resize(std::max<u64>(from, place + 10));
            wanted.replace(place, 10, "0123456789");
            suite.same(
                "content of " + name, suite.backend.read(file.value, 0, 200'000).value, wanted);
            suite.same(
                "the end of " + name, suite.backend.read(file.value, wanted.size(), 10).value, "");
            suite.must("close", suite.backend.close(file.value));
            suite.clear("f");
        }
    }
}

void check_past_the_end(Suite& suite, int file)
{
    auto& backend = suite.backend;
    if (backend.is_fuse())
        return suite.left_out(4);
    suite.same("a write past it is cut", backend.write(file, file_bytes_max - 2, "cdef").value, 2);
    suite.same("a write behind it", backend.write(file, file_bytes_max, "x").fault, Fault::fbig);
    suite.same("far behind it", backend.write(file, u64 { 1 } << 62, "x").fault, Fault::fbig);
    suite.same("the last bytes", backend.read(file, file_bytes_max - 2, 10).value, "cd");
}

void check_bounds(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("f", "x");
    auto const file = backend.open(suite.at("f"), OpenFlag::read | OpenFlag::write, 0).value;
    suite.same("the largest size", backend.resize(file, file_bytes_max), Fault::none);
    suite.same("it is that", suite.status("f").size, file_bytes_max);
    suite.same("one more", backend.resize(file, file_bytes_max + 1), Fault::fbig);
    suite.same("by name", backend.resize(suite.at("f"), file_bytes_max + 1), Fault::fbig);
    suite.same("far more", backend.resize(file, u64 { 1 } << 62), Fault::fbig);
    suite.same("it is as it was", suite.status("f").size, file_bytes_max);
    suite.same(
        "zeros at its end", backend.read(file, file_bytes_max - 3, 10).value, std::string(3, '\0'));
    suite.same("a write at the end of all", backend.write(file, file_bytes_max - 2, "ab").value, 2);
    check_past_the_end(suite, file);
    suite.same(
        "the hole before", backend.read(file, u64 { 1 } << 40, 4).value, std::string(4, '\0'));
    suite.holds("it takes little room", suite.status("f").blocks <= 64);
    suite.same("allocate past it",
        backend.allocate(file, AllocateKind::grow, file_bytes_max - 1, 2), Fault::fbig);
    suite.same("back to nothing", backend.resize(file, 0), Fault::none);
    suite.same("no blocks then", suite.status("f").blocks, 0);
    suite.must("close", backend.close(file));
}

void check_appending(Suite& suite)
{
    auto& backend = suite.backend;
    suite.file("f", "");
    auto const one = backend.open(suite.at("f"), OpenFlag::write | OpenFlag::append, 0).value;
    auto const other = backend.open(suite.at("f"), OpenFlag::write | OpenFlag::append, 0).value;
    std::string wanted;
    for (u32 each = 0; each < 50; ++each) {
        auto const word = "<" + std::to_string(each) + ">";
        suite.same("append " + std::to_string(each),
            backend.write(each % 2 == 0 ? one : other, 0, word).value, word.size());
        wanted += word;
    }
    suite.same("all of it, in order", suite.content("f"), wanted);
    suite.must("close", backend.close(one));
    suite.must("close", backend.close(other));
    suite.must("mkfifo", backend.make_node(suite.at("p"), FileKind::pipe, 0644, 0));
    suite.same("resize of a pipe", backend.resize(suite.at("p"), 1), Fault::inval);
}

} // namespace

void check_sizes(Suite& suite)
{
    suite.section("resizing");
    check_resizing(suite);
    suite.section("gaps");
    check_gaps(suite);
    suite.section("largest file");
    check_bounds(suite);
    suite.section("appending");
    check_appending(suite);
}

} // namespace gemel::posix
