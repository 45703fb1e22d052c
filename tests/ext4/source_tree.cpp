#include "tests/ext4/source_tree.hpp"

#include <fstream>

namespace gemel::ext4::test {

namespace {

using Random = std::mt19937_64;

u64 below(Random& random, u64 bound)
{
    return random() % bound;
}

// Any bytes that a name may have, high ones included: hashes treat these differently.
std::string random_name(Random& random, usize length_max)
{
    std::string name;
    auto const length = 1 + below(random, length_max);
    while (name.size() < length) {
        auto const byte = static_cast<char>(1 + below(random, 255));
        if (byte != '/' && byte != '\n' && byte != '\r' && byte != '\\')
            name += byte;
    }
    return name == "." || name == ".." ? "dots" : name;
}

std::vector<u8> random_bytes(Random& random, usize size)
{
    std::vector<u8> bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<u8>(random());
    return bytes;
}

usize random_size(Random& random)
{
    switch (below(random, 4)) {
    case 0:
        return below(random, 200); // fits an inode, or just not
    case 1:
        return below(random, 5000);
    case 2:
        return 1024 * (1 + below(random, 20)) + below(random, 3) - 1; // around a block's edge
    default:
        return below(random, 150000);
    }
}

void make_files(fs::path const& folder, u32 count, Random& random)
{
    for (u32 each = 0; each < count; ++each) {
        auto const path = folder / random_name(random, each % 8 == 0 ? 255 : 30);
        if (!fs::exists(path))
            write_host_file(path, random_bytes(random, random_size(random)));
    }
}

void make_links(fs::path const& folder, Random& random)
{
    for (usize const length : { 1, 10, 58, 59, 60, 61, 100, 500, 1000 }) {
        auto target = random_name(random, length);
        target.resize(length, 'x');
        auto const name = "link-" + std::to_string(length);
        fs::create_symlink(target, folder / name);
    }
    write_host_file(folder / "hard", random_bytes(random, 3000));
    fs::create_hard_link(folder / "hard", folder / "hard-too");
}

void make_deep_folders(fs::path folder, u32 depth, Random& random)
{
    for (u32 level = 0; level < depth; ++level) {
        folder /= random_name(random, 12);
        fs::create_directory(folder);
        make_files(folder, 2, random);
    }
}

// Data in every other stretch, so that each is an extent of its own.
void make_fragmented(fs::path const& path, TreeOptions const& options, Random& random)
{
    std::ofstream file(path, std::ios::binary);
    for (u32 each = 0; each < options.fragments; ++each) {
        file.seekp(static_cast<std::streamoff>(each) * 2 * options.fragment_bytes);
        auto const bytes = random_bytes(random, options.fragment_bytes);
        file.write(reinterpret_cast<char const*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
    }
}

void make_large_folder(fs::path const& folder, u32 entries, Random& random)
{
    fs::create_directory(folder);
    write_host_file(folder / "0", random_bytes(random, 10));
    for (u32 each = 1; each < entries; ++each) {
        auto const name = std::to_string(each) + random_name(random, 24);
        // Hard links save inodes; a target takes 65,000 of them.
        fs::create_hard_link(folder / "0", folder / name);
    }
}

} // namespace

void fill_tree(fs::path const& root, TreeOptions const& options, u64 seed)
{
    Random random(seed);
    make_files(root, options.files, random);
    make_links(root, random);
    make_deep_folders(root, options.folders_deep, random);
    fs::create_directory(root / "empty-folder");
    write_host_file(root / "empty-file", {});
    make_fragmented(root / "fragmented", options, random);
    // It ends in data: mkfs.ext4 1.47.0 with inline_data forgets a hole at the end.
    write_host_file(root / "sparse", random_bytes(random, 5000));
    fs::resize_file(root / "sparse", 9'000'000);
    overwrite(root / "sparse", 8'999'000, random_bytes(random, 1000));
    if (options.entries_in_large_folder > 0)
        make_large_folder(root / "large", options.entries_in_large_folder, random);
}

void make_image(fs::path const& image, fs::path const& root, std::string const& options,
    std::string const& size)
{
    run("mkfs.ext4 -q -F -d " + quoted(root) + " " + options + " " + quoted(image) + " " + size);
}

void index_directories(fs::path const& image)
{
    run_up_to("e2fsck -fyD " + quoted(image), 1);
}

} // namespace gemel::ext4::test
