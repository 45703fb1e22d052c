// Requests that change names, and Open, which may make one. Whoever asks for a change is told about
// links on the way first: they may lead out of this volume, to where the change is possible.
#include "servers/ext4/attribute_request.hpp"
#include "servers/ext4/open_file.hpp"
#include "servers/ext4/root_directory.hpp"

namespace gemel::ext4 {

namespace {

constexpr u16 permission_bits = 07777;
constexpr u16 type_symlink = 0120000;
constexpr u16 type_directory = 0040000;
constexpr OpenFlags changing = OpenFlag::write | OpenFlag::create | OpenFlag::truncate;

u16 mode_of(FileKind kind, u16 permissions)
{
    auto const type = [&]() -> u16 {
        switch (kind) {
        case FileKind::regular:
            return 0100000;
        case FileKind::directory:
            return type_directory;
        case FileKind::symlink:
            return type_symlink;
        case FileKind::character_device:
            return 0020000;
        case FileKind::block_device:
            return 0060000;
        case FileKind::pipe:
            return 0010000;
        case FileKind::socket:
            return 0140000;
        }
        return 0;
    }();
    return static_cast<u16>(type | (permissions & permission_bits));
}

std::string_view parent_of(std::string_view path)
{
    auto const slash = path.rfind('/');
    return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}

// The place of a path's last name, or the link in the way to it.
Result<std::variant<NamePlace, LinkMet>> place_of(Volume& volume, std::string_view path)
{
    using Place = std::variant<NamePlace, LinkMet>;
    auto found = TRY(resolve(volume, parent_of(path), LastLink::follow));
    if (auto* const met = std::get_if<LinkMet>(&found))
        return Place(std::move(*met));
    auto& directory = std::get<Inode>(found);
    if (!directory.is_directory())
        return Error::not_directory;
    return Place(NamePlace { std::move(directory), path.substr(path.rfind('/') + 1) });
}

NameOf name_of_place(NamePlace const& place)
{
    return { place.directory.number, place.name };
}

// What a read-only volume answers to a request about a name that must not be there.
Error refuse_new(Volume& volume, NamePlace const& place)
{
    auto const found = volume.lookup(place.directory, place.name);
    if (found)
        return Error::exists;
    return found.error() == Error::not_found ? Error::read_only : found.error();
}

// The same for one that must be.
Error refuse_change(Volume& volume, NamePlace const& place)
{
    auto const found = volume.lookup(place.directory, place.name);
    return found ? Error::read_only : found.error();
}

} // namespace

template <typename Reply, typename Change>
Result<Reply> RootDirectory::at_name(Span path, Span answer, Change change)
{
    auto const text = TRY(path_at(path));
    auto const volume = served_.volume.lock();
    auto const place = TRY(place_of(*volume, text));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Reply>(*met, answer);
    return change(*volume, std::get<NamePlace>(place));
}

u32 RootDirectory::put_status(Volume& volume, u32 inode, Span answer) const
{
    auto const target = region_.at(answer);
    if (!target || target->size() < sizeof(FileStatus))
        return 0;
    auto const now = volume.inode(inode);
    if (!now)
        return 0;
    auto const status = status_of(volume, *now);
    std::memcpy(target->data(), &status, sizeof(status));
    return sizeof(status);
}

template <typename Request>
Result<typename Request::Reply> RootDirectory::make(Request const& request, NewFile const& file)
{
    using Reply = typename Request::Reply;
    auto const create = [&](Volume& volume, NamePlace const& place) -> Result<Reply> {
        if (place.name.empty())
            return Error::exists;
        if (!volume.writer())
            return refuse_new(volume, place);
        auto const made = TRY(volume.writer()->create(name_of_place(place), file));
        return Reply { .status_bytes = put_status(volume, made, request.answer) };
    };
    return at_name<Reply>(request.path, request.answer, create);
}

Result<Directory::Mkdir::Reply> RootDirectory::on(Directory::Mkdir const& request)
{
    return make(request,
        { .mode = mode_of(FileKind::directory, request.mode),
            .user = request.owner.uid,
            .group = request.owner.gid });
}

Result<Directory::Symlink::Reply> RootDirectory::on(Directory::Symlink const& request)
{
    auto const text = TRY(path_at(request.text));
    return make(request,
        { .mode = mode_of(FileKind::symlink, 0777),
            .user = request.owner.uid,
            .group = request.owner.gid,
            .link_text = text });
}

Result<Directory::MakeNode::Reply> RootDirectory::on(Directory::MakeNode const& request)
{
    if (request.kind == FileKind::directory || request.kind == FileKind::symlink)
        return Error::invalid;
    return make(request,
        { .mode = mode_of(request.kind, request.mode),
            .user = request.owner.uid,
            .group = request.owner.gid,
            .device
            = { static_cast<u32>(request.device >> 32), static_cast<u32>(request.device) } });
}

Result<Directory::Unlink::Reply> RootDirectory::on(Directory::Unlink const& request)
{
    using Reply = Directory::Unlink::Reply;
    auto const remove = [&](Volume& volume, NamePlace const& place) -> Result<Reply> {
        if (place.name.empty())
            return Error::busy;
        if (!volume.writer())
            return refuse_change(volume, place);
        TRY(volume.writer()->remove(name_of_place(place),
            request.kind == RemoveKind::directory ? Removal::directory : Removal::file));
        return Reply {};
    };
    return at_name<Reply>(request.path, request.answer, remove);
}

template <typename Request, typename Change>
Result<typename Request::Reply> RootDirectory::at_two_names(Request const& request, Change change)
{
    using Reply = typename Request::Reply;
    auto const from_text = TRY(path_at(request.from));
    auto const to_text = TRY(path_at(request.to));
    auto const volume = served_.volume.lock();
    auto const from = TRY(place_of(*volume, from_text));
    if (auto const* const met = std::get_if<LinkMet>(&from))
        return link_reply<Reply>(*met, request.answer);
    auto const& from_place = std::get<NamePlace>(from);
    TRY(volume->lookup(from_place.directory, from_place.name));
    auto const to = TRY(place_of(*volume, to_text));
    if (auto const* const met = std::get_if<LinkMet>(&to)) {
        auto reply = TRY(link_reply<Reply>(*met, request.answer));
        reply.link_in = 1;
        return reply;
    }
    auto const& to_place = std::get<NamePlace>(to);
    if (from_place.name.empty() || to_place.name.empty())
        return Error::busy;
    if (!volume->writer())
        return Error::read_only;
    return change(*volume, from_place, to_place);
}

Result<Directory::Rename::Reply> RootDirectory::on(Directory::Rename const& request)
{
    auto const way = [&]() -> Result<RenameWay> {
        switch (request.mode) {
        case RenameMode::replace:
            return RenameWay::replace;
        case RenameMode::no_replace:
            return RenameWay::no_replace;
        case RenameMode::exchange:
            return RenameWay::exchange;
        }
        return Error::unsupported;
    };
    auto const wanted = TRY(way());
    using Reply = Directory::Rename::Reply;
    return at_two_names(
        request, [&](Volume& volume, NamePlace const& from, NamePlace const& to) -> Result<Reply> {
            TRY(volume.writer()->rename(name_of_place(from), name_of_place(to), wanted));
            return Reply {};
        });
}

Result<Directory::Link::Reply> RootDirectory::on(Directory::Link const& request)
{
    using Reply = Directory::Link::Reply;
    return at_two_names(
        request, [&](Volume& volume, NamePlace const& from, NamePlace const& to) -> Result<Reply> {
            auto const found = TRY(volume.lookup(from.directory, from.name));
            TRY(volume.writer()->link(found.inode, name_of_place(to)));
            return Reply { .status_bytes = put_status(volume, found.inode, request.answer) };
        });
}

Result<Directory::SetAttributes::Reply> RootDirectory::on(Directory::SetAttributes const& request)
{
    auto const path = TRY(path_at(request.path));
    auto const attributes = TRY(attributes_in(TRY(region_.at(request.attributes))));
    auto const volume = served_.volume.lock();
    auto const place = TRY(resolve(*volume, path, request.last));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Directory::SetAttributes::Reply>(*met, request.answer);
    auto const inode = std::get<Inode>(place).number;
    TRY(set_attributes(*volume, inode, attributes));
    return Directory::SetAttributes::Reply { .status_bytes
        = put_status(*volume, inode, request.answer) };
}

Result<std::optional<Directory::Sync::Reply>> RootDirectory::before_sync(
    Volume& volume, Directory::Sync const& request)
{
    using Reply = Directory::Sync::Reply;
    if (request.scope == SyncScope::file) {
        auto const place = TRY(resolve(volume, TRY(path_at(request.path)), LastLink::follow));
        if (auto const* const met = std::get_if<LinkMet>(&place))
            return std::optional(TRY(link_reply<Reply>(*met, request.answer)));
    }
    return volume.writer() ? std::optional<Reply> {} : std::optional(Reply {});
}

// One commit has all that was done before, so every scope is the volume.
void RootDirectory::on(Directory::Sync const& request, WaitingSyncs::OfDirectory asker)
{
    auto const volume = served_.volume.lock();
    auto const before = before_sync(*volume, request);
    if (!before)
        static_cast<void>(asker.reply(before.error()));
    else if (*before)
        static_cast<void>(asker.reply(**before));
    else
        served_.syncs.add(*volume->writer(), Durable::all, std::move(asker));
}

Result<Directory::Unmount::Reply> RootDirectory::on(Directory::Unmount const&)
{
    if (!is_root_)
        return Error::no_rights;
    auto const volume = served_.volume.lock();
    if (volume->writer())
        TRY(volume->writer()->unmount());
    return Directory::Unmount::Reply {};
}

Result<SessionMemory> RootDirectory::memory_for(OpenFlags flags, Handle region) const
{
    if (region)
        return SessionMemory::map(std::move(region));
    return has(flags, OpenFlag::session_memory) ? region_ : SessionMemory();
}

Result<Handle> RootDirectory::publish(u32 inode, OpenFlags flags, SessionMemory memory)
{
    auto opening = make_ref<Opening>(served_, inode, flags);
    auto file = make_ref<OpenFile>(served_, std::move(opening), std::move(memory));
    return served_.objects.publish<File>(std::move(file));
}

// Checks, makes or cuts, with the volume held; the inode is counted as open when this succeeds.
Result<Directory::Open::Reply> RootDirectory::open_inode(
    Volume& volume, Inode const& inode, Directory::Open& request)
{
    auto const flags = request.flags;
    if (has(flags, OpenFlag::create) && has(flags, OpenFlag::exclusive))
        return Error::exists;
    if (inode.type() == FileType::symbolic_link)
        return Error::symlink_loop;
    if ((flags & changing) != 0 && inode.is_directory())
        return Error::is_directory;
    bool const changes = (flags & changing & ~static_cast<OpenFlags>(OpenFlag::create)) != 0;
    if (changes && !volume.writer())
        return Error::read_only;
    if (inode.type() != FileType::regular && !inode.is_directory())
        return Error::unsupported;
    if (changes && inode.has(InodeFlag::immutable))
        return Error::no_rights;
    Directory::Open::Reply reply {};
    reply.kind = kind_of(inode.type());
    reply.size = inode.size_bytes;
    if (has(flags, OpenFlag::truncate) && has(flags, OpenFlag::write)) {
        TRY(volume.writer()->resize(inode.number, 0));
        reply.size = 0;
    }
    if (volume.writer())
        volume.writer()->opened(inode.number);
    if (has(flags, OpenFlag::create))
        reply.status_bytes = put_status(volume, inode.number, request.answer);
    return reply;
}

Result<Directory::Open::Reply> RootDirectory::on(Directory::Open request)
{
    using Reply = Directory::Open::Reply;
    auto const path = TRY(path_at(request.path));
    // Before anything is made, or counted as open.
    auto memory = TRY(memory_for(request.flags, std::move(request.region)));
    bool const exclusive
        = has(request.flags, OpenFlag::create) && has(request.flags, OpenFlag::exclusive);
    bool const keep = exclusive || has(request.flags, OpenFlag::no_follow);
    u32 opened = 0;
    auto const open = [&](Volume& volume) -> Result<Reply> {
        auto resolved = resolve(volume, path, keep ? LastLink::keep : LastLink::follow);
        bool const absent = !resolved && resolved.error() == Error::not_found;
        if (absent && has(request.flags, OpenFlag::create)) {
            auto const place = TRY(place_of(volume, path));
            if (auto const* const met = std::get_if<LinkMet>(&place))
                return link_reply<Reply>(*met, request.answer);
            auto const& there = std::get<NamePlace>(place);
            if (!volume.writer())
                return refuse_new(volume, there);
            opened = TRY(volume.writer()->create(name_of_place(there),
                { .mode = mode_of(FileKind::regular, request.mode),
                    .user = request.owner.uid,
                    .group = request.owner.gid }));
            volume.writer()->opened(opened);
            return Reply { .status_bytes = put_status(volume, opened, request.answer) };
        }
        auto const found = TRY(std::move(resolved));
        if (auto const* const met = std::get_if<LinkMet>(&found))
            return link_reply<Reply>(*met, request.answer);
        opened = std::get<Inode>(found).number;
        return open_inode(volume, std::get<Inode>(found), request);
    };
    auto reply = TRY(open(*served_.volume.lock()));
    if (reply.link_bytes != 0)
        return reply;
    reply.file = TRY(publish(opened, request.flags, std::move(memory)));
    return reply;
}

static_assert(Serves<RootDirectory, Directory>);

} // namespace gemel::ext4
