// Memory that two tasks share: one region capability for a session, spans of it in messages.
#pragma once

#include "servers/rt/field.hpp"

#include <cstddef>
#include <span>

namespace gemel {

enum class RegionAccess : u8 { read, read_write };

// Owns the mapping and the capability. Other tasks may change the bytes at any time: read each
// once. The memory is given back when the last task that maps it has let go.
class SharedRegion {
public:
    SharedRegion() = default;
    SharedRegion(SharedRegion&& other) noexcept;
    SharedRegion& operator=(SharedRegion&& other) noexcept;
    ~SharedRegion();

    // Fresh zeroed memory of this task's quota; `bytes` 1 to region_bytes_max, rounded up to pages.
    static Result<SharedRegion> create(usize bytes);
    // A peer's region. Its size is what the kernel says, whatever the peer said.
    static Result<SharedRegion> map(Handle region, RegionAccess access = RegionAccess::read_write);

    explicit operator bool() const { return bytes_ != 0; }
    std::span<std::byte> span() const { return { reinterpret_cast<std::byte*>(address_), bytes_ }; }
    usize bytes() const { return bytes_; }
    // The bytes a message's span names; invalid when it leaves the region.
    Result<std::span<std::byte>> at(Span span) const;
    Handle const& handle() const { return handle_; }
    // A capability for the other side: read, or read and write; derive so that it may be passed on.
    Result<Handle> handle_for_peer(RegionAccess access = RegionAccess::read_write) const;

private:
    void unmap();
    Handle handle_;
    u64 address_ = 0;
    usize bytes_ = 0;
};

} // namespace gemel
