#include "servers/rt/region.hpp"

#include "servers/rt/thread.hpp"

namespace gemel {

SharedRegion::SharedRegion(SharedRegion&& other) noexcept
    : handle_(std::move(other.handle_))
    , address_(std::exchange(other.address_, 0))
    , bytes_(std::exchange(other.bytes_, 0))
{
}

SharedRegion& SharedRegion::operator=(SharedRegion&& other) noexcept
{
    if (this != &other) {
        unmap();
        handle_ = std::move(other.handle_);
        address_ = std::exchange(other.address_, 0);
        bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
}

SharedRegion::~SharedRegion()
{
    unmap();
}

void SharedRegion::unmap()
{
    if (!bytes_)
        return;
    self()->task->regions.unmap(address_, bytes_);
    handle_.close();
    bytes_ = 0;
}

Result<SharedRegion> SharedRegion::create(usize bytes)
{
    if (bytes == 0)
        return Error::invalid;
    if (bytes > region_bytes_max)
        return Error::too_big;
    bytes = align_up(bytes, page_bytes);
    auto const mapping = TRY(self()->task->regions.allocate_anywhere(bytes));
    SharedRegion region;
    region.handle_ = Handle(mapping.region);
    region.address_ = mapping.address;
    region.bytes_ = bytes;
    return region;
}

Result<SharedRegion> SharedRegion::map(Handle handle, RegionAccess access)
{
    auto flags = static_cast<u16>(VmFlag::read);
    if (access == RegionAccess::read_write)
        flags = VmFlag::read | VmFlag::write;
    auto const mapping = TRY(self()->task->regions.map_shared(handle.value(), flags));
    SharedRegion region;
    region.handle_ = std::move(handle);
    region.address_ = mapping.address;
    region.bytes_ = mapping.bytes;
    return region;
}

Result<std::span<std::byte>> SharedRegion::at(Span span) const
{
    if (span.offset > bytes_ || span.length > bytes_ - span.offset)
        return Error::invalid;
    return this->span().subspan(span.offset, span.length);
}

Result<Handle> SharedRegion::handle_for_peer(RegionAccess access) const
{
    auto rights = Right::read | Right::derive | Right::grant;
    if (access == RegionAccess::read_write)
        rights = rights | Right::write;
    return handle_.derive(rights);
}

} // namespace gemel
