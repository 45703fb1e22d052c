#include "servers/ext4/attribute_request.hpp"

#include <cstring>

namespace gemel::ext4 {

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
    if (attributes.has(AttributeChange::size))
        TRY(writer->resize(inode, attributes.size));
    AttributeChanges changes;
    if (attributes.has(AttributeChange::mode))
        changes.permissions = attributes.mode;
    if (attributes.has(AttributeChange::uid))
        changes.user = attributes.uid;
    if (attributes.has(AttributeChange::gid))
        changes.group = attributes.gid;
    if (attributes.has(AttributeChange::accessed))
        changes.accessed = timestamp_of(attributes.accessed_ns);
    if (attributes.has(AttributeChange::modified))
        changes.modified = timestamp_of(attributes.modified_ns);
    if (attributes.has(AttributeChange::accessed_now))
        changes.accessed = writer->change_time();
    if (attributes.has(AttributeChange::modified_now))
        changes.modified = writer->change_time();
    return writer->set_attributes(inode, changes);
}

} // namespace gemel::ext4
