// The Directory and File protocols for any NodeTree (see directory_server.hpp).
#include "servers/fskit/directory_server.hpp"

#include "servers/fskit/path.hpp"

namespace gemel::fskit {

namespace {

// A struct or text as the answer; too_big when the span is too small for it.
Result<void> put_answer(SessionMemory const& region, Span span, std::span<std::byte const> bytes)
{
    auto const answer = TRY(region.at(span));
    if (answer.size() < bytes.size())
        return Error::too_big;
    std::memcpy(answer.data(), bytes.data(), bytes.size());
    return {};
}

std::span<std::byte const> bytes_of(std::string_view text)
{
    return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename T>
std::span<std::byte const> bytes_of_struct(T const& value)
{
    return std::as_bytes(std::span<T const, 1>(&value, 1));
}

Result<NodeId> existing(Place const& place)
{
    if (!place.node)
        return Error::not_found;
    return *place.node;
}

// The root has no name that could be taken, removed or moved.
Result<NameIn> name_of_place(Place const& place)
{
    if (place.name.empty())
        return Error::busy;
    return NameIn { place.parent, place.name };
}

Result<FileAttributes> read_attributes(SessionMemory const& region, Span span)
{
    auto const bytes = TRY(region.at(span));
    FileAttributes attributes;
    if (bytes.size() != sizeof(attributes))
        return Error::invalid;
    std::memcpy(&attributes, bytes.data(), sizeof(attributes));
    return attributes;
}

// What an open file moves bytes through.
Result<SessionMemory> memory_for(Handle region, OpenFlags flags, SessionMemory const& session)
{
    if (region)
        return SessionMemory::map(std::move(region));
    return has(flags, OpenFlag::session_memory) ? session : SessionMemory();
}

} // namespace

Result<NodeId> Opening::node() const
{
    if (node_ == 0)
        return Error::dead;
    return node_;
}

Result<NodeId> Opening::node_for(OpenFlag use) const
{
    auto const node = TRY(this->node());
    if (!has(flags_, use))
        return Error::no_rights;
    return node;
}

void Opening::close()
{
    if (node_ != 0)
        tree_.close(std::exchange(node_, 0));
}

Result<protocol::File::Read::Reply> FileObject::on(File::Read const& request)
{
    auto const node = TRY(opening_->node_for(OpenFlag::read));
    auto const target = TRY(region_.at(request.span));
    auto const bytes = TRY(server_.tree.read(node, request.offset, target));
    return File::Read::Reply { static_cast<u32>(bytes) };
}

Result<protocol::File::Write::Reply> FileObject::on(File::Write const& request)
{
    auto const node = TRY(opening_->node_for(OpenFlag::write));
    auto const source = TRY(region_.at(request.span));
    auto const offset = opening_->appends() ? TRY(server_.tree.status(node)).size : request.offset;
    auto const bytes = TRY(server_.tree.write(node, offset, source));
    return File::Write::Reply { static_cast<u32>(bytes) };
}

Result<protocol::File::Close::Reply> FileObject::on(File::Close const&)
{
    TRY(opening_->node());
    opening_->close();
    return File::Close::Reply {};
}

// Memory is as durable as these files get.
Result<protocol::File::Sync::Reply> FileObject::on(File::Sync const&)
{
    TRY(opening_->node());
    return File::Sync::Reply {};
}

Result<protocol::File::Stat::Reply> FileObject::on(File::Stat const& request)
{
    auto const status = TRY(server_.tree.status(TRY(opening_->node())));
    TRY(put_answer(region_, request.answer, bytes_of_struct(status)));
    return File::Stat::Reply {};
}

Result<protocol::File::Resize::Reply> FileObject::on(File::Resize const& request)
{
    TRY(server_.tree.resize(TRY(opening_->node_for(OpenFlag::write)), request.size));
    return File::Resize::Reply {};
}

Result<protocol::File::SetAttributes::Reply> FileObject::on(File::SetAttributes const& request)
{
    auto const attributes = TRY(read_attributes(region_, request.attributes));
    auto const sized = attributes.has(AttributeChange::size);
    auto const node = TRY(sized ? opening_->node_for(OpenFlag::write) : opening_->node());
    TRY(server_.tree.set_attributes(node, attributes));
    return File::SetAttributes::Reply {};
}

Result<protocol::File::Seek::Reply> FileObject::on(File::Seek const& request)
{
    auto const node = TRY(opening_->node());
    return File::Seek::Reply { TRY(server_.tree.seek(node, request.offset, request.kind)) };
}

Result<protocol::File::Attach::Reply> FileObject::on(File::Attach request)
{
    TRY(opening_->node());
    auto region = TRY(SessionMemory::map(std::move(request.region)));
    auto file = make_ref<FileObject>(server_, opening_, std::move(region));
    return File::Attach::Reply { TRY(server_.objects.publish<File>(std::move(file))) };
}

Result<std::string> DirectoryObject::text_at(Span span) const
{
    auto const bytes = TRY(region_.at(span));
    if (bytes.size() > path_bytes_max)
        return Error::name_too_long;
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

u32 DirectoryObject::put_status(NodeId node, Span answer)
{
    auto const status = server_.tree.status(node);
    if (!status || !put_answer(region_, answer, bytes_of_struct(*status)))
        return 0;
    return sizeof(FileStatus);
}

template <typename Reply>
Result<Reply> DirectoryObject::link_reply(LinkMet const& link, Span answer)
{
    TRY(put_answer(region_, answer, bytes_of(link.text)));
    Reply reply {};
    reply.link_bytes = static_cast<u32>(link.text.size());
    reply.link_component = link.component;
    return reply;
}

template <typename Reply, typename Action>
Result<Reply> DirectoryObject::at_place(Span path, LastLink last, Span answer, Action action)
{
    auto const text = TRY(text_at(path));
    auto const met = TRY(walk(server_.tree, text, last));
    if (auto const* const link = std::get_if<LinkMet>(&met))
        return link_reply<Reply>(*link, answer);
    return action(std::get<Place>(met));
}

Result<protocol::Directory::Attach::Reply> DirectoryObject::on(Directory::Attach request)
{
    auto region = TRY(SessionMemory::map(std::move(request.region)));
    auto directory = make_ref<DirectoryObject>(server_, std::move(region));
    return Directory::Attach::Reply { TRY(
        server_.objects.publish<Directory>(std::move(directory))) };
}

Result<protocol::Directory::Extend::Reply> DirectoryObject::on(Directory::Extend request)
{
    return Directory::Extend::Reply { TRY(region_.extend(std::move(request.region))) };
}

Result<NodeId> DirectoryObject::node_to_open(Place const& place, Directory::Open const& request)
{
    auto const flags = request.flags;
    if (!place.node) {
        if (!has(flags, OpenFlag::create))
            return Error::not_found;
        return server_.tree.make({ place.parent, place.name },
            { .kind = FileKind::regular, .mode = request.mode, .owner = request.owner });
    }
    if (has(flags, OpenFlag::create) && has(flags, OpenFlag::exclusive))
        return Error::exists;
    auto const kind = TRY(server_.tree.status(*place.node)).kind;
    if (kind == FileKind::symlink)
        return Error::symlink_loop;
    auto const changes = OpenFlag::write | OpenFlag::create | OpenFlag::truncate;
    if (kind == FileKind::directory && (flags & changes))
        return Error::is_directory;
    return *place.node;
}

Result<Handle> DirectoryObject::open_node(NodeId node, OpenFlags flags, Handle region)
{
    if (server_.open_elsewhere)
        if (auto file = TRY(server_.open_elsewhere(node, region)))
            return std::move(*file);
    auto mapped = TRY(memory_for(std::move(region), flags, region_));
    auto const opened = TRY(server_.tree.open(node));
    auto opening = make_ref<Opening>(server_.tree, opened, flags);
    return server_.objects.publish<protocol::File>(
        make_ref<FileObject>(server_, std::move(opening), std::move(mapped)));
}

Result<protocol::Directory::Open::Reply> DirectoryObject::on(Directory::Open request)
{
    auto const keeps = has(request.flags, OpenFlag::no_follow)
        || (has(request.flags, OpenFlag::create) && has(request.flags, OpenFlag::exclusive));
    auto const open = [&](Place const& place) -> Result<Directory::Open::Reply> {
        auto const node = TRY(node_to_open(place, request));
        auto file = open_node(node, request.flags, std::move(request.region));
        if (!file) {
            if (!place.node) // it was made for this opening
                static_cast<void>(
                    server_.tree.remove({ place.parent, place.name }, RemoveKind::file));
            return file.error();
        }
        if (place.node && has(request.flags, OpenFlag::write)
            && has(request.flags, OpenFlag::truncate))
            TRY(server_.tree.resize(node, 0));
        auto const status = TRY(server_.tree.status(node));
        bool const tells = has(request.flags, OpenFlag::create);
        return Directory::Open::Reply { .kind = status.kind,
            .size = status.size,
            .status_bytes = tells ? put_status(node, request.answer) : 0,
            .file = std::move(*file) };
    };
    return at_place<Directory::Open::Reply>(
        request.path, keeps ? LastLink::keep : LastLink::follow, request.answer, open);
}

Result<protocol::Directory::Stat::Reply> DirectoryObject::on(Directory::Stat const& request)
{
    auto const stat = [&](Place const& place) -> Result<Directory::Stat::Reply> {
        auto const status = TRY(server_.tree.status(TRY(existing(place))));
        TRY(put_answer(region_, request.answer, bytes_of_struct(status)));
        return Directory::Stat::Reply {};
    };
    return at_place<Directory::Stat::Reply>(request.path, request.last, request.answer, stat);
}

Result<protocol::Directory::Readdir::Reply> DirectoryObject::on(Directory::Readdir const& request)
{
    auto const list = [&](Place const& place) -> Result<Directory::Readdir::Reply> {
        EntryWriter entries { TRY(region_.at(request.answer)) };
        TRY(server_.tree.list(TRY(existing(place)), request.cookie, entries));
        return Directory::Readdir::Reply { .bytes = entries.bytes() };
    };
    return at_place<Directory::Readdir::Reply>(
        request.path, LastLink::follow, request.answer, list);
}

Result<protocol::Directory::Readlink::Reply> DirectoryObject::on(Directory::Readlink const& request)
{
    auto const read = [&](Place const& place) -> Result<Directory::Readlink::Reply> {
        auto const text = TRY(server_.tree.link_text(TRY(existing(place))));
        TRY(put_answer(region_, request.answer, bytes_of(text)));
        return Directory::Readlink::Reply { .bytes = static_cast<u32>(text.size()) };
    };
    return at_place<Directory::Readlink::Reply>(request.path, LastLink::keep, request.answer, read);
}

template <typename Request>
Result<typename Request::Reply> DirectoryObject::make_node(
    Request const& request, NewNode const& node)
{
    using Reply = typename Request::Reply;
    auto const make = [&](Place const& place) -> Result<Reply> {
        if (place.node)
            return Error::exists;
        auto const made = TRY(server_.tree.make({ place.parent, place.name }, node));
        return Reply { .status_bytes = put_status(made, request.answer) };
    };
    return at_place<Reply>(request.path, LastLink::keep, request.answer, make);
}

Result<protocol::Directory::Mkdir::Reply> DirectoryObject::on(Directory::Mkdir const& request)
{
    return make_node(
        request, { .kind = FileKind::directory, .mode = request.mode, .owner = request.owner });
}

Result<protocol::Directory::Unlink::Reply> DirectoryObject::on(Directory::Unlink const& request)
{
    auto const remove = [&](Place const& place) -> Result<Directory::Unlink::Reply> {
        TRY(server_.tree.remove(TRY(name_of_place(place)), request.kind));
        return Directory::Unlink::Reply {};
    };
    return at_place<Directory::Unlink::Reply>(request.path, LastLink::keep, request.answer, remove);
}

Result<protocol::Directory::Rename::Reply> DirectoryObject::on(Directory::Rename const& request)
{
    using Reply = Directory::Rename::Reply;
    return at_two_places(request, [&](Place const& from, Place const& to) -> Result<Reply> {
        TRY(server_.tree.rename(TRY(name_of_place(from)), TRY(name_of_place(to)), request.mode));
        return Reply {};
    });
}

Result<protocol::Directory::Link::Reply> DirectoryObject::on(Directory::Link const& request)
{
    using Reply = Directory::Link::Reply;
    return at_two_places(request, [&](Place const& from, Place const& to) -> Result<Reply> {
        auto const node = TRY(existing(from));
        if (to.node)
            return Error::exists;
        TRY(server_.tree.link(node, TRY(name_of_place(to))));
        return Reply { .status_bytes = put_status(node, request.answer) };
    });
}

template <typename Request, typename Action>
Result<typename Request::Reply> DirectoryObject::at_two_places(
    Request const& request, Action action)
{
    using Reply = typename Request::Reply;
    auto const to_text = TRY(text_at(request.to));
    auto const act = [&](Place const& from) -> Result<Reply> {
        auto const met = TRY(walk(server_.tree, to_text, LastLink::keep));
        if (auto const* const link = std::get_if<LinkMet>(&met)) {
            auto reply = TRY(link_reply<Reply>(*link, request.answer));
            reply.link_in = 1;
            return reply;
        }
        return action(from, std::get<Place>(met));
    };
    return at_place<Reply>(request.from, LastLink::keep, request.answer, act);
}

Result<protocol::Directory::MakeNode::Reply> DirectoryObject::on(Directory::MakeNode const& request)
{
    if (request.kind == FileKind::directory || request.kind == FileKind::symlink)
        return Error::invalid;
    return make_node(request,
        { .kind = request.kind,
            .mode = request.mode,
            .owner = request.owner,
            .device = request.device });
}

Result<protocol::Directory::SetAttributes::Reply> DirectoryObject::on(
    Directory::SetAttributes const& request)
{
    auto const attributes = TRY(read_attributes(region_, request.attributes));
    auto const set = [&](Place const& place) -> Result<Directory::SetAttributes::Reply> {
        auto const node = TRY(existing(place));
        TRY(server_.tree.set_attributes(node, attributes));
        return Directory::SetAttributes::Reply { .status_bytes = put_status(node, request.answer) };
    };
    return at_place<Directory::SetAttributes::Reply>(
        request.path, request.last, request.answer, set);
}

// The tree's own listing, entry by entry with what is known of each.
Result<protocol::Directory::ReaddirStatus::Reply> DirectoryObject::on(
    Directory::ReaddirStatus const& request)
{
    auto const list = [&](Place const& place) -> Result<Directory::ReaddirStatus::Reply> {
        auto const into = TRY(region_.at(request.answer));
        // No more names than have room when each brings its status.
        std::vector<std::byte> listed(into.size() / sizeof(DirectoryEntryStatus)
            * (sizeof(DirectoryEntry) + name_bytes_max + 1));
        EntryWriter plain { listed };
        TRY(server_.tree.list(TRY(existing(place)), request.cookie, plain));
        EntryReader reader { std::span(listed).first(plain.bytes()) };
        EntryWriter entries { into };
        DirectoryEntry entry;
        std::string_view name;
        while (reader.next(entry, name)) {
            // One that is gone since it was listed costs nobody else's entry.
            auto const status
                = server_.tree.status(entry.inode)
                      .value_or(FileStatus { .inode = entry.inode, .kind = entry.kind });
            if (entries.add(name, status, entry.cookie) == EntryWriter::Added::full)
                break;
        }
        if (entries.bytes() == 0 && plain.bytes() != 0)
            return Error::too_big;
        return Directory::ReaddirStatus::Reply { .bytes = entries.bytes() };
    };
    return at_place<Directory::ReaddirStatus::Reply>(
        request.path, LastLink::follow, request.answer, list);
}

// Memory is as durable as these trees get.
Result<protocol::Directory::Sync::Reply> DirectoryObject::on(Directory::Sync const& request)
{
    if (request.scope == SyncScope::volume)
        return Directory::Sync::Reply {};
    auto const sync = [](Place const& place) -> Result<Directory::Sync::Reply> {
        TRY(existing(place));
        return Directory::Sync::Reply {};
    };
    return at_place<Directory::Sync::Reply>(request.path, LastLink::follow, request.answer, sync);
}

Result<protocol::Directory::Symlink::Reply> DirectoryObject::on(Directory::Symlink const& request)
{
    auto const text = TRY(text_at(request.text));
    if (text.empty())
        return Error::invalid;
    return make_node(request,
        { .kind = FileKind::symlink, .mode = 0777, .link_text = text, .owner = request.owner });
}

Result<protocol::Directory::Statfs::Reply> DirectoryObject::on(Directory::Statfs const& request)
{
    auto const status = server_.tree.volume();
    TRY(put_answer(region_, request.answer, bytes_of_struct(status)));
    return Directory::Statfs::Reply {};
}

Result<protocol::Directory::ShowMounts::Reply> DirectoryObject::on(Directory::ShowMounts request)
{
    auto mounts = TRY(SharedRegion::map(std::move(request.region), RegionAccess::read));
    TRY(server_.tree.show_mounts(mounts.span()));
    server_.mounts = std::move(mounts); // the old one, if any, ends after the tree left it
    return Directory::ShowMounts::Reply {};
}

Result<void> serve_tree(Handle const& port, NodeTree& tree, OpenElsewhere open_elsewhere)
{
    TreeServer server { port, tree };
    server.open_elsewhere = std::move(open_elsewhere);
    server.objects.set_root<protocol::Directory>(
        make_ref<DirectoryObject>(server, SessionMemory()));
    return server.objects.run();
}

} // namespace gemel::fskit
