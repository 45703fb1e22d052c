// Whoever asks for a change is told about links on the way first: they may lead out of this volume,
// to where the change is possible.
#include "servers/ext4/root_directory.hpp"

#include "servers/ext4/open_file.hpp"

#include <cstring>

namespace gemel::ext4 {

namespace {

constexpr OpenFlags changing
    = OpenFlag::write | OpenFlag::create | OpenFlag::truncate | OpenFlag::append;

template <typename T>
Result<void> put(std::span<std::byte> answer, T const& value)
{
    if (answer.size() < sizeof value)
        return Error::invalid;
    std::memcpy(answer.data(), &value, sizeof value);
    return {};
}

// Of an entry in a directory that does not keep types, the inode knows.
FileKind kind_of_entry(Volume& volume, ListedEntry const& entry)
{
    if (entry.type != FileType::unknown)
        return kind_of(entry.type);
    auto const inode = volume.inode(entry.inode);
    return inode ? kind_of(inode->type()) : FileKind::regular;
}

// Fills `entries` from `cookie` on. A damaged block ends the answer when it holds something, and is
// passed over else; Error::corrupt when nothing came after it.
Result<void> list_into(Volume& volume, Inode const& directory, u64 cookie, EntryWriter& entries)
{
    auto cursor = TRY(volume.list(directory, cookie));
    auto end = Result<void> {};
    while (true) {
        auto const next = cursor.next();
        if (!next && next.error() != Error::corrupt)
            return next.error();
        if (!next) {
            if (entries.bytes() > 0)
                return {};
            end = next.error();
            continue;
        }
        auto const& entry = next.value();
        if (!entry)
            return entries.bytes() > 0 ? Result<void> {} : end;
        if (entry->name == "." || entry->name == "..")
            continue;
        auto const kind = kind_of_entry(volume, *entry);
        if (entries.add(entry->name, entry->inode, kind, cursor.cookie())
            == EntryWriter::Added::yes)
            continue;
        return entries.bytes() > 0 ? Result<void> {} : Error::too_big;
    }
}

// The path without its last component.
std::string_view parent_of(std::string_view path)
{
    auto const slash = path.rfind('/');
    return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}

} // namespace

Result<std::string> RootDirectory::path_at(Span span) const
{
    auto const bytes = TRY(region_.at(span));
    if (bytes.size() > Volume::path_bytes_max)
        return Error::name_too_long;
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

template <typename Reply>
Result<Reply> RootDirectory::link_reply(LinkMet const& met, Span answer) const
{
    auto const target = TRY(region_.at(answer));
    if (target.size() < met.text.size())
        return Error::too_big;
    std::memcpy(target.data(), met.text.data(), met.text.size());
    Reply reply {};
    reply.link_bytes = static_cast<u32>(met.text.size());
    reply.link_component = met.component;
    return reply;
}

Result<Directory::Attach::Reply> RootDirectory::on(Directory::Attach request)
{
    auto region = TRY(SessionMemory::map(std::move(request.region)));
    auto directory = make_ref<RootDirectory>(served_, std::move(region));
    return Directory::Attach::Reply { TRY(
        served_.objects.publish<Directory>(std::move(directory))) };
}

Result<Directory::Extend::Reply> RootDirectory::on(Directory::Extend request)
{
    return Directory::Extend::Reply { TRY(region_.extend(std::move(request.region))) };
}

Result<Directory::Open::Reply> RootDirectory::on(Directory::Open request)
{
    auto const path = TRY(path_at(request.path));
    bool const keep = has(request.flags, OpenFlag::no_follow);
    auto resolved = resolve(*served_.volume.lock(), path, keep ? LastLink::keep : LastLink::follow);
    if (!resolved && resolved.error() == Error::not_found && has(request.flags, OpenFlag::create))
        return refuse_new<Directory::Open::Reply>(request.path, request.answer);
    auto place = TRY(std::move(resolved));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Directory::Open::Reply>(*met, request.answer);
    return open_inode(std::get<Inode>(std::move(place)), request.flags, std::move(request.region));
}

Result<Directory::Open::Reply> RootDirectory::open_inode(
    Inode inode, OpenFlags flags, Handle region)
{
    if (has(flags, OpenFlag::create) && has(flags, OpenFlag::exclusive))
        return Error::exists;
    if (inode.type() == FileType::symbolic_link)
        return Error::symlink_loop;
    if ((flags & changing) != 0 && inode.is_directory())
        return Error::is_directory;
    if ((flags & changing & ~static_cast<OpenFlags>(OpenFlag::create)) != 0)
        return Error::read_only;
    if (inode.type() != FileType::regular && !inode.is_directory())
        return Error::unsupported;
    Directory::Open::Reply reply {};
    reply.kind = kind_of(inode.type());
    reply.size = inode.size_bytes;
    SessionMemory memory;
    if (has(flags, OpenFlag::session_memory))
        memory = region_;
    if (region)
        memory = TRY(SessionMemory::map(std::move(region)));
    auto opening = make_ref<Opening>(std::move(inode), flags);
    auto file = make_ref<OpenFile>(served_, std::move(opening), std::move(memory));
    reply.file = TRY(served_.objects.publish<File>(std::move(file)));
    return reply;
}

Result<Directory::Stat::Reply> RootDirectory::on(Directory::Stat const& request)
{
    auto const path = TRY(path_at(request.path));
    auto const place = TRY(resolve(*served_.volume.lock(), path, request.last));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Directory::Stat::Reply>(*met, request.answer);
    TRY(put(TRY(region_.at(request.answer)), status_of(std::get<Inode>(place))));
    return Directory::Stat::Reply {};
}

Result<Directory::Readdir::Reply> RootDirectory::on(Directory::Readdir const& request)
{
    auto const path = TRY(path_at(request.path));
    auto const volume = served_.volume.lock();
    auto const place = TRY(resolve(*volume, path, LastLink::follow));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Directory::Readdir::Reply>(*met, request.answer);
    EntryWriter entries(TRY(region_.at(request.answer)));
    TRY(list_into(*volume, std::get<Inode>(place), request.cookie, entries));
    return Directory::Readdir::Reply { 0, 0, entries.bytes() };
}

Result<Directory::Readlink::Reply> RootDirectory::on(Directory::Readlink const& request)
{
    auto const path = TRY(path_at(request.path));
    auto const volume = served_.volume.lock();
    auto const place = TRY(resolve(*volume, path, LastLink::keep));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Directory::Readlink::Reply>(*met, request.answer);
    auto const text = TRY(volume->read_link(std::get<Inode>(place)));
    auto const answer = TRY(region_.at(request.answer));
    if (answer.size() < text.size())
        return Error::too_big;
    std::memcpy(answer.data(), text.data(), text.size());
    return Directory::Readlink::Reply { 0, 0, static_cast<u32>(text.size()) };
}

Result<Directory::Statfs::Reply> RootDirectory::on(Directory::Statfs const& request)
{
    auto const status = status_of(served_.volume.lock()->statistics());
    TRY(put(TRY(region_.at(request.answer)), status));
    return Directory::Statfs::Reply {};
}

// The link in the way to the directory that would hold `path`, if there is one.
Result<std::variant<std::monostate, LinkMet>> RootDirectory::check_parent(std::string_view path)
{
    auto place = TRY(resolve(*served_.volume.lock(), parent_of(path), LastLink::follow));
    if (auto* const met = std::get_if<LinkMet>(&place))
        return std::variant<std::monostate, LinkMet>(std::move(*met));
    if (!std::get<Inode>(place).is_directory())
        return Error::not_directory;
    return std::variant<std::monostate, LinkMet>();
}

template <typename Reply>
Result<Reply> RootDirectory::refuse_new(Span span, Span answer)
{
    auto const path = TRY(path_at(span));
    auto const parent = TRY(check_parent(path));
    if (auto const* const met = std::get_if<LinkMet>(&parent))
        return link_reply<Reply>(*met, answer);
    auto const there = resolve(*served_.volume.lock(), path, LastLink::keep);
    if (!there && there.error() != Error::not_found)
        return there.error();
    return there ? Error::exists : Error::read_only;
}

template <typename Reply>
Result<Reply> RootDirectory::refuse_removal(Span span, Span answer)
{
    auto const path = TRY(path_at(span));
    auto const place = TRY(resolve(*served_.volume.lock(), path, LastLink::keep));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Reply>(*met, answer);
    return Error::read_only;
}

Result<Directory::Mkdir::Reply> RootDirectory::on(Directory::Mkdir const& request)
{
    return refuse_new<Directory::Mkdir::Reply>(request.path, request.answer);
}

Result<Directory::Symlink::Reply> RootDirectory::on(Directory::Symlink const& request)
{
    return refuse_new<Directory::Symlink::Reply>(request.path, request.answer);
}

Result<Directory::Unlink::Reply> RootDirectory::on(Directory::Unlink const& request)
{
    return refuse_removal<Directory::Unlink::Reply>(request.path, request.answer);
}

Result<Directory::Rename::Reply> RootDirectory::on(Directory::Rename const& request)
{
    auto const from = refuse_removal<Directory::Rename::Reply>(request.from, request.answer);
    if (from || from.error() != Error::read_only)
        return from;
    auto const to = TRY(check_parent(TRY(path_at(request.to))));
    if (auto const* const met = std::get_if<LinkMet>(&to)) {
        auto reply = TRY(link_reply<Directory::Rename::Reply>(*met, request.answer));
        reply.link_in = 1;
        return reply;
    }
    return Error::read_only;
}

Result<Directory::ShowMounts::Reply> RootDirectory::on(Directory::ShowMounts)
{
    return Error::unsupported;
}

static_assert(Serves<RootDirectory, Directory>);

} // namespace gemel::ext4
