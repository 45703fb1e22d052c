// The chain of entries in one block of a directory, for changes.
#pragma once

#include "servers/ext4/directory.hpp"
#include "servers/ext4/directory_block.hpp"

namespace gemel::ext4 {

class DirectoryChain {
public:
    // `bytes` is a whole block that was verified, or the part of it that holds the chain.
    DirectoryChain(Superblock const& super, std::span<u8> bytes)
        : super_(super)
        , bytes_(bytes.first(std::min(bytes.size(), chain_bytes(super))))
    {
    }

    enum class Added : u8 { yes, full };
    Added add(std::string_view name, Found target);
    // The entry's place, or nothing.
    std::optional<usize> find(std::string_view name) const { return find(super_, bytes_, name); }
    // The same in a verified chain that is not to be changed.
    static std::optional<usize> find(Superblock const& super, Bytes chain, std::string_view name);
    void remove(usize offset);
    void retarget(usize offset, Found target);
    // One free place from `offset` to the end.
    void clear(usize offset = 0);
    // Whether an entry of that name length would fit.
    static usize bytes_for(std::string_view name) { return align_up<usize>(8 + name.size(), 4); }

private:
    RawEntry at(usize offset) const { return entry_at(super_, bytes_, offset); }
    void put(usize offset, usize bytes, std::string_view name, Found target);

    Superblock const& super_;
    std::span<u8> bytes_;
};

} // namespace gemel::ext4
