#include "servers/init/vfs_session.hpp"

#include "servers/protocols/file.hpp"

#include <cstring>

namespace gemel::init {

namespace {

constexpr usize region_bytes = 16 * page_bytes;
constexpr u32 mount_read_only = 1;

Deadline soon()
{
    return Deadline::after_ms(worker_call_ms);
}

} // namespace

Result<VfsSession> VfsSession::open(Handle vfs)
{
    Client<protocol::Vfs> client(std::move(vfs));
    auto region = TRY(SharedRegion::create(region_bytes));
    TRY(client.call(protocol::Vfs::Attach { TRY(region.handle_for_peer()) }, soon()));
    return VfsSession(std::move(client), std::move(region));
}

Result<Span> VfsSession::put(std::string_view path)
{
    if (path.size() > page_bytes)
        return Error::name_too_long;
    std::memcpy(region_.span().data(), path.data(), path.size());
    return Span { 0, static_cast<u32>(path.size()) };
}

Result<void> VfsSession::mount(MountRequest request)
{
    auto const path = TRY(put(request.path));
    TRY(vfs_.call(protocol::Vfs::Mount { .path = path,
                      .type = std::string_view(request.type),
                      .flags = request.read_only ? mount_read_only : 0,
                      .directory = std::move(request.directory) },
        soon()));
    return {};
}

Result<std::string> VfsSession::read_file(std::string_view path, usize bytes_max)
{
    using protocol::File;
    auto opened = TRY(vfs_.call(protocol::Vfs::Open { .path = TRY(put(path)),
                                    .flags = static_cast<OpenFlags>(OpenFlag::read),
                                    .mode = 0,
                                    .region = {} },
        soon()));
    Client<File> const file(std::move(opened.file));
    std::string text;
    for (;;) {
        Span const span { 0, static_cast<u32>(region_bytes) };
        auto const answer = TRY(file.call(File::Read { text.size(), span }, soon()));
        auto const bytes = TRY(region_.at(Span { 0, answer.bytes }));
        if (bytes.empty())
            return text;
        if (text.size() + bytes.size() > bytes_max)
            return Error::too_big;
        text.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    }
}

} // namespace gemel::init
