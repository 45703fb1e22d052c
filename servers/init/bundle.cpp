#include "servers/init/bundle.hpp"

#include <charconv>
#include <optional>
#include <string>

namespace gemel::init {

namespace {

constexpr usize header_bytes = 110;
constexpr usize mode_field = 14;
constexpr usize size_field = 54;
constexpr usize name_size_field = 94;
constexpr std::string_view magic = "070701";
constexpr std::string_view trailer = "TRAILER!!!";
constexpr u32 mode_kind = 0170000;
constexpr u32 mode_symlink = 0120000;
constexpr u32 mode_directory = 0040000;
constexpr unsigned links_max = 8;

std::optional<u32> field(std::string_view header, usize at)
{
    auto const digits = header.substr(at, 8);
    u32 value = 0;
    auto const [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
    if (error != std::errc {} || end != digits.end())
        return std::nullopt;
    return value;
}

} // namespace

Result<Bundle::Entry> Bundle::entry_at(usize offset) const
{
    auto const left = archive_.size() - offset;
    if (left < header_bytes)
        return Error::corrupt;
    std::string_view const header { reinterpret_cast<char const*>(archive_.data()) + offset,
        header_bytes };
    auto const mode = field(header, mode_field);
    auto const size = field(header, size_field);
    auto const name_size = field(header, name_size_field);
    if (!header.starts_with(magic) || !mode || !size || !name_size || *name_size == 0)
        return Error::corrupt;
    auto const data = align_up<usize>(header_bytes + *name_size, 4);
    auto const next = align_up<usize>(data + *size, 4);
    if (data > left || *size > left - data)
        return Error::corrupt;
    return Entry { .name = { header.data() + header_bytes, *name_size - 1 },
        .mode = *mode,
        .data = archive_.subspan(offset + data, *size),
        .next = offset + std::min(next, left) };
}

Result<Bundle::Entry> Bundle::find(std::string_view name) const
{
    for (usize offset = 0; offset < archive_.size();) {
        auto const entry = TRY(entry_at(offset));
        if (entry.name == trailer)
            break;
        if (entry.name == name)
            return entry;
        offset = entry.next;
    }
    return Error::not_found;
}

Result<std::span<std::byte const>> Bundle::file(std::string_view path) const
{
    if (!path.starts_with('/'))
        return Error::invalid;
    std::string name { path.substr(1) };
    for (unsigned links = 0; links < links_max; ++links) {
        auto const entry = TRY(find(name));
        if ((entry.mode & mode_kind) == mode_directory)
            return Error::is_directory;
        if ((entry.mode & mode_kind) != mode_symlink)
            return entry.data;
        std::string_view const target { reinterpret_cast<char const*>(entry.data.data()),
            entry.data.size() };
        if (target.starts_with('/'))
            name = target.substr(1);
        else
            name = name.substr(0, name.rfind('/') + 1) + std::string(target);
    }
    return Error::symlink_loop;
}

} // namespace gemel::init
