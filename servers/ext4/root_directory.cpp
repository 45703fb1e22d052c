// Reading, and opening what is there; changes of names are in root_directory_changes.cpp.
#include "servers/ext4/root_directory.hpp"

#include "servers/ext4/check/check.hpp"

#include <cstring>

namespace gemel::ext4 {

namespace {

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

// What a listing holds of an entry: its kind, or all of its status.
enum class Listing : u8 { kinds, status };

EntryWriter::Added add(
    Volume& volume, ListedEntry const& entry, u64 cookie, Listing listing, EntryWriter& entries)
{
    if (listing == Listing::kinds)
        return entries.add(entry.name, entry.inode, kind_of_entry(volume, entry), cookie);
    auto const inode = volume.inode(entry.inode);
    // One that is damaged is listed all the same.
    auto const status = inode
        ? status_of(volume, *inode)
        : FileStatus { .inode = entry.inode, .kind = kind_of_entry(volume, entry) };
    return entries.add(entry.name, status, cookie);
}

// Fills `entries` from `cookie` on. A damaged block ends the answer when it holds something, and is
// passed over else; Error::corrupt when nothing came after it.
Result<void> list_into(
    Volume& volume, Inode const& directory, u64 cookie, Listing listing, EntryWriter& entries)
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
        if (add(volume, *entry, cursor.cookie(), listing, entries) == EntryWriter::Added::yes)
            continue;
        return entries.bytes() > 0 ? Result<void> {} : Error::too_big;
    }
}

} // namespace

Result<std::string> RootDirectory::path_at(Span span) const
{
    auto const bytes = TRY(region_.at(span));
    if (bytes.size() > Volume::path_bytes_max)
        return Error::name_too_long;
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
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

Result<Directory::Stat::Reply> RootDirectory::on(Directory::Stat const& request)
{
    auto const path = TRY(path_at(request.path));
    auto const volume = served_.volume.lock();
    auto const place = TRY(resolve(*volume, path, request.last));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<Directory::Stat::Reply>(*met, request.answer);
    TRY(put(TRY(region_.at(request.answer)), status_of(*volume, std::get<Inode>(place))));
    return Directory::Stat::Reply {};
}

template <typename Request>
Result<typename Request::Reply> RootDirectory::list(Request const& request)
{
    auto const listing
        = std::is_same_v<Request, Directory::Readdir> ? Listing::kinds : Listing::status;
    auto const path = TRY(path_at(request.path));
    auto const volume = served_.volume.lock();
    auto const place = TRY(resolve(*volume, path, LastLink::follow));
    if (auto const* const met = std::get_if<LinkMet>(&place))
        return link_reply<typename Request::Reply>(*met, request.answer);
    EntryWriter entries(TRY(region_.at(request.answer)));
    TRY(list_into(*volume, std::get<Inode>(place), request.cookie, listing, entries));
    return typename Request::Reply { 0, 0, entries.bytes() };
}

Result<Directory::Readdir::Reply> RootDirectory::on(Directory::Readdir const& request)
{
    return list(request);
}

Result<Directory::ReaddirStatus::Reply> RootDirectory::on(Directory::ReaddirStatus const& request)
{
    return list(request);
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
    auto const status = status_of(*served_.volume.lock());
    TRY(put(TRY(region_.at(request.answer)), status));
    return Directory::Statfs::Reply {};
}

// What was done is put into its places first, so that the device alone says what there is.
Result<Directory::Fsck::Reply> RootDirectory::on(Directory::Fsck const& request)
{
    auto const answer = TRY(region_.at(request.answer));
    auto const volume = served_.volume.lock();
    if (volume->writer())
        TRY(volume->writer()->settle());
    MountReport report;
    auto const found = TRY(examine_volume(served_.device, report, Totals::when_clean));
    std::string lines;
    for (auto const& each : found.findings) {
        if (lines.size() + each.sentence.size() < answer.size())
            lines += each.sentence + "\n";
    }
    std::memcpy(answer.data(), lines.data(), lines.size());
    return Directory::Fsck::Reply { static_cast<u32>(found.summary.problems),
        static_cast<u32>(lines.size()) };
}

Result<Directory::Trim::Reply> RootDirectory::on(Directory::Trim const& request)
{
    auto const volume = served_.volume.lock();
    if (!volume->writer())
        return Error::read_only;
    return Directory::Trim::Reply { TRY(
        volume->writer()->trim({ request.offset, request.bytes, request.bytes_min })) };
}

Result<Directory::ShowMounts::Reply> RootDirectory::on(Directory::ShowMounts)
{
    return Error::unsupported;
}

} // namespace gemel::ext4
