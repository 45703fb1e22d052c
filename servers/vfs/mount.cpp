// A mounted file system from the vfs's side (see mount.hpp).
#include "servers/vfs/mount.hpp"

#include "core/base/site.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

namespace gemel::vfs {

using protocol::Directory;

namespace {

// A slot: two names, then the answer.
constexpr u32 name_bytes = 4096;
constexpr u32 answer_offset = 2 * name_bytes;
constexpr u32 answer_bytes = 8 * 1024;
constexpr u32 slot_bytes = answer_offset + answer_bytes;
static_assert(serve_threads <= 32, "slots are bits of a word");

// The other end is gone; another request would fare the same.
bool is_gone(Error error)
{
    return error == Error::dead || error == Error::revoked || error == Error::cap_invalid
        || error == Error::port_invalid || error == Error::timed_out;
}

Result<Handle> for_file_system(Handle const& region)
{
    return region.derive(Right::read | Right::write | Right::derive | Right::grant);
}

} // namespace

// One thread's part of the shared region, given back at its end.
class Mount::Slot {
public:
    Slot(Mount& mount, Ref<Connection> connection, u32 index)
        : mount_(&mount)
        , connection_(std::move(connection))
        , index_(index)
    {
    }
    Slot(Slot&& other) noexcept
        : mount_(std::exchange(other.mount_, nullptr))
        , connection_(other.connection_)
        , index_(other.index_)
    {
    }
    Slot& operator=(Slot&&) = delete;
    ~Slot()
    {
        if (mount_)
            connection_->slots_used.fetch_and(~(1u << index_));
    }

    // Names are at most path_bytes_max: the walk saw to that.
    Span first(std::string_view name) { return put(0, name); }
    Span second(std::string_view name) { return put(name_bytes, name); }
    // A value: travels where the answer will be written, once it was read.
    Span third(std::string_view value) { return put(answer_offset, value, answer_bytes); }
    Span answer() const { return { index_ * slot_bytes + answer_offset, answer_bytes }; }
    std::span<std::byte const> answered(usize bytes) const
    {
        auto const all = connection_->region.span().subspan(answer().offset, answer_bytes);
        return all.first(std::min(bytes, all.size()));
    }
    std::string answered_text(usize bytes) const
    {
        auto const answer = answered(bytes);
        return { reinterpret_cast<char const*>(answer.data()), answer.size() };
    }
    template <typename T>
    T answered_struct() const
    {
        T value;
        std::memcpy(&value, answered(sizeof(T)).data(), sizeof(T));
        return value;
    }

    template <typename Request>
    Result<typename Request::Reply> call(Request request)
    {
        auto reply = connection_->directory.call(
            std::move(request), Deadline::after_ms(request_deadline_ms));
        if (!reply && is_gone(reply.error()))
            mount_->drop(connection_, reply.error());
        return reply;
    }

private:
    Span put(u32 offset, std::string_view name, usize bytes_max = name_bytes)
    {
        ASSERT(name.size() <= bytes_max);
        Span const span { index_ * slot_bytes + offset, static_cast<u32>(name.size()) };
        auto const bytes = std::as_bytes(std::span(name));
        std::copy(bytes.begin(), bytes.end(), connection_->region.span().data() + span.offset);
        return span;
    }

    Mount* mount_;
    Ref<Connection> connection_;
    u32 index_;
};

Mount::Mount(MountOptions options, Client<Directory> root, SharedRegion const& mounts_page)
    : path(std::move(options.path))
    , type(std::move(options.type))
    , id(options.id)
    , read_only(options.read_only)
    , root_(std::move(root))
    , mounts_page_(mounts_page)
{
}

// Callers that come while one greets wait for its outcome.
Result<Ref<Mount::Connection>> Mount::connection()
{
    auto connections = connections_.lock();
    if (connections->current)
        return *connections->current;
    if (connections->abandoned.size() == abandoned_max)
        return Error::unavailable;
    auto region = TRY(SharedRegion::create(serve_threads * slot_bytes));
    auto const deadline = Deadline::after_ms(connect_deadline_ms);
    auto attached
        = root_.call(Directory::Attach { .region = TRY(region.handle_for_peer()) }, deadline);
    if (!attached)
        return is_gone(attached.error()) ? Error::unavailable : attached.error();
    auto made = make_ref<Connection>();
    made->directory = Client<Directory>(std::move(attached->directory));
    made->region = std::move(region);
    // Only procfs wants it; the others' refusal is as good.
    if (auto page = mounts_page_.handle_for_peer(RegionAccess::read))
        static_cast<void>(
            made->directory.call(Directory::ShowMounts { .region = std::move(*page) }, deadline));
    connections->current.emplace(made);
    return made;
}

Result<void> Mount::connect()
{
    TRY(connection());
    return {};
}

void Mount::drop(Ref<Connection> const& broken, Error why)
{
    auto connections = connections_.lock();
    if (!connections->current || *connections->current != broken)
        return;
    SOMETIMES("vfs.mount_lost");
    connections->current.reset();
    if (why == Error::timed_out)
        connections->abandoned.push_back(broken);
}

// There is one for each thread of the pool, so one is free.
Result<Mount::Slot> Mount::slot()
{
    auto connection = TRY(this->connection());
    auto used = connection->slots_used.load();
    u32 index = 0;
    do {
        index = static_cast<u32>(std::countr_one(used));
        ASSERT(index < serve_threads);
    } while (!connection->slots_used.compare_exchange_weak(used, used | 1u << index));
    return Slot(*this, std::move(connection), index);
}

Result<void> Mount::check_writable() const
{
    return read_only ? Result<void>(Error::read_only) : Result<void>();
}

template <typename T, typename Make, typename Take>
Result<Found<T>> Mount::ask(Make make, Take take)
{
    auto slot = TRY(this->slot());
    auto reply = TRY(slot.call(make(slot)));
    if (reply.link_bytes != 0)
        return Found<T>(
            fskit::LinkMet { reply.link_component, slot.answered_text(reply.link_bytes) });
    return Found<T>(take(reply, slot));
}

Result<Found<FileKind>> Mount::probe(std::string_view name)
{
    return ask<FileKind>(
        [&](Slot& slot) {
            return Directory::Stat {
                .path = slot.first(name), .last = LastLink::follow, .answer = slot.answer()
            };
        },
        [](auto const&, Slot& slot) { return slot.answered_struct<FileStatus>().kind; });
}

Result<Found<FileStatus>> Mount::stat(std::string_view name, LastLink last)
{
    return ask<FileStatus>(
        [&](Slot& slot) {
            return Directory::Stat {
                .path = slot.first(name), .last = last, .answer = slot.answer()
            };
        },
        [](auto const&, Slot& slot) { return slot.answered_struct<FileStatus>(); });
}

// An opening that would change a read-only mount is refused for the reason that comes first.
Result<std::optional<fskit::LinkMet>> Mount::refuse_changes(std::string_view name, OpenFlags flags)
{
    auto const exclusive = has(flags, OpenFlag::create) && has(flags, OpenFlag::exclusive);
    auto const keeps = exclusive || has(flags, OpenFlag::no_follow);
    auto const found = stat(name, keeps ? LastLink::keep : LastLink::follow);
    if (!found && found.error() == Error::not_found && has(flags, OpenFlag::create))
        return Error::read_only;
    if (!found)
        return found.error();
    if (auto const* const link = std::get_if<fskit::LinkMet>(&*found))
        return std::optional(*link);
    if (exclusive)
        return Error::exists;
    if (std::get<FileStatus>(*found).kind == FileKind::directory)
        return Error::is_directory;
    if (has(flags, OpenFlag::write))
        return Error::read_only;
    return std::optional<fskit::LinkMet>();
}

Result<Found<Opened>> Mount::open(
    std::string_view name, OpenFlags flags, Made const& made, Handle const& region)
{
    if (read_only && (flags & (OpenFlag::write | OpenFlag::create | OpenFlag::truncate))) {
        if (auto link = TRY(refuse_changes(name, flags)))
            return Found<Opened>(std::move(*link));
        flags = flags & ~(OpenFlag::create | OpenFlag::truncate);
    }
    Handle passed;
    if (region)
        passed = TRY(for_file_system(region));
    return ask<Opened>(
        [&](Slot& slot) {
            return Directory::Open { .path = slot.first(name),
                .flags = flags,
                .mode = made.mode,
                .answer = slot.answer(),
                .region = std::move(passed),
                .owner = made.owner };
        },
        [](auto& reply, Slot&) {
            return Opened { reply.kind, reply.size, std::move(reply.file) };
        });
}

Result<Client<Directory>> Mount::show(Handle const& region)
{
    auto passed = TRY(for_file_system(region));
    auto slot = TRY(this->slot());
    auto reply = TRY(slot.call(Directory::Attach { .region = std::move(passed) }));
    return Client<Directory>(std::move(reply.directory));
}

template <typename Request>
Result<Found<u32>> Mount::list(std::string_view name, u64 cookie, std::span<std::byte> into)
{
    return ask<u32>(
        [&](Slot& slot) {
            auto answer = slot.answer();
            answer.length = static_cast<u32>(std::min<usize>(answer.length, into.size()));
            return Request { .path = slot.first(name), .cookie = cookie, .answer = answer };
        },
        [&](auto const& reply, Slot& slot) {
            auto const entries = slot.answered(std::min<usize>(reply.bytes, into.size()));
            std::memcpy(into.data(), entries.data(), entries.size());
            return static_cast<u32>(entries.size());
        });
}

Result<Found<u32>> Mount::readdir(std::string_view name, u64 cookie, std::span<std::byte> into)
{
    return list<Directory::Readdir>(name, cookie, into);
}

Result<Found<u32>> Mount::readdir_status(
    std::string_view name, u64 cookie, std::span<std::byte> into)
{
    return list<Directory::ReaddirStatus>(name, cookie, into);
}

Result<Found<std::string>> Mount::readlink(std::string_view name)
{
    return ask<std::string>(
        [&](Slot& slot) {
            return Directory::Readlink { .path = slot.first(name), .answer = slot.answer() };
        },
        [](auto const& reply, Slot& slot) { return slot.answered_text(reply.bytes); });
}

template <typename Make>
Result<Found<Done>> Mount::change(Make make)
{
    TRY(check_writable());
    return ask<Done>(make, [](auto const&, Slot&) { return Done {}; });
}

Result<Found<Done>> Mount::mkdir(std::string_view name, Made const& made)
{
    return change([&](Slot& slot) {
        return Directory::Mkdir { .path = slot.first(name),
            .mode = made.mode,
            .answer = slot.answer(),
            .owner = made.owner };
    });
}

Result<Found<Done>> Mount::make_node(std::string_view name, Made const& made)
{
    return change([&](Slot& slot) {
        return Directory::MakeNode { .path = slot.first(name),
            .kind = made.kind,
            .mode = made.mode,
            .device = made.device,
            .answer = slot.answer(),
            .owner = made.owner };
    });
}

Result<Found<Done>> Mount::unlink(std::string_view name, RemoveKind kind)
{
    return change([&](Slot& slot) {
        return Directory::Unlink {
            .path = slot.first(name), .kind = kind, .answer = slot.answer()
        };
    });
}

Result<Found<Done>> Mount::symlink(std::string_view name, std::string_view text, Owner owner)
{
    return change([&](Slot& slot) {
        return Directory::Symlink { .path = slot.first(name),
            .text = slot.second(text),
            .answer = slot.answer(),
            .owner = owner };
    });
}

Result<Found<Done>> Mount::set_attributes(
    std::string_view name, LastLink last, FileAttributes const& attributes)
{
    std::string_view const bytes(reinterpret_cast<char const*>(&attributes), sizeof(attributes));
    return change([&](Slot& slot) {
        return Directory::SetAttributes { .path = slot.first(name),
            .last = last,
            .attributes = slot.second(bytes),
            .answer = slot.answer() };
    });
}

// A read-only mount has nothing to make durable, but the path must lead somewhere all the same.
Result<Found<Done>> Mount::sync(std::string_view name, SyncScope scope)
{
    return ask<Done>(
        [&](Slot& slot) {
            return Directory::Sync {
                .path = slot.first(name), .scope = scope, .answer = slot.answer()
            };
        },
        [](auto const&, Slot&) { return Done {}; });
}

Result<Found<std::string>> Mount::get_extended(ExtendedName const& name)
{
    return ask<std::string>(
        [&](Slot& slot) {
            return Directory::GetExtended { .path = slot.first(name.path),
                .last = name.last,
                .attribute = slot.second(name.attribute),
                .answer = slot.answer() };
        },
        [](auto const& reply, Slot& slot) { return slot.answered_text(reply.bytes); });
}

Result<Found<std::string>> Mount::list_extended(std::string_view name, LastLink last)
{
    return ask<std::string>(
        [&](Slot& slot) {
            return Directory::ListExtended {
                .path = slot.first(name), .last = last, .answer = slot.answer()
            };
        },
        [](auto const& reply, Slot& slot) { return slot.answered_text(reply.bytes); });
}

Result<Found<Done>> Mount::set_extended(
    ExtendedName const& name, std::string_view value, ExtendedMode mode)
{
    if (value.size() > answer_bytes)
        return Error::too_big;
    return change([&](Slot& slot) {
        return Directory::SetExtended { .path = slot.first(name.path),
            .last = name.last,
            .attribute = slot.second(name.attribute),
            .value = slot.third(value),
            .mode = mode,
            .answer = slot.answer() };
    });
}

Result<Found<Done>> Mount::remove_extended(ExtendedName const& name)
{
    return change([&](Slot& slot) {
        return Directory::RemoveExtended { .path = slot.first(name.path),
            .last = name.last,
            .attribute = slot.second(name.attribute),
            .answer = slot.answer() };
    });
}

template <typename Make>
Result<std::optional<Mount::PairLink>> Mount::change_pair(Make make)
{
    TRY(check_writable());
    auto slot = TRY(this->slot());
    auto const reply = TRY(slot.call(make(slot)));
    if (reply.link_bytes == 0)
        return std::optional<PairLink>();
    return std::optional(PairLink {
        { reply.link_component, slot.answered_text(reply.link_bytes) }, reply.link_in != 0 });
}

Result<std::optional<Mount::PairLink>> Mount::rename(
    std::string_view from, std::string_view to, RenameMode mode)
{
    return change_pair([&](Slot& slot) {
        return Directory::Rename {
            .from = slot.first(from), .to = slot.second(to), .answer = slot.answer(), .mode = mode
        };
    });
}

Result<std::optional<Mount::PairLink>> Mount::link(std::string_view from, std::string_view to)
{
    return change_pair([&](Slot& slot) {
        return Directory::Link {
            .from = slot.first(from), .to = slot.second(to), .answer = slot.answer()
        };
    });
}

Result<Mount::Checked> Mount::fsck()
{
    auto slot = TRY(this->slot());
    auto const reply = TRY(slot.call(Directory::Fsck { .answer = slot.answer() }));
    return Checked { reply.problems, slot.answered_text(reply.bytes) };
}

Result<u64> Mount::trim()
{
    if (read_only)
        return Error::read_only;
    auto slot = TRY(this->slot());
    return TRY(slot.call(Directory::Trim {})).bytes;
}

Result<VolumeStatus> Mount::statfs()
{
    auto slot = TRY(this->slot());
    TRY(slot.call(Directory::Statfs { .answer = slot.answer() }));
    auto status = slot.answered_struct<VolumeStatus>();
    status.read_only |= read_only ? 1 : 0;
    return status;
}

} // namespace gemel::vfs
