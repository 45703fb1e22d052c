// One program's session (see session.hpp). Each request copies its paths, follows them, asks the
// file system they lead to, and puts the answer into the session's region.
#include "servers/vfs/session.hpp"

#include "servers/fskit/path.hpp"

namespace gemel::vfs {

using fskit::PathEnding;
using protocol::Vfs;

namespace {

std::span<std::byte const> bytes_of(std::string_view text)
{
    return std::as_bytes(std::span(text.data(), text.size()));
}

} // namespace

Session::Session(NameSpace& names, Authority authority, u32 files_max)
    : names_(names)
    , authority_(authority)
    , owns_ledger_(true)
    , ledger_(names.add_ledger(files_max))
{
}

Session::Session(NameSpace& names, Ref<OpenFiles> files, u64 ledger_bits)
    : names_(names)
    , authority_(Authority::none)
    , owns_ledger_(false)
    , ledger_ { std::move(files), ledger_bits }
{
}

Session::~Session()
{
    if (owns_ledger_)
        names_.remove_ledger(ledger_.files);
}

Result<Ref<SharedRegion>> Session::region()
{
    auto const region = region_.lock();
    if (!*region)
        return Error::invalid;
    return **region;
}

Result<std::string> Session::text_at(Span span)
{
    if (span.length > fskit::path_bytes_max)
        return Error::name_too_long;
    auto const region = TRY(this->region());
    auto const bytes = TRY(region->at(span));
    return std::string(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

Result<PathWalk> Session::walk_at(Span span, LastLink last)
{
    return PathWalk::begin(TRY(text_at(span)), last);
}

Result<void> Session::answer(Span span, std::span<std::byte const> bytes)
{
    auto const region = TRY(this->region());
    auto const into = TRY(region->at(span));
    if (into.size() < bytes.size())
        return Error::too_big;
    std::memcpy(into.data(), bytes.data(), bytes.size());
    return {};
}

template <typename T, typename Ask>
Result<T> Session::ask_at(PathWalk& walk, Ask ask)
{
    auto const mounts = names_.mounts();
    return resolve<T>(*mounts, walk, ask);
}

Result<Session::Existing> Session::existing(PathWalk& walk, LastLink last)
{
    auto const ask = [&](At const& at) -> Result<Found<Existing>> {
        auto const follows = last == LastLink::follow || walk.directory_required();
        auto const found
            = TRY(at.mount->stat(at.relative(), follows ? LastLink::follow : LastLink::keep));
        if (auto const* const link = std::get_if<fskit::LinkMet>(&found))
            return Found<Existing>(*link);
        return Found<Existing>(Existing { std::get<FileStatus>(found), at.text });
    };
    auto existing = TRY(ask_at<Existing>(walk, ask));
    if (walk.directory_required() && existing.status.kind != FileKind::directory)
        return Error::not_directory;
    return existing;
}

// Mount points stay.
Result<void> Session::check_name_may_go(std::string_view path)
{
    return path == "/" || names_.mounts()->is_busy(path) ? Result<void>(Error::busy)
                                                         : Result<void>();
}

Result<Vfs::Attach::Reply> Session::on(Vfs::Attach request)
{
    auto region = TRY(SharedRegion::map(std::move(request.region)));
    auto held = make_ref<SharedRegion>(std::move(region));
    region_.lock()->emplace(std::move(held));
    shown_.forget();
    return Vfs::Attach::Reply {};
}

Result<Vfs::Session::Reply> Session::on(Vfs::Session const& request)
{
    auto const publish = [&](Ref<Session> session) -> Result<Vfs::Session::Reply> {
        return Vfs::Session::Reply { TRY(names_.objects().publish<Vfs>(std::move(session))) };
    };
    auto const files_max = request.files_max == 0 ? vfs_open_files_default : request.files_max;
    if (files_max > vfs_open_files_max)
        return Error::too_big;
    if (authority_ == Authority::mounts)
        return publish(make_ref<Session>(names_, Authority::sessions, files_max));
    if (authority_ == Authority::sessions && request.files_max != 0)
        return publish(make_ref<Session>(names_, Authority::none, files_max));
    return publish(make_ref<Session>(names_, ledger_.files, ledger_.bits));
}

Result<Opened> Session::open_at(PathWalk& walk, Vfs::Open const& request, SharedRegion const& own)
{
    if (has(request.flags, OpenFlag::session_memory)) // it would be the vfs's own
        return Error::invalid;
    auto const ask = [&](At const& at) {
        if (!request.region)
            shown_.opening(*at.mount, own.handle());
        return at.mount->open(at.relative(), request.flags,
            { .mode = request.mode, .owner = request.owner },
            request.region ? request.region : own.handle());
    };
    if (!walk.directory_required())
        return ask_at<Opened>(walk, ask);
    bool const creates = has(request.flags, OpenFlag::create);
    if (creates && walk.ending() == PathEnding::slash)
        return Error::is_directory;
    TRY(existing(walk, LastLink::follow));
    if (creates)
        return has(request.flags, OpenFlag::exclusive) ? Error::exists : Error::is_directory;
    return ask_at<Opened>(walk, ask);
}

Result<Handle> Session::lend(Opened opened)
{
    return ledger_.files->lend(std::move(opened.file), names_.objects().port(), ledger_.bits);
}

Result<Vfs::Open::Reply> Session::on(Vfs::Open request)
{
    auto walk = TRY(walk_at(request.path, LastLink::follow));
    auto const own = TRY(region());
    TRY(ledger_.files->reserve());
    auto opened = open_at(walk, request, *own);
    if (!opened) {
        ledger_.files->cancel();
        return opened.error();
    }
    auto const kind = opened->kind;
    auto const size = opened->size;
    return Vfs::Open::Reply { kind, size, TRY(lend(std::move(*opened))) };
}

template <typename Make>
Result<void> Session::make_at(PathWalk& walk, Make make)
{
    TRY(ask_at<Done>(walk, [&](At const& at) -> Result<Found<Done>> {
        if (at.relative().empty()) // a mount point is there, whatever is below it
            return Error::exists;
        return make(at);
    }));
    return {};
}

Result<Vfs::Mkdir::Reply> Session::on(Vfs::Mkdir const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::keep));
    if (walk.ending() == PathEnding::dot)
        return refuse_new_name(walk);
    TRY(make_at(walk, [&](At const& at) {
        return at.mount->mkdir(at.relative(), { .mode = request.mode, .owner = request.owner });
    }));
    return Vfs::Mkdir::Reply {};
}

Result<Vfs::MakeNode::Reply> Session::on(Vfs::MakeNode const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::keep));
    if (walk.directory_required())
        return refuse_new_name(walk);
    TRY(make_at(walk, [&](At const& at) {
        return at.mount->make_node(
            at.relative(), { request.mode, request.owner, request.kind, request.device });
    }));
    return Vfs::MakeNode::Reply {};
}

template <typename Request, typename ListBelow>
Result<u32> Session::list_at(Request const& request, Listing listing, ListBelow list_below)
{
    auto walk = TRY(walk_at(request.path, LastLink::follow));
    auto const region = TRY(this->region());
    auto const into = TRY(region->at(request.answer));
    auto const mounts = names_.mounts();
    auto const ask = [&](At const& at) -> Result<Found<u32>> {
        if ((request.cookie & mount_cookie_bit) == 0) {
            auto found = TRY(list_below(at, into));
            auto const* const bytes = std::get_if<u32>(&found);
            if (!bytes || *bytes != 0)
                return found;
        }
        return Found<u32>(TRY(list_mount_points(*mounts, at, request.cookie, listing, into)));
    };
    return resolve<u32>(*mounts, walk, ask);
}

Result<Vfs::Readdir::Reply> Session::on(Vfs::Readdir const& request)
{
    auto const below = [&](At const& at, std::span<std::byte> into) {
        return at.mount->readdir(at.relative(), request.cookie, into);
    };
    return Vfs::Readdir::Reply { TRY(list_at(request, Listing::kinds, below)) };
}

Result<Vfs::Stat::Reply> Session::on(Vfs::Stat const& request)
{
    auto walk = TRY(walk_at(request.path, request.last));
    auto const found = TRY(existing(walk, request.last));
    TRY(answer(request.answer, std::as_bytes(std::span(&found.status, 1))));
    return Vfs::Stat::Reply {};
}

Result<Vfs::Unlink::Reply> Session::on(Vfs::Unlink const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::keep));
    if (walk.ending() == PathEnding::dot
        || (walk.directory_required() && request.kind == RemoveKind::file))
        return refuse_removal(walk, request.kind);
    TRY(ask_at<Done>(walk, [&](At const& at) -> Result<Found<Done>> {
        TRY(check_name_may_go(at.text));
        return at.mount->unlink(at.relative(), request.kind);
    }));
    return Vfs::Unlink::Reply {};
}

Result<Vfs::Rename::Reply> Session::on(Vfs::Rename const& request)
{
    auto from = TRY(walk_at(request.from, LastLink::keep));
    auto to = TRY(walk_at(request.to, LastLink::keep));
    TRY(check_rename_endings(from, to, request.mode));
    TRY(change_pair(std::move(from), std::move(to), [&](At const& one, At const& other) {
        return one.mount->rename(one.relative(), other.relative(), request.mode);
    }));
    return Vfs::Rename::Reply {};
}

template <typename Change>
Result<void> Session::change_pair(PathWalk from, PathWalk to, Change change)
{
    auto const mounts = names_.mounts();
    for (;;) { // ends: each round follows one of at most 40 symlinks
        auto const pair = TRY(locate_pair(*mounts, from, to));
        TRY(check_name_may_go(pair.from.text));
        TRY(check_name_may_go(pair.to.text));
        auto const met = TRY(change(pair.from, pair.to));
        if (!met)
            return {};
        TRY(met->in_to ? follow(to, pair.to, met->link) : follow(from, pair.from, met->link));
    }
}

Result<Vfs::Link::Reply> Session::on(Vfs::Link const& request)
{
    auto from = TRY(walk_at(request.from, LastLink::keep));
    auto to = TRY(walk_at(request.to, LastLink::keep));
    if (from.directory_required()) {
        TRY(existing(from, LastLink::follow)); // "f/" -> not_directory
        return Error::no_rights;
    }
    if (to.directory_required()) {
        TRY(status_of_name(from));
        return refuse_new_name(to);
    }
    TRY(change_pair(std::move(from), std::move(to), [](At const& one, At const& other) {
        return one.mount->link(one.relative(), other.relative());
    }));
    return Vfs::Link::Reply {};
}

Result<Vfs::SetAttributes::Reply> Session::on(Vfs::SetAttributes const& request)
{
    auto walk = TRY(walk_at(request.path, request.last));
    auto const bytes = TRY(TRY(region())->at(request.attributes));
    FileAttributes attributes;
    if (bytes.size() != sizeof(attributes))
        return Error::invalid;
    std::memcpy(&attributes, bytes.data(), sizeof(attributes));
    TRY(check_ending(walk));
    auto const last = walk.directory_required() ? LastLink::follow : request.last;
    TRY(ask_at<Done>(walk,
        [&](At const& at) { return at.mount->set_attributes(at.relative(), last, attributes); }));
    return Vfs::SetAttributes::Reply {};
}

Result<Vfs::ReaddirStatus::Reply> Session::on(Vfs::ReaddirStatus const& request)
{
    auto const below = [&](At const& at, std::span<std::byte> into) {
        return at.mount->readdir_status(at.relative(), request.cookie, into);
    };
    return Vfs::ReaddirStatus::Reply { TRY(list_at(request, Listing::status, below)) };
}

Result<Vfs::Sync::Reply> Session::on(Vfs::Sync const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::follow));
    TRY(existing(walk, LastLink::follow));
    TRY(ask_at<Done>(
        walk, [&](At const& at) { return at.mount->sync(at.relative(), request.scope); }));
    return Vfs::Sync::Reply {};
}

template <typename T, typename Request, typename Ask>
Result<T> Session::at_extended(Request const& request, Ask ask)
{
    auto walk = TRY(walk_at(request.path, request.last));
    auto const attribute = TRY(text_at(request.attribute));
    if (attribute.empty() || attribute.find('\0') != std::string::npos)
        return Error::invalid;
    if (attribute.size() > fskit::name_bytes_max)
        return Error::name_too_long;
    TRY(check_ending(walk));
    auto const last = walk.directory_required() ? LastLink::follow : request.last;
    return ask_at<T>(walk, [&](At const& at) {
        return ask(*at.mount, ExtendedName { at.relative(), last, attribute });
    });
}

Result<Vfs::GetExtended::Reply> Session::on(Vfs::GetExtended const& request)
{
    auto const value = TRY(at_extended<std::string>(
        request, [](Mount& mount, ExtendedName const& name) { return mount.get_extended(name); }));
    TRY(answer(request.answer, bytes_of(value)));
    return Vfs::GetExtended::Reply { static_cast<u32>(value.size()) };
}

Result<Vfs::SetExtended::Reply> Session::on(Vfs::SetExtended const& request)
{
    auto const region = TRY(this->region());
    auto const bytes = TRY(region->at(request.value));
    std::string const value(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    TRY(at_extended<Done>(request, [&](Mount& mount, ExtendedName const& name) {
        return mount.set_extended(name, value, request.mode);
    }));
    return Vfs::SetExtended::Reply {};
}

Result<Vfs::RemoveExtended::Reply> Session::on(Vfs::RemoveExtended const& request)
{
    TRY(at_extended<Done>(request,
        [](Mount& mount, ExtendedName const& name) { return mount.remove_extended(name); }));
    return Vfs::RemoveExtended::Reply {};
}

Result<Vfs::ListExtended::Reply> Session::on(Vfs::ListExtended const& request)
{
    auto walk = TRY(walk_at(request.path, request.last));
    TRY(check_ending(walk));
    auto const last = walk.directory_required() ? LastLink::follow : request.last;
    auto const names = TRY(ask_at<std::string>(
        walk, [&](At const& at) { return at.mount->list_extended(at.relative(), last); }));
    TRY(answer(request.answer, bytes_of(names)));
    return Vfs::ListExtended::Reply { static_cast<u32>(names.size()) };
}

Result<Vfs::Readlink::Reply> Session::on(Vfs::Readlink const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::keep));
    if (walk.directory_required()) {
        TRY(existing(walk, LastLink::follow));
        return Error::invalid;
    }
    auto const text = TRY(
        ask_at<std::string>(walk, [](At const& at) { return at.mount->readlink(at.relative()); }));
    TRY(answer(request.answer, bytes_of(text)));
    return Vfs::Readlink::Reply { static_cast<u32>(text.size()) };
}

Result<Vfs::Symlink::Reply> Session::on(Vfs::Symlink const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::keep));
    auto const text = TRY(text_at(request.text));
    if (text.empty() || text.find('\0') != std::string::npos)
        return Error::invalid;
    if (walk.directory_required())
        return refuse_new_name(walk);
    TRY(make_at(
        walk, [&](At const& at) { return at.mount->symlink(at.relative(), text, request.owner); }));
    return Vfs::Symlink::Reply {};
}

Result<Ref<Mount>> Session::volume_at(Span path)
{
    auto walk = TRY(walk_at(path, LastLink::follow));
    auto const found = TRY(existing(walk, LastLink::follow));
    auto const mount = names_.mounts()->find(found.path);
    if (!mount)
        return Error::unavailable;
    return *mount;
}

Result<Vfs::Statfs::Reply> Session::on(Vfs::Statfs const& request)
{
    auto const status = TRY(TRY(volume_at(request.path))->statfs());
    TRY(answer(request.answer, std::as_bytes(std::span(&status, 1))));
    return Vfs::Statfs::Reply {};
}

Result<Vfs::Fsck::Reply> Session::on(Vfs::Fsck const& request)
{
    auto const done = TRY(TRY(volume_at(request.path))->fsck());
    auto const lines = std::string_view(done.lines).substr(0, request.answer.length);
    TRY(answer(request.answer, bytes_of(lines)));
    return Vfs::Fsck::Reply { done.problems, static_cast<u32>(lines.size()) };
}

Result<Vfs::Trim::Reply> Session::on(Vfs::Trim const& request)
{
    return Vfs::Trim::Reply { TRY(TRY(volume_at(request.path))->trim()) };
}

Result<Vfs::Resolve::Reply> Session::on(Vfs::Resolve const& request)
{
    auto walk = TRY(walk_at(request.path, LastLink::follow));
    auto const found = TRY(existing(walk, LastLink::follow));
    TRY(answer(request.answer, bytes_of(found.path)));
    return Vfs::Resolve::Reply { static_cast<u32>(found.path.size()), found.status.kind };
}

Result<Vfs::Mounts::Reply> Session::on(Vfs::Mounts const& request)
{
    auto const text = NameSpace::text_of(*names_.mounts());
    TRY(answer(request.answer, bytes_of(text)));
    return Vfs::Mounts::Reply { static_cast<u32>(text.size()) };
}

// Where the path really leads. Its last name need not be there: the mount point shows in listings
// all the same. Nor is anybody asked for the first mount, or for one that takes another's place.
Result<std::string> Session::path_to_mount(PathWalk walk)
{
    auto const question = walk.next();
    auto text = walk.text(question.count);
    auto const mount = names_.mounts()->find(text);
    if (question.whole && (!mount || (*mount)->path == text))
        return text;
    auto const found = existing(walk, LastLink::follow);
    if (found && found->status.kind != FileKind::directory)
        return Error::not_directory;
    if (found)
        return found->path;
    auto const reached = walk.next();
    if (found.error() != Error::not_found || !reached.whole)
        return found.error();
    return walk.text(reached.count);
}

Result<Vfs::Mount::Reply> Session::on(Vfs::Mount request)
{
    if (authority_ != Authority::mounts)
        return Error::no_rights;
    auto const path = TRY(path_to_mount(TRY(walk_at(request.path, LastLink::follow))));
    if (!request.directory)
        return Error::invalid;
    TRY(names_.mount({ .path = path,
                         .type = std::string(request.type.view()),
                         .read_only = (request.flags & 1) != 0 },
        Client<protocol::Directory>(std::move(request.directory))));
    return Vfs::Mount::Reply {};
}

Result<Vfs::Unmount::Reply> Session::on(Vfs::Unmount const& request)
{
    if (authority_ != Authority::mounts)
        return Error::no_rights;
    auto walk = TRY(walk_at(request.path, LastLink::follow));
    TRY(names_.unmount(walk.text(walk.next().count)));
    return Vfs::Unmount::Reply {};
}

} // namespace gemel::vfs
