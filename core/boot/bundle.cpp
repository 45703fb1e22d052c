// newc: an 110-byte header of hexadecimal fields, the name, the data, each padded to four bytes
// (cpio(5), "New ASCII Format").
#include "core/boot/bundle.hpp"

namespace gemel {

namespace {

constexpr usize header_bytes = 110;
constexpr usize size_field = 54;
constexpr usize name_size_field = 94;

// ~0: not eight hexadecimal digits.
u64 field(u8 const* at)
{
    u64 value = 0;
    for (unsigned i = 0; i < 8; ++i) {
        auto const digit = at[i];
        u64 part = 0;
        if (digit >= '0' && digit <= '9')
            part = digit - '0';
        else if (digit >= 'a' && digit <= 'f')
            part = digit - 'a' + 10;
        else if (digit >= 'A' && digit <= 'F')
            part = digit - 'A' + 10;
        else
            return ~0ull;
        value = value << 4 | part;
    }
    return value;
}

bool same(u8 const* name, usize bytes, char const* path)
{
    usize i = 0;
    for (; i < bytes && name[i] != 0 && path[i] != 0; ++i)
        if (name[i] != static_cast<u8>(path[i]))
            return false;
    return i < bytes && name[i] == 0 && path[i] == 0;
}

} // namespace

std::span<u8 const> bundle_find(std::span<u8 const> archive, char const* path)
{
    for (usize at = 0; at + header_bytes <= archive.size();) {
        auto const* header = archive.data() + at;
        auto const size = field(header + size_field);
        auto const name_size = field(header + name_size_field);
        auto const data = align_up<u64>(at + header_bytes + name_size, 4);
        if (size > archive.size() || name_size > page_bytes || data > archive.size()
            || size > archive.size() - data)
            return {};
        if (same(header + header_bytes, name_size, path))
            return archive.subspan(data, size);
        at = align_up<u64>(data + size, 4);
    }
    return {};
}

} // namespace gemel
