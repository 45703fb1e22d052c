// Extended attributes. The host asks for a size first, then for the bytes. A file without a name is
// reached through what is open on it.
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

// The host has room for no more than it asked for.
Result<void> Gate::check_asked(Work const& work)
{
    if (work.request.bytes != 0 && work.reply.bytes > work.request.bytes)
        return Error::too_big;
    return {};
}

Result<void> Gate::get_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const& request = work.request;
    auto const name = name_span(work.slot, request);
    auto const value = value_span(work.slot);
    if (auto const path = path_of(work, request.node)) {
        work.reply.bytes
            = TRY(directory_.call(Directory::GetExtended { *path, LastLink::keep, name, value }))
                  .bytes;
    } else {
        auto const file = TRY(held_instead(request.node, path.error()));
        work.reply.bytes = TRY(file->client.call(File::GetExtended { name, value })).bytes;
    }
    return check_asked(work);
}

Result<void> Gate::set_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const& request = work.request;
    if (request.bytes > value_bytes_max)
        return Error::too_big;
    if (request.flags > static_cast<u32>(ExtendedMode::replace))
        return Error::invalid;
    auto const mode = static_cast<ExtendedMode>(request.flags);
    auto const name = name_span(work.slot, request);
    auto const value = work.slot.span(data_offset, static_cast<u32>(request.bytes));
    auto const path = path_of(work, request.node);
    if (path) {
        TRY(directory_.call(Directory::SetExtended { *path, LastLink::keep, name, value, mode,
            work.slot.span(answer_offset, answer_bytes) }));
        return {};
    }
    auto const file = TRY(held_instead(request.node, path.error()));
    TRY(file->client.call(File::SetExtended { name, value, mode }));
    return {};
}

Result<void> Gate::list_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const names = value_span(work.slot);
    if (auto const path = path_of(work, work.request.node)) {
        work.reply.bytes
            = TRY(directory_.call(Directory::ListExtended { *path, LastLink::keep, names })).bytes;
    } else {
        auto const file = TRY(held_instead(work.request.node, path.error()));
        work.reply.bytes = TRY(file->client.call(File::ListExtended { names })).bytes;
    }
    return check_asked(work);
}

Result<void> Gate::remove_extended(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const name = name_span(work.slot, work.request);
    auto const path = path_of(work, work.request.node);
    if (path) {
        TRY(directory_.call(Directory::RemoveExtended {
            *path, LastLink::keep, name, work.slot.span(answer_offset, answer_bytes) }));
        return {};
    }
    auto const file = TRY(held_instead(work.request.node, path.error()));
    TRY(file->client.call(File::RemoveExtended { name }));
    return {};
}

} // namespace gemel::hostmount
