#include "servers/pipe/pipe.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace gemel::pipe {
namespace {

// A program that ends takes its memory along: what it left waiting must not be touched.
bool is_there(SharedRegion const& region)
{
    return region.handle().inspect().has_value();
}

// False where memory ends. An end that closes settles what waits, and from there nothing may be
// thrown.
bool append(std::string& buffer, std::span<std::byte const> bytes)
{
    try {
        buffer.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    } catch (std::bad_alloc const&) {
        return false;
    }
    return true;
}

} // namespace

void Pipe::closed(End end, Ref<SharedRegion> const& region)
{
    auto const through_region = [&](auto const& waiting) { return waiting.region == region; };
    std::erase_if(waiting_readers_, through_region);
    std::erase_if(waiting_writers_, through_region);
    --(end == End::reader ? readers_ : writers_);
    settle();
}

void Pipe::read(Ref<SharedRegion> region, Span span, Read deferred)
{
    auto const valid = region->at(span);
    if (!valid || waiting_readers_.size() >= waiters_max) {
        static_cast<void>(deferred.reply(valid ? Error::too_big : Error::invalid));
        return;
    }
    waiting_readers_.push_back({ std::move(region), span, std::move(deferred) });
    settle();
}

void Pipe::write(Ref<SharedRegion> region, Span span, Write deferred)
{
    auto const valid = region->at(span);
    if (!valid || waiting_writers_.size() >= waiters_max) {
        static_cast<void>(deferred.reply(valid ? Error::too_big : Error::invalid));
        return;
    }
    waiting_writers_.push_back({ std::move(region), span, std::move(deferred) });
    settle();
}

// Until neither a reader nor a writer gets any further.
void Pipe::settle()
{
    for (auto moved = true; moved;) {
        moved = false;
        if (!waiting_writers_.empty() && take(waiting_writers_.front())) {
            waiting_writers_.pop_front();
            moved = true;
        }
        if (!waiting_readers_.empty() && give(waiting_readers_.front())) {
            waiting_readers_.pop_front();
            moved = true;
        }
    }
}

// False: it has to wait. What a reader that has gone would have got stays.
bool Pipe::give(Waiting<Read>& reader)
{
    if (!is_there(*reader.region))
        return true;
    auto const count = std::min<usize>(buffered(), reader.span.length);
    if (count == 0 && reader.span.length > 0 && writers_ > 0)
        return false;
    auto const target = reader.region->at(reader.span);
    ASSERT(target);
    std::memcpy(target.value().data(), buffer_.data() + taken_, count);
    if (reader.deferred.reply(protocol::File::Read::Reply { static_cast<u32>(count) }))
        taken_ += count;
    if (taken_ == buffer_.size() || taken_ >= bytes_max_) {
        buffer_.erase(0, taken_);
        taken_ = 0;
    }
    return true;
}

bool Pipe::take(Waiting<Write>& writer)
{
    if (!is_there(*writer.region))
        return true;
    if (readers_ == 0) {
        static_cast<void>(writer.deferred.reply(Error::dead));
        return true;
    }
    auto const space = bytes_max_ - buffered();
    auto const bytes = writer.region->at(writer.span);
    ASSERT(bytes);
    auto const count = std::min(space, bytes.value().size());
    if (count == 0 && !bytes.value().empty()) {
        if (full_ == protocol::PipeFull::wait)
            return false;
        static_cast<void>(writer.deferred.reply(Error::no_space));
        return true;
    }
    if (append(buffer_, bytes.value().first(count)))
        static_cast<void>(
            writer.deferred.reply(protocol::File::Write::Reply { static_cast<u32>(count) }));
    else
        static_cast<void>(writer.deferred.reply(Error::no_memory));
    return true;
}

PipeEnd::PipeEnd(Ref<Pipe> pipe, End end, ObjectServer& server, SharedRegion region)
    : pipe_(std::move(pipe))
    , end_(end)
    , server_(server)
    , region_(make_ref<SharedRegion>(std::move(region)))
{
    pipe_->opened(end);
}

Result<Handle> PipeEnd::publish(Ref<Pipe> pipe, End end, ObjectServer& server, Handle region)
{
    auto shared = SharedRegion {};
    if (region)
        shared = TRY(SharedRegion::map(std::move(region)));
    return server.publish<protocol::File>(
        make_ref<PipeEnd>(std::move(pipe), end, server, std::move(shared)));
}

void PipeEnd::on(protocol::File::Read request, Pipe::Read deferred)
{
    if (end_ == End::reader)
        pipe_->read(region_, request.span, std::move(deferred));
    else
        static_cast<void>(deferred.reply(Error::no_rights));
}

void PipeEnd::on(protocol::File::Write request, Pipe::Write deferred)
{
    if (end_ == End::writer)
        pipe_->write(region_, request.span, std::move(deferred));
    else
        static_cast<void>(deferred.reply(Error::no_rights));
}

Result<protocol::File::Stat::Reply> PipeEnd::on(protocol::File::Stat const& request)
{
    auto const target = TRY(region_->at(request.answer));
    FileStatus const status {
        .inode = 1, .size = pipe_->buffered(), .mode = 0600, .kind = FileKind::pipe
    };
    if (target.size() < sizeof(status))
        return Error::too_big;
    std::memcpy(target.data(), &status, sizeof(status));
    return protocol::File::Stat::Reply {};
}

Result<protocol::File::Attach::Reply> PipeEnd::on(protocol::File::Attach request)
{
    return protocol::File::Attach::Reply { TRY(
        publish(pipe_, end_, server_, std::move(request.region))) };
}

Result<protocol::Pipes::Create::Reply> PipeRoot::on(protocol::Pipes::Create const& request)
{
    auto const bytes = request.bytes_max == 0 ? pipe_bytes_default : request.bytes_max;
    if (bytes > pipe_bytes_max)
        return Error::too_big;
    auto pipe = make_ref<Pipe>(bytes, request.full);
    auto reader = TRY(PipeEnd::publish(pipe, End::reader, server_, Handle()));
    auto writer = TRY(PipeEnd::publish(pipe, End::writer, server_, Handle()));
    return protocol::Pipes::Create::Reply { std::move(reader), std::move(writer) };
}

static_assert(Serves<PipeEnd, protocol::File>);
static_assert(Serves<PipeRoot, protocol::Pipes>);

} // namespace gemel::pipe
