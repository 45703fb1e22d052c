#include "servers/ext4/directory_chain.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

u8 code_of(Superblock const& super, FileType type)
{
    if (!super.has(Incompatible::filetype))
        return 0;
    switch (type) {
    case FileType::unknown:
        return 0;
    case FileType::regular:
        return 1;
    case FileType::directory:
        return 2;
    case FileType::character_device:
        return 3;
    case FileType::block_device:
        return 4;
    case FileType::fifo:
        return 5;
    case FileType::socket:
        return 6;
    case FileType::symbolic_link:
        return 7;
    }
    return 0;
}

} // namespace

void DirectoryChain::put(usize offset, usize bytes, std::string_view name, Found target)
{
    store32(bytes_, offset, target.inode);
    store16(bytes_, offset + 4, static_cast<u16>(bytes));
    store8(bytes_, offset + 6, static_cast<u8>(name.size()));
    store8(bytes_, offset + 7, code_of(super_, target.type));
    std::copy(name.begin(), name.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset + 8));
}

DirectoryChain::Added DirectoryChain::add(std::string_view name, Found target)
{
    auto const needed = bytes_for(name);
    for (usize offset = 0; offset < bytes_.size();) {
        auto const entry = at(offset);
        auto const used = entry.inode == 0 ? 0 : bytes_for(entry.name);
        if (entry.bytes >= used + needed) {
            if (used != 0)
                store16(bytes_, offset + 4, static_cast<u16>(used));
            put(offset + used, entry.bytes - used, name, target);
            return Added::yes;
        }
        offset += entry.bytes;
    }
    return Added::full;
}

std::optional<usize> DirectoryChain::find(
    Superblock const& super, Bytes chain, std::string_view name)
{
    for (usize offset = 0; offset < chain.size();) {
        auto const entry = entry_at(super, chain, offset);
        if (entry.inode != 0 && entry.name == name)
            return offset;
        offset += entry.bytes;
    }
    return std::nullopt;
}

void DirectoryChain::remove(usize offset)
{
    auto const gone = at(offset).bytes;
    store32(bytes_, offset, 0);
    for (usize before = 0; before < offset;) {
        auto const next = before + at(before).bytes;
        if (next == offset)
            store16(bytes_, before + 4, static_cast<u16>(at(before).bytes + gone));
        before = next;
    }
}

void DirectoryChain::retarget(usize offset, Found target)
{
    store32(bytes_, offset, target.inode);
    store8(bytes_, offset + 7, code_of(super_, target.type));
}

void DirectoryChain::clear(usize offset)
{
    std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), bytes_.end(), u8 { 0 });
    store16(bytes_, offset + 4, static_cast<u16>(bytes_.size() - offset));
}

} // namespace gemel::ext4
