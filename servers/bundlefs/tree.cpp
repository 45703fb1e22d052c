// The boot bundle as a tree (see tree.hpp).
#include "servers/bundlefs/tree.hpp"

#include "servers/fskit/path.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::bundlefs {

namespace {

std::optional<FileKind> kind_of(u32 mode)
{
    switch (mode & 0170000) {
    case 0040000:
        return FileKind::directory;
    case 0100000:
        return FileKind::regular;
    case 0120000:
        return FileKind::symlink;
    default: // devices and pipes have no place in a bundle
        return std::nullopt;
    }
}

std::string_view text_of(std::span<std::byte const> bytes)
{
    return { reinterpret_cast<char const*>(bytes.data()), bytes.size() };
}

// "./a//b/" -> "a/b"; nothing for a name with "..".
std::optional<std::string> clean(std::string_view name)
{
    auto const split = fskit::split_path(name);
    if (!split)
        return std::nullopt;
    auto const& components = split->components;
    if (std::find(components.begin(), components.end(), "..") != components.end())
        return std::nullopt;
    return fskit::join_components(components, 0, components.size());
}

FileStatus status_of_entry(CpioEntry const& entry, FileKind kind)
{
    FileTime const time { i64 { entry.modified_s }, 0 };
    auto const size = kind == FileKind::directory ? 0 : entry.data.size();
    return { .size = size,
        .blocks = align_up<u64>(size, 512) / 512,
        .accessed = time,
        .modified = time,
        .changed = time,
        .uid = entry.uid,
        .gid = entry.gid,
        .mode = static_cast<u16>(entry.mode & 07777),
        .kind = kind };
}

} // namespace

Tree::Added Tree::add_entry(CpioEntry const& entry, std::string_view prefix)
{
    auto const name = clean(entry.name);
    auto const kind = kind_of(entry.mode);
    if (!name || !kind)
        return Added::refused;
    std::string_view path = *name;
    if (!prefix.empty()) {
        auto const inside = path.size() == prefix.size() || path.substr(prefix.size(), 1) == "/";
        if (!path.starts_with(prefix) || !inside)
            return Added::outside;
        path.remove_prefix(std::min(path.size(), prefix.size() + 1));
    }
    auto const link_text = *kind == FileKind::symlink ? text_of(entry.data) : std::string_view {};
    auto const added = add(path, status_of_entry(entry, *kind), link_text);
    if (!added)
        return Added::refused;
    if (*kind == FileKind::regular) {
        contents_[*added] = entry.data;
        bytes_ += entry.data.size();
    }
    return Added::yes;
}

Tree::Loaded Tree::load(std::span<std::byte const> archive, std::string_view prefix)
{
    Loaded loaded;
    CpioReader reader { archive };
    for (;;) {
        auto const at = reader.offset();
        auto const entry = reader.next();
        if (!entry)
            loaded.broken_at = at;
        if (!entry || !*entry)
            return loaded;
        auto const added = add_entry(**entry, prefix);
        loaded.entries += added == Added::yes;
        loaded.refused += added == Added::refused;
    }
}

Result<usize> Tree::read(fskit::NodeId node, u64 offset, std::span<std::byte> into)
{
    if (TRY(status(node)).kind == FileKind::directory)
        return Error::is_directory;
    auto const found = contents_.find(node);
    if (found == contents_.end())
        return Error::invalid;
    auto const data = found->second;
    if (offset >= data.size())
        return 0;
    auto const part = data.subspan(offset, std::min<u64>(into.size(), data.size() - offset));
    std::memcpy(into.data(), part.data(), part.size());
    return part.size();
}

VolumeStatus Tree::volume()
{
    VolumeStatus status { .bytes_total = bytes_, .block_bytes = page_bytes, .read_only = 1 };
    std::string_view("bundle").copy(status.type, sizeof(status.type) - 1);
    return status;
}

} // namespace gemel::bundlefs
