#include "servers/rt/handle.hpp"

#include "servers/rt/system.hpp"

namespace gemel {

void Handle::close()
{
    // A handle that died meanwhile (revoked, expired) is as closed as it can be.
    if (value_)
        (void)system::cap_move(release(), 0, CapOperation::close);
}

Result<Handle> Handle::derive(Rights rights) const
{
    return Handle(TRY(system::cap_move(value_, 0, CapOperation::derive, rights)).word2);
}

Result<Handle> Handle::badged(u64 badge, Rights rights) const
{
    return Handle(TRY(system::cap_move(value_, 0, CapOperation::badge, rights, badge)).word2);
}

Result<void> Handle::revoke() const
{
    TRY(system::cap_move(value_, 0, CapOperation::revoke));
    return {};
}

Result<void> Handle::destroy()
{
    TRY(system::cap_move(value_, 0, CapOperation::destroy));
    value_ = 0;
    return {};
}

Result<void> Handle::set_time_to_live(u64 ns) const
{
    TRY(system::cap_move(value_, 0, CapOperation::time_to_live, 0, ns));
    return {};
}

Result<void> Handle::watch(Handle const& port, u64 bits) const
{
    TRY(system::cap_move(value_, 0, CapOperation::watch, 0, port.value(), bits));
    return {};
}

Result<CapabilityInfo> Handle::inspect() const
{
    auto const told = TRY(system::cap_move(value_, 0, CapOperation::inspect));
    return CapabilityInfo {
        .rights = static_cast<Rights>(told.word2),
        .type = static_cast<ObjectType>(told.word2 >> 16 & 0xFF),
        .children = static_cast<u16>(told.word2 >> 32),
        .badge = told.word3,
        .object = told.word4,
        .depth = told.word5,
    };
}

Result<u64> Handle::move_to(Handle const& task)
{
    auto const moved = TRY(system::cap_move(value_, task.value(), CapOperation::move, rights_mask));
    value_ = 0;
    return moved.word2;
}

} // namespace gemel
