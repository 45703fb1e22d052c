#include "servers/pager/backing.hpp"

#include <cstring>

namespace gemel::pager {

namespace {

constexpr u64 answer_ms_max = 10'000;

Deadline soon()
{
    return Deadline::after_ms(answer_ms_max);
}

} // namespace

Result<Backing> Backing::open(Client<protocol::File> const& given, Ref<SharedRegion> buffer)
{
    auto attached
        = TRY(given.call(protocol::File::Attach { TRY(buffer->handle_for_peer()) }, soon()));
    Client<protocol::File> file(std::move(attached.file));
    Span const answer { 0, sizeof(FileStatus) };
    TRY(file.call(protocol::File::Stat { answer }, soon()));
    FileStatus status;
    std::memcpy(&status, TRY(buffer->at(answer)).data(), sizeof(status));
    if (status.kind != FileKind::regular)
        return Error::invalid;
    return Backing(std::move(file), std::move(buffer), status.size);
}

Result<std::span<std::byte const>> Backing::read(u64 offset, u32 bytes) const
{
    u32 done = 0;
    while (done < bytes) {
        Span const span { done, bytes - done };
        auto const reply = TRY(file_.call(protocol::File::Read { offset + done, span }, soon()));
        if (reply.bytes > span.length)
            return Error::invalid_request;
        if (reply.bytes == 0)
            break;
        done += reply.bytes;
    }
    return std::span<std::byte const>(buffer_->span().first(done));
}

} // namespace gemel::pager
