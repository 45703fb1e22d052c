#include "servers/rt/paged_memory.hpp"

namespace gemel {

namespace {

u64 address_of(PagedMemory::Bytes region)
{
    return reinterpret_cast<u64>(region.data());
}

PagedMemory::Bytes at(u64 address, u64 bytes)
{
    return { reinterpret_cast<std::byte*>(address), bytes };
}

} // namespace

Result<PagedMemory> PagedMemory::open(Env& env)
{
    auto const pager = TRY(env.take<protocol::Pager>("pager"));
    auto opened = TRY(pager.call(protocol::Pager::Open { TRY(env.take_handle("task")) }));
    return PagedMemory(Client<Protocol>(std::move(opened.session)));
}

Result<PagedMemory::Bytes> PagedMemory::zeros(u64 bytes) const
{
    auto const mapped
        = TRY(session_.call(Protocol::Map { .kind = protocol::MapKind::zero, .bytes = bytes }));
    return at(mapped.address, bytes);
}

Result<PagedMemory::Bytes> PagedMemory::file(Client<File> const& file, u64 offset, u64 bytes) const
{
    auto shared = TRY(file.handle().derive(Right::call | Right::derive));
    auto const mapped = TRY(
        session_.call(Protocol::Map { protocol::MapKind::file, bytes, offset, std::move(shared) }));
    return at(mapped.address, bytes);
}

Result<PagedMemory::Bytes> PagedMemory::snapshot(Bytes region) const
{
    auto const copy = TRY(session_.call(Protocol::Snapshot { address_of(region) }));
    return at(copy.address, region.size());
}

Result<void> PagedMemory::unmap(Bytes region) const
{
    TRY(session_.call(Protocol::Unmap { address_of(region) }));
    return {};
}

} // namespace gemel
