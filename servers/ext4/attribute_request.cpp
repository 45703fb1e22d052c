#include "servers/ext4/attribute_request.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::ext4 {

namespace {

Result<Timestamp> timestamp_of(FileTime time)
{
    constexpr i64 ns_per_second = 1'000'000'000;
    if (time.nanoseconds < 0 || time.nanoseconds >= ns_per_second)
        return Error::invalid;
    return Timestamp { time.seconds, static_cast<u32>(time.nanoseconds) };
}

// The host names the two times beside saying that they are to be now.
bool only_now(FileAttributes const& attributes)
{
    auto const named
        = static_cast<u32>(AttributeChange::accessed) | static_cast<u32>(AttributeChange::modified);
    return (attributes.changes & ~named)
        == (static_cast<u32>(AttributeChange::accessed_now)
            | static_cast<u32>(AttributeChange::modified_now));
}

} // namespace

Result<FileAttributes> attributes_in(std::span<std::byte const> bytes)
{
    FileAttributes attributes;
    if (bytes.size() != sizeof(attributes))
        return Error::invalid;
    std::memcpy(&attributes, bytes.data(), sizeof(attributes));
    return attributes;
}

Result<void> set_attributes(Volume const& volume, u32 inode, FileAttributes const& attributes)
{
    auto* const writer = volume.writer();
    if (!writer)
        return Error::read_only;
    AttributeChanges changes;
    if (only_now(attributes))
        changes.setting = AttributeChanges::Setting::both_times_to_now;
    if (attributes.has(AttributeChange::mode))
        changes.permissions = attributes.mode;
    if (attributes.has(AttributeChange::uid))
        changes.user = attributes.uid;
    if (attributes.has(AttributeChange::gid))
        changes.group = attributes.gid;
    if (attributes.has(AttributeChange::accessed))
        changes.accessed = TRY(timestamp_of(attributes.accessed));
    if (attributes.has(AttributeChange::modified))
        changes.modified = TRY(timestamp_of(attributes.modified));
    if (attributes.has(AttributeChange::size))
        TRY(writer->resize(inode, attributes.size));
    if (attributes.has(AttributeChange::accessed_now))
        changes.accessed = writer->change_time();
    if (attributes.has(AttributeChange::modified_now))
        changes.modified = writer->change_time();
    return writer->set_attributes(inode, changes);
}

Result<std::string> attribute_name_in(std::span<std::byte const> bytes)
{
    if (bytes.empty() || bytes.size() > attribute_name_bytes_max)
        return Error::invalid;
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

Result<AttributeMode> mode_of(ExtendedMode mode)
{
    switch (mode) {
    case ExtendedMode::set:
        return AttributeMode::set;
    case ExtendedMode::create:
        return AttributeMode::create;
    case ExtendedMode::replace:
        return AttributeMode::replace;
    }
    return Error::invalid;
}

Result<u32> put_bytes(std::span<std::byte> target, std::span<std::byte const> bytes)
{
    if (target.size() < bytes.size())
        return Error::too_big;
    std::copy(bytes.begin(), bytes.end(), target.begin());
    return static_cast<u32>(bytes.size());
}

std::vector<u8> copy_of(std::span<std::byte const> shared)
{
    std::vector<u8> bytes(shared.size());
    std::memcpy(bytes.data(), shared.data(), shared.size());
    return bytes;
}

} // namespace gemel::ext4
