#include "tests/ext4/comparison.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

template <typename T>
T must(Result<T> result, std::string const& what)
{
    if (!result)
        throw std::runtime_error(what + ": " + std::string(name_of(result.error())));
    return std::move(result).value();
}

FileType host_type(fs::path const& path)
{
    switch (fs::symlink_status(path).type()) {
    case fs::file_type::regular:
        return FileType::regular;
    case fs::file_type::directory:
        return FileType::directory;
    case fs::file_type::symlink:
        return FileType::symbolic_link;
    default:
        return FileType::unknown;
    }
}

// Contents in pieces of odd sizes: the edges of blocks and extents fall everywhere.
void expect_same_in_pieces(Volume& volume, Inode const& inode, std::vector<u8> const& expected)
{
    for (usize const piece : { usize { 777 }, usize { 70001 } }) {
        std::vector<u8> got;
        std::vector<u8> buffer(piece);
        while (true) {
            auto const count = must(volume.read(inode, got.size(), buffer), "read");
            got.insert(got.end(), buffer.begin(), buffer.begin() + static_cast<long>(count));
            if (count < piece)
                break;
        }
        EXPECT_TRUE(got == expected) << "inode " << inode.number << " in pieces of " << piece;
    }
}

void expect_same_file(Volume& volume, Inode const& inode, fs::path const& source)
{
    EXPECT_EQ(inode.type(), host_type(source)) << source;
    if (inode.type() == FileType::symbolic_link) {
        EXPECT_EQ(must(volume.read_link(inode), source), fs::read_symlink(source)) << source;
    } else if (inode.type() == FileType::regular) {
        auto const expected = read_host_file(source);
        EXPECT_TRUE(read_all(volume, inode) == expected) << source;
        if (expected.size() < 1'000'000)
            expect_same_in_pieces(volume, inode, expected);
    }
}

void expect_same_folder(Volume& volume, Inode const& directory, fs::path const& source)
{
    std::set<std::string> expected { ".", ".." };
    for (auto const& entry : fs::directory_iterator(source))
        expected.insert(entry.path().filename());
    std::set<std::string> listed;
    for (auto const& entry : list_all(volume, directory, 1000))
        listed.insert(entry.name);
    if (directory.number == root_inode)
        listed.erase("lost+found");
    EXPECT_TRUE(listed == expected)
        << source << ": " << listed.size() << " names, expected " << expected.size();

    for (auto const& name : expected) {
        auto const found = must(volume.lookup(directory, name), source / name);
        if (name == "." || name == "..")
            continue;
        auto const inode = must(volume.inode(found.inode), source / name);
        expect_same_file(volume, inode, source / name);
        if (found.type != FileType::unknown) {
            EXPECT_EQ(found.type, inode.type()) << source / name;
        }
        if (inode.is_directory())
            expect_same_folder(volume, inode, source / name);
        EXPECT_EQ(volume.lookup(directory, name + "?").error(),
            name.size() < 255 ? Error::not_found : Error::name_too_long);
    }
}

std::pair<u32, u32> encoded(Timestamp time)
{
    auto const epochs = (time.seconds - static_cast<i32>(time.seconds)) >> 32;
    return { static_cast<u32>(time.seconds), time.nanoseconds << 2 | static_cast<u32>(epochs) };
}

void expect_same_inode(Inode const& inode, JudgedInode const& judged)
{
    EXPECT_EQ(inode.mode, judged.mode) << inode.number;
    EXPECT_EQ(inode.generation, judged.generation) << inode.number;
    EXPECT_EQ(inode.user, judged.user) << inode.number;
    EXPECT_EQ(inode.group, judged.group) << inode.number;
    EXPECT_EQ(inode.size_bytes, judged.size_bytes) << inode.number;
    EXPECT_EQ(inode.links, judged.links) << inode.number;
    EXPECT_EQ(inode.allocated_bytes, judged.sectors * 512) << inode.number;
    EXPECT_EQ(encoded(inode.changed), judged.times.at("ctime")) << inode.number;
    EXPECT_EQ(encoded(inode.accessed), judged.times.at("atime")) << inode.number;
    EXPECT_EQ(encoded(inode.modified), judged.times.at("mtime")) << inode.number;
    EXPECT_EQ(inode.created.has_value(), judged.times.contains("crtime")) << inode.number;
    if (inode.created) {
        EXPECT_EQ(encoded(*inode.created), judged.times.at("crtime")) << inode.number;
    }
}

// Every inode that a walk from the root reaches, after comparing the listings on the way.
std::set<u32> expect_same_listings(Volume& volume, Debugfs const& judge)
{
    std::set<u32> known { root_inode };
    std::vector<u32> level { root_inode };
    while (!level.empty()) {
        std::vector<u32> next;
        for (auto& [number, expected] : judge.list(level)) {
            auto const directory = must(volume.inode(number), "inode");
            auto listed = list_all(volume, directory, 7);
            std::sort(listed.begin(), listed.end());
            std::sort(expected.begin(), expected.end());
            EXPECT_TRUE(listed == expected) << "listing of inode " << number;
            for (auto const& entry : expected) {
                if (known.insert(entry.inode).second
                    && must(volume.inode(entry.inode), entry.name).is_directory())
                    next.push_back(entry.inode);
            }
        }
        level = next;
    }
    return known;
}

} // namespace

std::vector<JudgedEntry> list_all(Volume& volume, Inode const& directory, usize batch)
{
    std::vector<JudgedEntry> entries;
    u64 cookie = 0;
    while (true) {
        auto cursor = must(volume.list(directory, cookie), "list");
        for (usize each = 0; each < batch; ++each) {
            auto const entry = must(cursor.next(), "next");
            if (!entry)
                return entries;
            entries.push_back({ entry->inode, std::string(entry->name) });
        }
        cookie = cursor.cookie();
    }
}

void expect_same_as_source(Volume& volume, fs::path const& source)
{
    expect_same_folder(volume, must(volume.inode(root_inode), "root"), source);
}

void expect_same_as_debugfs(Volume& volume, fs::path const& image)
{
    Debugfs const judge(image);
    auto const known = expect_same_listings(volume, judge);
    std::vector<u32> const inodes(known.begin(), known.end());
    std::vector<u32> files;
    for (auto const& [number, judged] : judge.stat(inodes)) {
        auto const inode = must(volume.inode(number), "inode");
        expect_same_inode(inode, judged);
        if (inode.type() == FileType::regular)
            files.push_back(number);
    }
    for (auto& [number, expected] : judge.dump(files)) {
        auto const inode = must(volume.inode(number), "inode");
        // debugfs 1.47.0 dumps all 60 bytes of an inode that holds less.
        if (inode.has(InodeFlag::inline_data) && expected.size() == inode_map_bytes)
            expected.resize(inode.size_bytes);
        EXPECT_TRUE(read_all(volume, inode) == expected) << "contents of inode " << number;
    }
}

} // namespace gemel::ext4::test
