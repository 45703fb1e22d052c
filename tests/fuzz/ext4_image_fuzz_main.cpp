// Drives the fuzz target without a fuzzing engine, the same way for the same seed. Most of an image
// is data that cannot hurt, so only blocks that are not empty and lie among the metadata change.
#include "tests/ext4/source_tree.hpp"
#include "tests/ext4/written_volume.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(gemel::u8 const* data, gemel::usize size);

namespace gemel::ext4::test {

namespace {

constexpr usize changes_max = 6;
constexpr usize unit_bytes = 1024;

// Without checksums damage gets past the front door, so most seeds have none.
constexpr char const* seed_options[] {
    "-b 1024 -O ^metadata_csum,^has_journal",
    "-b 1024 -O ^metadata_csum,^has_journal,^extent,^64bit",
    "-b 1024 -O ^metadata_csum,^has_journal,inline_data",
    "-b 4096 -O ^metadata_csum,^has_journal",
    "-b 1024 -O ^metadata_csum,^has_journal,meta_bg,^resize_inode -g 1024",
    "-b 1024 -O ^has_journal",
    "-b 1024 -J size=1 -O ^metadata_csum,orphan_file",
    "-b 1024 -O ^has_journal,^metadata_csum,mmp",
    "-b 1024 -I 512 -O ^has_journal,inline_data",
    "-b 1024 -O ^has_journal,^metadata_csum,ea_inode",
};

struct Seed {
    std::vector<u8> image;
    std::vector<usize> units; // offsets of metadata: what the listing and the maps are made of
};

// Offsets of the units that are neither empty nor look like random contents.
std::vector<usize> metadata_units(std::vector<u8> const& image)
{
    std::vector<usize> units;
    for (usize offset = 0; offset + unit_bytes <= image.size(); offset += unit_bytes) {
        auto const unit = std::span(image).subspan(offset, unit_bytes);
        auto const zeros = static_cast<usize>(std::count(unit.begin(), unit.end(), u8 { 0 }));
        if (zeros > 40 && zeros < unit_bytes)
            units.push_back(offset);
    }
    return units;
}

// In the inode, in a block of its own, and a list of access rights; `large`: one in an inode, too.
void give_attributes(fs::path const& image, fs::path const& value, bool large)
{
    std::vector<u8> const list { 2, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 2, 0, 6, 0, 1, 0, 0, 0, 4, 0,
        4, 0, 0, 0, 0, 0, 16, 0, 6, 0, 0, 0, 0, 0, 32, 0, 4, 0, 0, 0, 0, 0 };
    write_host_file(value, list);
    run("debugfs -w -R 'ea_set -f " + value.string() + " hard system.posix_acl_access' "
        + quoted(image));
    run("debugfs -w -R 'ea_set hard user.name value' " + quoted(image));
    write_host_file(value, std::vector<u8>(300, 9));
    run("debugfs -w -R 'ea_set -f " + value.string() + " hard user.longer' " + quoted(image));
    if (!large)
        return;
    write_host_file(value, std::vector<u8>(1'000, 8));
    run("debugfs -w -R 'ea_set -f " + value.string() + " hard user.large' " + quoted(image));
}

// Files that were deleted while they were open, on a volume that nobody unmounted.
void leave_orphans(fs::path const& image)
{
    WrittenVolume written(image);
    for (auto const* const name : { "one", "two", "three" }) {
        auto const inode
            = written.writer().create({ root_inode, name }, { .mode = 0100644 }).value();
        (void)written.writer().write(inode, 0, std::vector<u8>(3'000, 'o'));
        written.writer().opened(inode);
        (void)written.writer().remove({ root_inode, name }, Removal::file);
    }
    (void)written.writer().settle();
}

std::vector<Seed> make_seeds(u64 seed)
{
    TemporaryFolder folder;
    auto const source = folder.path() / "source";
    auto const image = folder.path() / "image";
    fs::create_directory(source);
    TreeOptions const options { .files = 12, .folders_deep = 3, .entries_in_large_folder = 300 };
    fill_tree(source, options, seed);
    std::vector<Seed> seeds;
    for (auto const* const each : seed_options) {
        make_image(image, source, each, "4M");
        index_directories(image);
        give_attributes(image, folder.path() / "value", std::strstr(each, "ea_inode") != nullptr);
        if (std::strstr(each, "orphan_file"))
            leave_orphans(image);
        auto bytes = read_host_file(image);
        auto units = metadata_units(bytes);
        seeds.push_back({ std::move(bytes), std::move(units) });
        fs::remove(image);
    }
    return seeds;
}

u8 changed(u8 byte, std::mt19937_64& random)
{
    constexpr u8 interesting[] { 0, 1, 2, 3, 4, 8, 12, 0x7F, 0x80, 0xFE, 0xFF };
    switch (random() % 3) {
    case 0:
        return static_cast<u8>(byte ^ 1 << random() % 8);
    case 1:
        return interesting[random() % std::size(interesting)];
    default:
        return static_cast<u8>(random());
    }
}

// Changes a few bytes, runs the target, and puts them back.
void run_round(Seed& seed, std::mt19937_64& random)
{
    std::vector<std::pair<usize, u8>> before;
    auto const changes = 1 + random() % changes_max;
    for (usize each = 0; each < changes; ++each) {
        auto const offset = seed.units[random() % seed.units.size()] + random() % unit_bytes;
        before.emplace_back(offset, seed.image[offset]);
        seed.image[offset] = changed(seed.image[offset], random);
    }
    LLVMFuzzerTestOneInput(seed.image.data(), seed.image.size());
    for (auto each = before.rbegin(); each != before.rend(); ++each)
        seed.image[each->first] = each->second;
}

} // namespace

} // namespace gemel::ext4::test

int main(int count, char** arguments)
{
    using namespace gemel::ext4::test;
    auto const rounds = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 3000;
    auto const number = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : test_seed();
    std::printf("ext4_image_fuzz: %llu rounds, seed %llu\n", rounds,
        static_cast<unsigned long long>(number));
    std::fflush(stdout);
    auto seeds = make_seeds(number);
    std::mt19937_64 random(number);
    auto slowest = std::chrono::steady_clock::duration::zero();
    for (unsigned long long round = 0; round < rounds; ++round) {
        auto const start = std::chrono::steady_clock::now();
        run_round(seeds[round % seeds.size()], random);
        slowest = std::max(slowest, std::chrono::steady_clock::now() - start);
    }
    std::printf("ext4_image_fuzz: done, slowest round %lld ms\n",
        static_cast<long long>(
            std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count()));
    return 0;
}
