// Requests about open files: they go by File capability, so a file that lost its name serves on.
#include "servers/hostmount/gate.hpp"

#include <algorithm>

namespace gemel::hostmount {

Result<Ref<Gate::HeldFile>> Gate::held(u64 file)
{
    auto const files = files_.lock();
    auto const at = files->held.find(file);
    if (at == files->held.end())
        return Error::invalid;
    return at->second;
}

std::optional<Ref<Gate::HeldFile>> Gate::held_on(u64 node)
{
    if (auto file = file_of_node(node))
        return file;
    auto const files = files_.lock();
    for (auto const& [number, file] : files->held)
        if (file->node == node)
            return file;
    return std::nullopt;
}

Result<Ref<Gate::HeldFile>> Gate::held_instead(u64 node, Error without_path)
{
    if (auto file = held_on(node))
        return std::move(*file);
    return without_path;
}

std::optional<Ref<Gate::HeldFile>> Gate::file_of_node(u64 node)
{
    auto const files = files_.lock();
    auto const at = files->of_nodes.find(node);
    if (at == files->of_nodes.end())
        return std::nullopt;
    at->second->last_use = ++files->uses;
    return at->second;
}

Result<Ref<Gate::HeldFile>> Gate::file_of(Work const& work)
{
    auto const& request = work.request;
    if (request.file != 0)
        return held(request.file);
    if (auto file = file_of_node(request.node))
        return std::move(*file);
    NamesLock::Shared const still(names_);
    return open_node(work, request.node, TRY(path_of(work, request.node)));
}

// For whatever the host's users opened it for: the host sees to it that nobody writes who may not.
// Where another thread was faster its file is as good. The one that was used longest ago gives way.
Result<Ref<Gate::HeldFile>> Gate::open_node(Work const& work, u64 node, Span path)
{
    auto const open_for = [&](OpenFlags access) {
        auto const flags = access | OpenFlag::session_memory | OpenFlag::no_follow;
        return directory_.call(Directory::Open {
            path, flags, 0, work.slot.span(answer_offset, answer_bytes), Handle() });
    };
    constexpr auto for_reading = static_cast<OpenFlags>(OpenFlag::read);
    auto opened_file = open_for(read_only_ ? for_reading : OpenFlag::read | OpenFlag::write);
    if (!opened_file && opened_file.error() == Error::no_rights) // it cannot be written
        opened_file = open_for(for_reading);
    auto reply = TRY(std::move(opened_file));
    if (reply.link_bytes != 0)
        return Error::not_found;
    auto const opened = make_ref<HeldFile>(Client<File>(std::move(reply.file)), node);
    std::optional<Ref<HeldFile>> closed; // outside the lock
    auto const files = files_.lock();
    auto& all = files->of_nodes;
    if (all.size() - files->nameless >= node_files_max) {
        auto const age
            = [](auto const& one) { return one.second->nameless ? ~0ull : one.second->last_use; };
        auto const oldest = std::min_element(all.begin(), all.end(),
            [&](auto const& one, auto const& other) { return age(one) < age(other); });
        closed = std::move(oldest->second);
        all.erase(oldest);
    }
    auto const at = all.emplace(node, opened).first;
    at->second->last_use = ++files->uses;
    return at->second;
}

Result<void> Gate::keep_file(Work const& work, u64 parent, std::string_view name, Span path)
{
    auto const node = nodes_.lock()->last_named(parent, name);
    if (node == 0 || work.request.open_untold == 0)
        return {};
    auto const known = file_of_node(node);
    auto const file = known ? *known : TRY(open_node(work, node, path));
    auto const files = files_.lock();
    if (!file->nameless && files->nameless >= files_max)
        return Error::too_many_open;
    files->nameless += file->nameless ? 0 : 1;
    file->nameless = true;
    return {};
}

void Gate::drop_file(u64 node)
{
    std::optional<Ref<HeldFile>> closed; // outside the lock
    auto const files = files_.lock();
    auto const at = files->of_nodes.find(node);
    if (at == files->of_nodes.end())
        return;
    files->nameless -= at->second->nameless ? 1 : 0;
    closed = std::move(at->second);
    files->of_nodes.erase(at);
}

Result<u64> Gate::hold(Handle file, u64 node)
{
    auto const files = files_.lock();
    if (files->held.size() >= files_max)
        return Error::too_many_open;
    auto const number = files->next++;
    files->held.emplace(number, make_ref<HeldFile>(Client<File>(std::move(file)), node));
    return number;
}

Result<void> Gate::open(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = TRY(path_of(work, work.request.node));
    auto const flags = work.request.flags | OpenFlag::session_memory | OpenFlag::no_follow;
    auto reply = TRY(directory_.call(
        Directory::Open { path, flags, 0, work.slot.span(answer_offset, answer_bytes), Handle() }));
    if (reply.link_bytes != 0)
        return Error::not_found;
    work.reply.file = TRY(hold(std::move(reply.file), work.request.node));
    return {};
}

Result<void> Gate::create_file(Work const& work)
{
    NamesLock::Shared const still(names_);
    TRY(check_room());
    auto const name = TRY(name_of(work));
    auto const path = TRY(path_of_name(work));
    auto const flags
        = work.request.flags | OpenFlag::create | OpenFlag::session_memory | OpenFlag::no_follow;
    Owner const owner { work.request.uid, work.request.gid };
    auto reply = TRY(directory_.call(Directory::Open { path, flags, work.request.mode,
        work.slot.span(answer_offset, answer_bytes), Handle(), owner }));
    if (reply.link_bytes != 0)
        return Error::not_found;
    TRY(introduce(work, name, path, reply.status_bytes));
    auto const file = hold(std::move(reply.file), work.reply.node);
    if (!file) {
        nodes_.lock()->forget(work.reply.node, 1);
        return file.error();
    }
    work.reply.file = *file;
    return {};
}

Result<void> Gate::release(Work const& work)
{
    auto const file = TRY(held(work.request.file));
    files_.lock()->held.erase(work.request.file);
    return {};
}

Result<void> Gate::read(Work const& work)
{
    auto const file = TRY(file_of(work));
    auto const bytes = static_cast<u32>(std::min<u64>(work.request.bytes, data_bytes_max));
    // A short answer is the end of the file, for the host too.
    auto const reply = TRY(
        file->client.call(File::Read { work.request.offset, work.slot.span(data_offset, bytes) }));
    work.reply.bytes = std::min(reply.bytes, bytes);
    return {};
}

namespace {

// Mode bits that lend an identity, of the file as it is; nothing when it has none. The host leaves
// that to the file system, so that it need not ask before each write.
std::optional<u16> mode_without_privileges(FileStatus const& now)
{
    constexpr u16 set_user = 04000;
    constexpr u16 set_group = 02000;
    constexpr u16 group_execute = 010;
    auto const lost
        = static_cast<u16>(set_user | ((now.mode & group_execute) != 0 ? set_group : u16 { 0 }));
    if (now.kind != FileKind::regular || (now.mode & lost) == 0)
        return std::nullopt;
    return static_cast<u16>(now.mode & ~lost);
}

} // namespace

Result<void> Gate::take_privileges(Work const& work, HeldFile const& file)
{
    TRY(file.client.call(File::Stat { work.slot.span(answer_offset, answer_bytes) }));
    FileStatus now;
    std::memcpy(&now, work.slot.bytes(answer_offset, sizeof(now)).data(), sizeof(now));
    auto const mode = mode_without_privileges(now);
    if (!mode)
        return {};
    FileAttributes const wanted { .changes = static_cast<u32>(AttributeChange::mode),
        .mode = *mode };
    std::memcpy(work.slot.bytes(listing_offset, sizeof(wanted)).data(), &wanted, sizeof(wanted));
    TRY(file.client.call(File::SetAttributes { work.slot.span(listing_offset, sizeof(wanted)) }));
    return {};
}

Result<void> Gate::write(Work const& work)
{
    auto const file = TRY(file_of(work));
    auto const bytes = static_cast<u32>(std::min<u64>(work.request.bytes, data_bytes_max));
    if ((work.request.flags & takes_privileges) != 0)
        TRY(take_privileges(work, *file));
    for (u32 done = 0; done < bytes;) {
        auto const reply = file->client.call(File::Write {
            work.request.offset + done, work.slot.span(data_offset + done, bytes - done) });
        if (!reply && done != 0)
            break; // what was written counts; the next write says why
        auto const written = TRY(reply).bytes;
        if (written == 0 || written > bytes - done)
            return Error::invalid_request;
        done += written;
        work.reply.bytes = done;
    }
    return {};
}

Result<void> Gate::sync(Work const& work)
{
    auto const file = TRY(file_of(work));
    auto const kind = work.request.flags != 0 ? SyncKind::data : SyncKind::all;
    TRY(file->client.call(File::Sync { kind }));
    return {};
}

Result<void> Gate::sync_directory(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = TRY(path_of(work, work.request.node));
    auto const answer = work.slot.span(answer_offset, answer_bytes);
    TRY(directory_.call(Directory::Sync { path, SyncScope::file, answer }));
    return {};
}

Result<void> Gate::get_attributes(Work const& work)
{
    NamesLock::Shared const still(names_);
    auto const path = path_of(work, work.request.node);
    if (path) {
        work.reply.status = TRY(status_at(work, *path));
        return {};
    }
    auto const file = held_on(work.request.node);
    if (!file) { // a directory: the host opens those without a word
        work.reply.status = TRY(nodes_.lock()->last_status(work.request.node));
        return {};
    }
    TRY((*file)->client.call(File::Stat { work.slot.span(answer_offset, answer_bytes) }));
    auto const bytes = work.slot.bytes(answer_offset, sizeof(FileStatus));
    std::memcpy(&work.reply.status, bytes.data(), sizeof(FileStatus));
    return {};
}

Result<void> Gate::set_attributes(Work const& work)
{
    auto const& request = work.request;
    FileAttributes wanted { .changes = request.changes,
        .mode = request.mode,
        .uid = request.uid,
        .gid = request.gid,
        .size = request.size,
        .accessed = request.accessed,
        .modified = request.modified };
    if ((request.flags & takes_privileges) != 0 && !wanted.has(AttributeChange::mode)) {
        TRY(get_attributes(work));
        if (auto const mode = mode_without_privileges(work.reply.status)) {
            wanted.mode = *mode;
            wanted.changes |= static_cast<u32>(AttributeChange::mode);
        }
    }
    auto const room = work.slot.bytes(listing_offset, sizeof(wanted));
    std::memcpy(room.data(), &wanted, sizeof(wanted));
    auto const attributes = work.slot.span(listing_offset, sizeof(wanted));
    {
        NamesLock::Shared const still(names_);
        auto const path = path_of(work, request.node);
        if (path) {
            auto const answer = work.slot.span(answer_offset, answer_bytes);
            auto const set = TRY(directory_.call(
                Directory::SetAttributes { *path, LastLink::keep, attributes, answer }));
            if (set.link_bytes != 0)
                return Error::not_found;
            work.reply.status = TRY(status_told(work, *path, set.status_bytes));
            return {};
        }
        auto const file = TRY(held_instead(request.node, path.error()));
        TRY(file->client.call(File::SetAttributes { attributes }));
    }
    return get_attributes(work);
}

Result<void> Gate::allocate(Work const& work)
{
    auto const& request = work.request;
    if (request.flags > static_cast<u32>(AllocateKind::zero_keep_size))
        return Error::unsupported;
    auto const file = TRY(file_of(work));
    TRY(file->client.call(File::Allocate {
        request.offset, request.bytes, static_cast<AllocateKind>(request.flags) }));
    return {};
}

Result<void> Gate::seek(Work const& work)
{
    auto const& request = work.request;
    if (request.flags > static_cast<u32>(SeekKind::hole))
        return Error::invalid;
    auto const file = TRY(file_of(work));
    auto const kind = static_cast<SeekKind>(request.flags);
    work.reply.offset = TRY(file->client.call(File::Seek { request.offset, kind })).offset;
    return {};
}

} // namespace gemel::hostmount
