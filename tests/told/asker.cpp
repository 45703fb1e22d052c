#include "tests/told/asker.hpp"

namespace gemel::told {

using protocol::Directory;

namespace {

constexpr usize region_bytes = 16 * 1024;
constexpr u32 first_offset = 0;
constexpr u32 second_offset = 4096;
constexpr Span answer { 8192, 4096 };
constexpr Span small_answer { 8192, sizeof(FileStatus) - 1 };
constexpr std::byte spoiled { 0xA5 };

std::string_view bytes_of(FileAttributes const& attributes)
{
    return { reinterpret_cast<char const*>(&attributes), sizeof(attributes) };
}

} // namespace

Result<Asker> Asker::create(
    std::string_view name, Client<protocol::Directory> const& root, Log& log)
{
    auto region = TRY(SharedRegion::create(region_bytes));
    auto attached = TRY(root.call(Directory::Attach { TRY(region.handle_for_peer()) }));
    return Asker(name, Client<Directory>(std::move(attached.directory)), std::move(region), log);
}

Span Asker::put(std::string_view text, u32 offset)
{
    std::memcpy(region_.span().data() + offset, text.data(), text.size());
    return { offset, static_cast<u32>(text.size()) };
}

FileStatus Asker::status_in_answer() const
{
    FileStatus status;
    std::memcpy(&status, region_.span().data() + answer.offset, sizeof(status));
    return status;
}

void Asker::spoil_answer()
{
    auto const room = region_.span().subspan(answer.offset, answer.length);
    std::fill(room.begin(), room.end(), spoiled);
}

void Asker::wrong(std::string_view what, std::string_view path, std::string_view why)
{
    ++tally_.wrong;
    log_.error(name_, ": ", what, " ", path, ": ", why);
}

template <typename Request>
void Asker::check(std::string_view what, std::string_view path, Request request)
{
    spoil_answer();
    auto const reply = directory_.call(std::move(request));
    if (!reply && reply.error() == Error::read_only) {
        ++tally_.refused;
        return;
    }
    if (!reply)
        return wrong(what, path, "refused");
    if (reply->link_bytes != 0)
        return wrong(what, path, "met a link");
    if (reply->status_bytes != sizeof(FileStatus))
        return wrong(what, path, "told nothing");
    auto const told = status_in_answer();
    spoil_answer();
    if (!directory_.call(Directory::Stat { put(path, first_offset), LastLink::keep, answer }))
        return wrong(what, path, "is not there");
    auto const asked = status_in_answer();
    if (std::memcmp(&told, &asked, sizeof(told)) != 0)
        return wrong(what, path, "told something else than Stat");
    ++tally_.told;
}

void Asker::make_directory(std::string_view path)
{
    check("mkdir", path, Directory::Mkdir { put(path, first_offset), 0751, answer, { 3, 4 } });
}

void Asker::make_node(std::string_view path, FileKind kind)
{
    constexpr u64 device = u64 { 7 } << 32 | 9;
    check("make_node", path,
        Directory::MakeNode { put(path, first_offset), kind, 0640, device, answer, { 5, 6 } });
}

void Asker::make_symlink(std::string_view path, std::string_view text)
{
    check("symlink", path,
        Directory::Symlink { put(path, first_offset), put(text, second_offset), answer, { 1, 2 } });
}

void Asker::link(std::string_view from, std::string_view to)
{
    check("link", to, Directory::Link { put(from, first_offset), put(to, second_offset), answer });
}

void Asker::set_attributes(std::string_view path, FileAttributes const& attributes)
{
    check("set_attributes", path,
        Directory::SetAttributes { put(path, first_offset), LastLink::keep,
            put(bytes_of(attributes), second_offset), answer });
}

void Asker::create(std::string_view path, OpenFlags flags)
{
    check("create", path,
        Directory::Open { .path = put(path, first_offset),
            .flags = flags | OpenFlag::create,
            .mode = 0604,
            .answer = answer,
            .region = Handle(),
            .owner = { 8, 9 } });
}

void Asker::make_directory_without_room(std::string_view path)
{
    constexpr auto what = "mkdir without room";
    spoil_answer();
    auto const made
        = directory_.call(Directory::Mkdir { put(path, first_offset), 0700, small_answer, {} });
    auto const first = region_.span()[answer.offset];
    if (!made)
        return wrong(what, path, "refused");
    if (made->status_bytes != 0 || first != spoiled)
        return wrong(what, path, "told all the same");
    if (!directory_.call(Directory::Stat { put(path, first_offset), LastLink::keep, answer }))
        wrong(what, path, "is not there");
}

void Asker::open(std::string_view path)
{
    auto const opened = directory_.call(Directory::Open { .path = put(path, first_offset),
        .flags = static_cast<OpenFlags>(OpenFlag::read),
        .answer = answer });
    if (!opened)
        return wrong("open", path, "refused");
    if (opened->status_bytes != 0)
        wrong("open", path, "told without being asked");
}

void Asker::remove(std::string_view path, RemoveKind kind)
{
    if (!directory_.call(Directory::Unlink { put(path, first_offset), kind, answer }))
        wrong("unlink", path, "refused");
}

} // namespace gemel::told
