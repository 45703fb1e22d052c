// Requests about names. The host's kernel has walked the path: no link is ever followed here.
#include "servers/hostmount/gate.hpp"

#include "servers/hostmount/listing.hpp"

#include "servers/rt/system.hpp"

namespace gemel::hostmount {

namespace {

// A link where the host knows a directory: somebody else changed the names.
template <typename Reply>
Result<Reply> without_link(Result<Reply> reply)
{
    if (reply && reply->link_bytes != 0)
        return Error::not_found;
    return reply;
}

template <typename T>
T struct_at(std::span<std::byte const> bytes)
{
    T value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
}

Owner owner_of(Request const& request)
{
    return { request.uid, request.gid };
}

Span answer_span(Slot const& slot)
{
    return slot.span(answer_offset, answer_bytes);
}

} // namespace

Result<Own<Gate>> Gate::create(
    Channel const& channel, Client<protocol::Directory> const& root, NodeTable::Options names)
{
    std::optional<Client<protocol::Directory>> directory;
    for (auto const& slot : channel.slots()) {
        auto region = TRY(slot.region().handle_for_peer());
        if (directory)
            TRY(directory->call(protocol::Directory::Extend { std::move(region) }));
        else
            directory = Client<protocol::Directory>(
                TRY(root.call(protocol::Directory::Attach { std::move(region) })).directory);
    }
    auto const& slot = channel.slots().front();
    TRY(directory->call(protocol::Directory::Statfs { answer_span(slot) }));
    auto const volume = struct_at<VolumeStatus>(slot.bytes(answer_offset, sizeof(VolumeStatus)));
    return std::make_unique<Gate>(
        channel, root, std::move(*directory), volume.read_only != 0, names);
}

void Gate::serve(u32 slot)
{
    auto const& place = channel_.slots()[slot];
    auto const request = place.request();
    Reply reply;
    auto const outcome = place.interrupted() ? Result<void>(Error::interrupted)
                                             : carry_out({ place, request, reply });
    if (!outcome) {
        reply.error = static_cast<u32>(outcome.error());
        if (outcome.error() == Error::dead || outcome.error() == Error::revoked)
            outlook_.store(Outlook::lost);
    }
    place.put(reply);
}

Result<void> Gate::carry_out(Work const& work)
{
    switch (work.request.operation) {
    case Operation::lookup:
        return look_up(work);
    case Operation::forget:
        return forget(work);
    case Operation::get_attributes:
        return get_attributes(work);
    case Operation::set_attributes:
        return set_attributes(work);
    case Operation::read_link:
        return read_link(work);
    case Operation::make_node:
    case Operation::make_directory:
        return make(work);
    case Operation::make_link_text:
        return make_link_text(work);
    case Operation::remove_file:
        return remove(work, RemoveKind::file);
    case Operation::remove_directory:
        return remove(work, RemoveKind::directory);
    case Operation::rename:
        return rename(work);
    case Operation::open:
        return open(work);
    case Operation::create:
        return create_file(work);
    case Operation::read:
        return read(work);
    case Operation::write:
        return write(work);
    case Operation::release:
        return release(work);
    case Operation::sync:
        return sync(work);
    case Operation::sync_directory:
        return sync_directory(work);
    case Operation::list:
    case Operation::list_with_status:
        return list(work);
    case Operation::volume_status:
        return volume_status(work);
    case Operation::stop:
        return stop();
    case Operation::leave:
        return leave(work);
    case Operation::link:
        return link(work);
    case Operation::get_extended:
        return get_extended(work);
    case Operation::set_extended:
        return set_extended(work);
    case Operation::list_extended:
        return list_extended(work);
    case Operation::remove_extended:
        return remove_extended(work);
    case Operation::allocate:
        return allocate(work);
    case Operation::seek:
        return seek(work);
    case Operation::trim:
        return trim(work);
    }
    return Error::invalid_request;
}

Result<std::string> Gate::name_of(Work const& work) const
{
    return work.slot.text(name_offset, work.request.name_bytes);
}

namespace {

Span put_path(Slot const& slot, u32 offset, std::string_view path)
{
    auto const room = slot.bytes(offset, static_cast<u32>(path.size()));
    std::memcpy(room.data(), path.data(), path.size());
    return slot.span(offset, static_cast<u32>(path.size()));
}

} // namespace

Result<Span> Gate::path_of(Work const& work, u64 node)
{
    return put_path(work.slot, path_offset, TRY(nodes_.lock()->path(node)));
}

Result<Span> Gate::path_of_name(Work const& work)
{
    auto const name = TRY(name_of(work));
    return put_path(work.slot, path_offset, TRY(nodes_.lock()->path(work.request.node, name)));
}

Result<FileStatus> Gate::status_at(Work const& work, Span path)
{
    TRY(without_link(
        directory_.call(Directory::Stat { path, LastLink::keep, answer_span(work.slot) })));
    return struct_at<FileStatus>(work.slot.bytes(answer_offset, sizeof(FileStatus)));
}

Result<void> Gate::check_room()
{
    if (!nodes_.lock()->has_room())
        return Error::no_memory;
    return {};
}

Result<FileStatus> Gate::status_told(Work const& work, Span path, u32 status_bytes)
{
    if (status_bytes == sizeof(FileStatus))
        return struct_at<FileStatus>(work.slot.bytes(answer_offset, sizeof(FileStatus)));
    return status_at(work, path);
}

Result<void> Gate::introduce(Work const& work, std::string_view name, Span path, u32 status_bytes)
{
    work.reply.status = TRY(status_told(work, path, status_bytes));
    work.reply.node = TRY(nodes_.lock()->learn(work.request.node, name, work.reply.status));
    return {};
}

Result<void> Gate::look_up(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const name = TRY(name_of(work));
    return introduce(work, name, TRY(path_of_name(work)), 0);
}

Result<void> Gate::forget(Work const& work)
{
    constexpr auto records_max = data_bytes_max / sizeof(Forgotten);
    auto const count = work.request.bytes / sizeof(Forgotten);
    if (count > records_max)
        return Error::invalid_request;
    auto const nodes = nodes_.lock();
    for (u32 each = 0; each < count; ++each) {
        auto const at = static_cast<u32>(data_offset + each * sizeof(Forgotten));
        auto const record = struct_at<Forgotten>(work.slot.bytes(at, sizeof(Forgotten)));
        nodes->forget(record.node, record.lookups);
        if (!nodes->knows(record.node))
            drop_file(record.node);
    }
    return {};
}

Result<void> Gate::read_link(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = TRY(path_of(work, work.request.node));
    auto const text = work.slot.span(data_offset, name_bytes_max);
    work.reply.bytes = TRY(without_link(directory_.call(Directory::Readlink { path, text }))).bytes;
    return {};
}

Result<void> Gate::make(Work const& work)
{
    NamesLock::Shared const still(names_);
    TRY(check_room());
    auto const name = TRY(name_of(work));
    auto const path = TRY(path_of_name(work));
    auto const& request = work.request;
    auto const answer = answer_span(work.slot);
    if (request.operation == Operation::make_directory) {
        auto const made = TRY(without_link(
            directory_.call(Directory::Mkdir { path, request.mode, answer, owner_of(request) })));
        return introduce(work, name, path, made.status_bytes);
    }
    auto const made = TRY(without_link(directory_.call(Directory::MakeNode {
        path, request.kind, request.mode, request.device, answer, owner_of(request) })));
    return introduce(work, name, path, made.status_bytes);
}

Result<void> Gate::make_link_text(Work const& work)
{
    NamesLock::Shared const still(names_);
    TRY(check_room());
    auto const name = TRY(name_of(work));
    auto const path = TRY(path_of_name(work));
    if (work.request.second_name_bytes > name_bytes_max)
        return Error::name_too_long;
    auto const text = work.slot.span(second_name_offset, work.request.second_name_bytes);
    auto const made = TRY(without_link(directory_.call(
        Directory::Symlink { path, text, answer_span(work.slot), owner_of(work.request) })));
    return introduce(work, name, path, made.status_bytes);
}

// Before a directory goes, by rmdir or under a renamed one.
void Gate::remember_directory(Work const& work, u64 parent, std::string_view name, Span path)
{
    if (!nodes_.lock()->is_directory(parent, name))
        return;
    if (auto const status = status_at(work, path))
        nodes_.lock()->keep_last_status(parent, name, *status);
}

Result<void> Gate::remove(Work const& work, RemoveKind kind)
{
    NamesLock::Alone const moving(names_);
    auto const name = TRY(name_of(work));
    auto const path = TRY(path_of_name(work));
    remember_directory(work, work.request.node, name, path);
    if (kind == RemoveKind::file)
        TRY(keep_file(work, work.request.node, name, path));
    TRY(without_link(directory_.call(Directory::Unlink { path, kind, answer_span(work.slot) })));
    nodes_.lock()->removed(work.request.node, name);
    return {};
}

Result<void> Gate::rename(Work const& work)
{
    NamesLock::Alone const moving(names_);
    auto const& request = work.request;
    if (request.flags > static_cast<u32>(RenameMode::exchange))
        return Error::invalid;
    auto const mode = static_cast<RenameMode>(request.flags);
    auto const name = TRY(name_of(work));
    auto const new_name = TRY(work.slot.text(second_name_offset, request.second_name_bytes));
    auto const from = TRY(path_of_name(work));
    auto const to = put_path(
        work.slot, second_path_offset, TRY(nodes_.lock()->path(request.other_node, new_name)));
    if (mode == RenameMode::replace) {
        remember_directory(work, request.other_node, new_name, to);
        TRY(keep_file(work, request.other_node, new_name, to));
    }
    TRY(without_link(
        directory_.call(Directory::Rename { from, to, answer_span(work.slot), mode })));
    auto const nodes = nodes_.lock();
    if (mode == RenameMode::exchange)
        nodes->exchanged(request.node, name, request.other_node, new_name);
    else
        nodes->renamed(request.node, name, request.other_node, new_name);
    return {};
}

Result<void> Gate::link(Work const& work)
{
    NamesLock::Shared const still(names_);
    TRY(check_room());
    auto const name = TRY(name_of(work));
    auto const from = put_path(
        work.slot, second_path_offset, TRY(nodes_.lock()->path(work.request.other_node)));
    auto const to = TRY(path_of_name(work));
    auto const made
        = TRY(without_link(directory_.call(Directory::Link { from, to, answer_span(work.slot) })));
    return introduce(work, name, to, made.status_bytes);
}

// --- listings ---

// One answer holds what one request to the file system gave, or the part of it that fits. What was
// not given is asked for again, from the last cookie on.
Result<void> Gate::list(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const directory = TRY(nodes_.lock()->path(work.request.node));
    auto const path = put_path(work.slot, path_offset, directory);
    auto const wanted = static_cast<u32>(std::min<u64>(2 * work.request.bytes, listing_bytes));
    auto const room = work.slot.span(listing_offset, std::max(wanted, 512u));
    Listing listing(work.slot, work.request);
    auto filled = Result<void>(Error::unsupported);
    if (work.request.operation == Operation::list_with_status)
        filled = list_with_status(work, path, room, listing);
    if (!filled && filled.error() == Error::unsupported)
        filled = list_names(work, directory, room, listing);
    TRY(filled);
    work.reply.bytes = listing.bytes();
    return {};
}

Result<void> Gate::list_with_status(Work const& work, Span path, Span room, Listing& listing)
{
    auto const reply = TRY(without_link(
        directory_.call(Directory::ReaddirStatus { path, work.request.offset, room })));
    EntryReader entries(work.slot.bytes(listing_offset, std::min(reply.bytes, listing_bytes)));
    DirectoryEntryStatus record;
    std::string_view name;
    auto const nodes = nodes_.lock();
    while (entries.next(record, name) && listing.fits(name)) {
        auto const node = nodes->learn(work.request.node, name, record.status);
        if (!node && listing.bytes() != 0)
            break; // of those before it the host is told all the same
        TRY(node);
        listing.add(
            { .node = *node, .cookie = record.entry.cookie, .status = record.status }, name);
    }
    return {};
}

// Also for a file system that lists without status: then each file is asked for.
Result<void> Gate::list_names(
    Work const& work, std::string const& directory, Span room, Listing& listing)
{
    auto const path = put_path(work.slot, path_offset, directory);
    auto const reply = TRY(
        without_link(directory_.call(Directory::Readdir { path, work.request.offset, room })));
    EntryReader entries(work.slot.bytes(listing_offset, std::min(reply.bytes, listing_bytes)));
    DirectoryEntry entry;
    std::string_view name;
    while (entries.next(entry, name) && listing.fits(name)) {
        ListedName listed { .cookie = entry.cookie,
            .status = { .inode = entry.inode, .kind = entry.kind } };
        auto const full
            = directory.empty() ? std::string(name) : directory + '/' + std::string(name);
        if (work.request.operation == Operation::list_with_status
            && full.size() <= NodeTable::path_bytes_max) {
            auto const status = status_at(work, put_path(work.slot, second_path_offset, full));
            if (status) {
                listed.status = *status;
                listed.node = TRY(nodes_.lock()->learn(work.request.node, name, *status));
            }
        }
        listing.add(listed, name);
    }
    return {};
}

Result<void> Gate::volume_status(Work const& work)
{
    TRY(directory_.call(Directory::Statfs { answer_span(work.slot) }));
    work.reply.volume
        = struct_at<VolumeStatus>(work.slot.bytes(answer_offset, sizeof(VolumeStatus)));
    return {};
}

Result<void> Gate::trim(Work const& work)
{
    auto const& request = work.request;
    auto const done
        = TRY(directory_.call(Directory::Trim { request.offset, request.size, request.bytes }));
    work.reply.offset = done.bytes;
    return {};
}

void Gate::drop_all_files()
{
    auto const files = files_.lock();
    files->held.clear();
    files->of_nodes.clear();
    files->nameless = 0;
}

// Files that are open here close; what the host wrote is durable.
Result<void> Gate::leave(Work const& work)
{
    drop_all_files();
    auto const path = put_path(work.slot, path_offset, {});
    auto const synced = without_link(
        directory_.call(Directory::Sync { path, SyncScope::volume, answer_span(work.slot) }));
    outlook_.store(Outlook::stopped);
    failed_.store(!synced);
    TRY(synced);
    return {};
}

Result<void> Gate::stop()
{
    drop_all_files();
    auto const unmounted = root_.call(Directory::Unmount {});
    outlook_.store(Outlook::stopped);
    if (unmounted || unmounted.error() == Error::unsupported) // nothing to write there
        return {};
    failed_.store(true);
    return unmounted.error();
}

} // namespace gemel::hostmount
