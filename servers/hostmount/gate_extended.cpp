// Extended attributes. The host asks for a size first, then for the bytes.
#include "servers/hostmount/gate.hpp"

namespace gemel::hostmount {

namespace {

constexpr u32 value_bytes_max = 65'536; // Linux, XATTR_SIZE_MAX

// Where the file system puts a value or the names.
Span value_span(Slot const& slot)
{
    return slot.span(data_offset, value_bytes_max);
}

Span name_span(Slot const& slot, Request const& request)
{
    return slot.span(name_offset, std::min(request.name_bytes, name_bytes_max));
}

} // namespace

Result<void> Gate::get_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = TRY(path_of(work, work.request.node));
    auto const name = name_span(work.slot, work.request);
    auto const reply = TRY(directory_.call(
        Directory::GetExtended { path, LastLink::keep, name, value_span(work.slot) }));
    if (work.request.bytes != 0 && reply.bytes > work.request.bytes)
        return Error::too_big;
    work.reply.bytes = reply.bytes;
    return {};
}

Result<void> Gate::set_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const& request = work.request;
    if (request.bytes > value_bytes_max)
        return Error::too_big;
    if (request.flags > static_cast<u32>(ExtendedMode::replace))
        return Error::invalid;
    auto const path = TRY(path_of(work, request.node));
    auto const value = work.slot.span(data_offset, static_cast<u32>(request.bytes));
    TRY(directory_.call(Directory::SetExtended { path, LastLink::keep,
        name_span(work.slot, request), value, static_cast<ExtendedMode>(request.flags),
        work.slot.span(answer_offset, answer_bytes) }));
    return {};
}

Result<void> Gate::list_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = TRY(path_of(work, work.request.node));
    auto const reply = TRY(
        directory_.call(Directory::ListExtended { path, LastLink::keep, value_span(work.slot) }));
    if (work.request.bytes != 0 && reply.bytes > work.request.bytes)
        return Error::too_big;
    work.reply.bytes = reply.bytes;
    return {};
}

Result<void> Gate::remove_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = TRY(path_of(work, work.request.node));
    TRY(directory_.call(Directory::RemoveExtended { path, LastLink::keep,
        name_span(work.slot, work.request), work.slot.span(answer_offset, answer_bytes) }));
    return {};
}

} // namespace gemel::hostmount
