// The boot bundle's format (see cpio.hpp).
#include "servers/bundlefs/cpio.hpp"

#include <algorithm>
#include <charconv>

namespace gemel::bundlefs {

namespace {

constexpr usize header_bytes = 110; // magic of 6, then 13 fields of 8 hexadecimal digits
constexpr usize name_bytes_max = 4095;
constexpr std::string_view trailer = "TRAILER!!!";

enum class Field : u8 { mode = 1, uid = 2, gid = 3, modified = 5, size = 6, name_size = 11 };

Result<u32> field(std::string_view header, Field which)
{
    auto const digits = header.substr(6 + 8 * static_cast<usize>(which), 8);
    u32 value = 0;
    auto const [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
    if (error != std::errc {} || end != digits.end())
        return Error::corrupt;
    return value;
}

} // namespace

Result<std::string_view> CpioReader::text(usize bytes)
{
    if (bytes > archive_.size() - offset_)
        return Error::corrupt;
    auto const* const from = reinterpret_cast<char const*>(archive_.data()) + offset_;
    offset_ += bytes;
    return std::string_view(from, bytes);
}

// What stands after a name or a file begins at a multiple of 4.
void CpioReader::skip_padding()
{
    offset_ = std::min(align_up<usize>(offset_, 4), archive_.size());
}

Result<std::optional<CpioEntry>> CpioReader::next()
{
    auto const header = TRY(text(header_bytes));
    if (!header.starts_with("070701") && !header.starts_with("070702"))
        return Error::corrupt;
    auto const name_size = TRY(field(header, Field::name_size));
    if (name_size < 2 || name_size > name_bytes_max + 1) // with its NUL
        return Error::corrupt;
    auto const name = TRY(text(name_size));
    if (name.find('\0') != name.size() - 1)
        return Error::corrupt;
    skip_padding();
    CpioEntry entry { .name = name.substr(0, name.size() - 1),
        .mode = TRY(field(header, Field::mode)),
        .uid = TRY(field(header, Field::uid)),
        .gid = TRY(field(header, Field::gid)),
        .modified_s = TRY(field(header, Field::modified)) };
    auto const data = TRY(text(TRY(field(header, Field::size))));
    skip_padding();
    entry.data = std::as_bytes(std::span(data.data(), data.size()));
    if (entry.name == trailer)
        return std::optional<CpioEntry>();
    return std::optional(entry);
}

} // namespace gemel::bundlefs
