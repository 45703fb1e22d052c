// Handle: the move-only owner of one capability. Destroying it closes the capability, and with it
// everything that was derived from it.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"
#include "core/base/result.hpp"

#include <utility>

namespace gemel {

// What INSPECT tells of a capability.
struct CapabilityInfo {
    Rights rights = 0;
    ObjectType type = ObjectType::none;
    u16 children = 0; // capabilities derived from it that are alive
    u64 badge = 0;
    u64 object = 0; // names the object: equal for all capabilities to it
    u64 depth = 0; // derivations between it and the first capability
};

class Handle {
public:
    Handle() = default;
    // Takes ownership of a raw handle; 0 is none.
    explicit Handle(u64 value)
        : value_(value)
    {
    }
    Handle(Handle&& other) noexcept
        : value_(std::exchange(other.value_, 0))
    {
    }
    Handle& operator=(Handle&& other) noexcept
    {
        if (this != &other) {
            close();
            value_ = std::exchange(other.value_, 0);
        }
        return *this;
    }
    ~Handle() { close(); }

    explicit operator bool() const { return value_ != 0; }
    u64 value() const { return value_; }
    // Gives ownership up.
    u64 release() { return std::exchange(value_, 0); }
    void close();

    // A child with `rights`, at most this one's. Needs derive.
    Result<Handle> derive(Rights rights) const;
    // A child with a badge; this one's badge must be 0, or a broker's (which only narrows).
    Result<Handle> badged(u64 badge, Rights rights) const;
    // Everything derived from it is dead at once.
    Result<void> revoke() const;
    // Ends the object, then closes. Needs destroy.
    Result<void> destroy();
    // Only ever shortens; rounded up to a tick.
    Result<void> set_time_to_live(u64 ns) const;
    // `port` is signalled with `bits` when this one is revoked, expires in use or loses its last
    // child.
    Result<void> watch(Handle const& port, u64 bits) const;
    Result<CapabilityInfo> inspect() const;
    // The capability itself goes to another task; returns its handle there.
    Result<u64> move_to(Handle const& task);

private:
    u64 value_ = 0;
};

} // namespace gemel
