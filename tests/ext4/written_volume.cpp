#include "tests/ext4/written_volume.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4::test {

namespace {

constexpr u16 regular = 0100644;
constexpr u16 directory = 040755;
constexpr u16 symlink = 0120777;

std::string parent_of(std::string const& path)
{
    auto const slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

} // namespace

void make_empty_image(fs::path const& image, std::string const& options, std::string const& size)
{
    run("rm -f " + quoted(image) + " && mkfs.ext4 -q -F " + options + " " + quoted(image) + " "
        + size);
}

void expect_clean(fs::path const& image)
{
    auto const said = run_up_to("e2fsck -fn " + quoted(image), 255);
    EXPECT_TRUE(said.find("WARNING") == std::string::npos && said.find("? no") == std::string::npos
        && said.find("rror") == std::string::npos && said.find("xtent tree") == std::string::npos)
        << said;
}

WrittenVolume::WrittenVolume(fs::path const& image)
    : device_(image)
    , volume_(Volume::mount_writable(
          device_, errors_, report_, { .now_ns = [this] { return now_ns_ += 1'000'000; } }))
{
    if (!volume_)
        throw std::runtime_error("not mounted: " + report_.refusal);
    if (!volume_->writer())
        throw std::runtime_error("read-only: " + report_.notes.back());
}

u32 WrittenVolume::number(std::string const& path)
{
    auto const root = volume_->inode(root_inode);
    auto const end = volume_->walk(*root, path);
    if (!end)
        throw std::runtime_error(path + ": " + std::string(name_of(end.error())));
    return end->inode.number;
}

NameOf WrittenVolume::place(std::string const& path)
{
    name_ = path.substr(path.rfind('/') + 1);
    return { number(parent_of(path)), std::string_view(path).substr(path.rfind('/') + 1) };
}

std::vector<u8> WrittenVolume::contents(std::string const& path)
{
    return read_all(*volume_, *volume_->inode(number(path)));
}

std::string ModelledVolume::random_path()
{
    std::string path(1, static_cast<char>('a' + random_() % 6));
    for (auto depth = random_() % 3; depth > 0; --depth)
        path += std::string("/") + static_cast<char>('a' + random_() % 6);
    // Long names fill blocks fast.
    if (random_() % 3 == 0)
        path += std::string(random_() % 200, 'x');
    return path;
}

bool ModelledVolume::has_children(std::string const& path) const
{
    auto const next = files_.lower_bound(path + "/");
    return next != files_.end() && next->first.starts_with(path + "/");
}

void ModelledVolume::make(std::string const& path)
{
    auto& writer = written_.writer();
    auto const kind = random_() % 4;
    if (kind == 0) {
        ASSERT_TRUE(writer.create(written_.place(path), { .mode = directory })) << path;
        files_[path].is_directory = true;
    } else if (kind == 1) {
        std::string const text(1 + random_() % 120, 'l');
        ASSERT_TRUE(writer.create(written_.place(path), { .mode = symlink, .link_text = text }));
        files_[path].link_text = text;
    } else {
        ASSERT_TRUE(writer.create(written_.place(path), { .mode = regular })) << path;
        files_[path].bytes = std::make_shared<std::vector<u8>>();
    }
}

void ModelledVolume::write(std::string const& path)
{
    auto& bytes = *files_[path].bytes;
    auto const offset = random_() % 3 == 0 ? random_() % 400'000 : bytes.size();
    std::vector<u8> data(1 + random_() % (random_() % 5 == 0 ? 60'000 : 5'000));
    for (auto& byte : data)
        byte = static_cast<u8>(random_());
    auto const done = written_.writer().write(written_.number(path), offset, data);
    if (!done) {
        ASSERT_EQ(done.error(), Error::no_space);
        return;
    }
    bytes.resize(std::max<usize>(bytes.size(), offset + *done));
    std::copy_n(data.begin(), *done, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

void ModelledVolume::resize(std::string const& path)
{
    auto& bytes = *files_[path].bytes;
    auto const size = random_() % 4 == 0 ? 0 : random_() % 300'000;
    ASSERT_TRUE(written_.writer().resize(written_.number(path), size));
    bytes.resize(size);
}

void ModelledVolume::allocate(std::string const& path)
{
    auto& bytes = *files_[path].bytes;
    auto const offset = random_() % 200'000;
    auto const length = 1 + random_() % 100'000;
    auto const kind = static_cast<Allocation>(random_() % 5);
    auto const done = written_.writer().allocate(written_.number(path), offset, length, kind);
    bool const by_pointers = !written_.volume().super().has(Incompatible::extent);
    if (by_pointers && kind != Allocation::punch) {
        ASSERT_EQ(done.error(), Error::unsupported);
        return;
    }
    if (!done) {
        ASSERT_EQ(done.error(), Error::no_space);
        return;
    }
    bool const zeroes = kind == Allocation::punch || kind == Allocation::zero
        || kind == Allocation::zero_keep_size;
    auto const end = offset + length;
    for (auto at = offset; zeroes && at < std::min<usize>(end, bytes.size()); ++at)
        bytes[at] = 0;
    if (kind == Allocation::grow || kind == Allocation::zero)
        bytes.resize(std::max<usize>(bytes.size(), end));
}

void ModelledVolume::remove(std::string const& path)
{
    bool const is_directory = files_[path].is_directory;
    auto const done = written_.writer().remove(
        written_.place(path), is_directory ? Removal::directory : Removal::file);
    ASSERT_EQ(done.has_value(), !has_children(path)) << path;
    if (done)
        files_.erase(path);
}

void ModelledVolume::link(std::string const& from, std::string const& to)
{
    auto const done = written_.writer().link(written_.number(from), written_.place(to));
    ASSERT_EQ(done.has_value(), !files_[from].is_directory);
    if (done)
        files_[to] = files_[from];
}

void ModelledVolume::rename(std::string const& from, std::string const& to)
{
    auto const moved = files_.find(from);
    auto const replaced = files_.find(to);
    bool const exists = replaced != files_.end();
    bool possible
        = !(moved->second.is_directory && (to + "/").starts_with(from + "/")) || from == to;
    if (exists && from != to)
        possible = possible && replaced->second.is_directory == moved->second.is_directory
            && !has_children(to);
    auto const done
        = written_.writer().rename(written_.place(from), written_.place(to), RenameWay::replace);
    bool const same = exists && replaced->second.bytes && moved->second.bytes
        && replaced->second.bytes == moved->second.bytes;
    if (from == to) // a directory onto itself is its own subtree
        return;
    ASSERT_EQ(done.has_value(), possible) << from << " -> " << to;
    if (!done || same)
        return;
    std::map<std::string, File> after;
    for (auto const& [path, file] : files_) {
        if (path == from || path.starts_with(from + "/"))
            after[to + path.substr(from.size())] = file;
        else if (path != to)
            after.emplace(path, file);
    }
    files_ = std::move(after);
}

void ModelledVolume::step()
{
    auto const path = random_path();
    auto const parent = files_.find(parent_of(path));
    if (path.find('/') != std::string::npos
        && (parent == files_.end() || !parent->second.is_directory))
        return;
    auto const found = files_.find(path);
    if (found == files_.end())
        return make(path);
    auto const& file = found->second;
    auto const what = random_() % 10;
    if (what < 2)
        return remove(path);
    if (what < 4) {
        auto const other = random_path();
        auto const above = files_.find(parent_of(other));
        if (other.find('/') != std::string::npos
            && (above == files_.end() || !above->second.is_directory))
            return;
        if (what == 2 && !files_.contains(other) && !file.link_text.size())
            return link(path, other);
        return rename(path, other);
    }
    if (!file.bytes)
        return;
    if (what < 8)
        return write(path);
    what == 8 ? resize(path) : allocate(path);
}

void ModelledVolume::compare()
{
    std::map<std::string, u32> listed;
    std::vector<std::string> directories { "" };
    while (!directories.empty()) {
        auto const at = directories.back();
        directories.pop_back();
        auto const inode = *written_.volume().inode(written_.number(at));
        auto cursor = *written_.volume().list(inode, 0);
        while (true) {
            auto const entry = cursor.next();
            ASSERT_TRUE(entry);
            if (!*entry)
                break;
            std::string const name((*entry)->name);
            if (name == "." || name == ".." || name == "lost+found")
                continue;
            auto const path = at.empty() ? name : at + "/" + name;
            listed[path] = (*entry)->inode;
            if ((*entry)->type == FileType::directory)
                directories.push_back(path);
        }
    }
    EXPECT_EQ(listed.size(), files_.size());
    for (auto const& [path, file] : files_) {
        ASSERT_TRUE(listed.contains(path)) << path;
        auto const inode = written_.volume().inode(listed[path]);
        ASSERT_TRUE(inode) << path;
        ASSERT_EQ(inode->is_directory(), file.is_directory) << path;
        if (!file.link_text.empty()) {
            EXPECT_EQ(*written_.volume().read_link(*inode), file.link_text);
        } else if (file.bytes) {
            ASSERT_EQ(inode->size_bytes, file.bytes->size()) << path;
            EXPECT_TRUE(read_all(written_.volume(), *inode) == *file.bytes) << path;
        }
    }
}

} // namespace gemel::ext4::test
