#include "servers/console/console.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::console {
namespace {

// A program that ends takes its memory along: what it left waiting must not be touched.
bool is_there(SharedRegion const& region)
{
    return region.handle().inspect().has_value();
}

} // namespace

// A cause that comes up while another is served would be lost on an edge-triggered line, so the
// chip is asked until it has nothing more to say.
void Console::device_interrupt()
{
    constexpr int rounds_max = 64;
    for (int round = 0; round < rounds_max; ++round) {
        receive();
        send();
        if (!uart_->settle())
            break;
    }
    serve_readers();
}

void Console::receive()
{
    while (auto const byte = uart_->receive()) {
        auto const taken = discipline_.type(*byte);
        if (taken == LineDiscipline::Taken::dropped)
            show("\a");
        // Who asked for it may be gone: then nobody is interrupted.
        if (taken == LineDiscipline::Taken::interrupt && interrupt_port_)
            static_cast<void>(system::signal(interrupt_port_.value(), interrupt_bits_));
    }
}

void Console::drop_broken_line()
{
    while (auto const byte = uart_->receive()) {
        if (*byte == '\n' || *byte == '\r')
            break;
    }
}

void Console::read(Ref<SharedRegion> region, Span span, Read deferred)
{
    if (!region->at(span)) {
        static_cast<void>(deferred.reply(Error::invalid));
        return;
    }
    if (readers_.size() >= waiters_max) {
        static_cast<void>(deferred.reply(Error::too_big));
        return;
    }
    readers_.push_back({ std::move(region), span, std::move(deferred) });
    serve_readers();
}

void Console::serve_readers()
{
    while (!readers_.empty() && serve_reader(readers_.front()))
        readers_.pop_front();
    send();
}

void Console::forget(Ref<SharedRegion> const& region)
{
    std::erase_if(readers_, [&](WaitingRead const& reader) { return reader.region == region; });
    std::erase_if(writers_, [&](WaitingWrite const& writer) { return writer.region == region; });
}

// False: it has to wait. A reader that has gone takes nothing with it.
bool Console::serve_reader(WaitingRead& reader)
{
    if (!is_there(*reader.region))
        return true;
    auto echo = std::string {};
    auto const text = discipline_.peek(reader.span.length, echo);
    show(echo);
    if (!text)
        return false;
    auto const count = text->size();
    auto const target = reader.region->at(reader.span);
    ASSERT(target);
    std::memcpy(target.value().data(), text->data(), count);
    if (reader.deferred.reply(protocol::File::Read::Reply { static_cast<u32>(count) }))
        discipline_.consume(count);
    return true;
}

void Console::write(Ref<SharedRegion> region, Span span, Write deferred)
{
    if (!region->at(span)) {
        static_cast<void>(deferred.reply(Error::invalid));
        return;
    }
    auto writer = WaitingWrite { std::move(region), span, std::move(deferred) };
    if (writers_.empty() && taken_.size() < waiters_max
        && output_.size() - sent_ < output_bytes_max) {
        take(writer);
        send();
    } else if (writers_.size() >= waiters_max) {
        static_cast<void>(writer.deferred.reply(Error::too_big));
    } else {
        writers_.push_back(std::move(writer));
    }
}

// A part of a long text: a short reply, and the writer comes again.
void Console::take(WaitingWrite& writer)
{
    if (!is_there(*writer.region))
        return;
    auto const bytes = writer.region->at(writer.span);
    ASSERT(bytes);
    auto const count = std::min(bytes.value().size(), output_bytes_max);
    // Copied first: the writer may change the region while it is looked at.
    show(std::string(reinterpret_cast<char const*>(bytes.value().data()), count));
    taken_.push_back(
        { sent_before_ + output_.size(), static_cast<u32>(count), std::move(writer.deferred) });
}

void Console::answer_writers()
{
    while (!taken_.empty() && taken_.front().end <= sent_before_ + sent_) {
        auto done = std::move(taken_.front());
        taken_.pop_front();
        static_cast<void>(done.deferred.reply(protocol::File::Write::Reply { done.count }));
    }
}

// Every \n becomes \r\n, without exception, so that whoever reads the line can undo it exactly.
void Console::show(std::string_view text)
{
    for (auto const c : text) {
        if (c == '\n')
            output_ += '\r';
        output_ += c;
    }
}

void Console::send()
{
    for (;;) {
        sent_ += uart_->transmit(std::string_view(output_).substr(sent_));
        answer_writers();
        if (sent_ < output_.size())
            break;
        sent_before_ += sent_;
        output_.clear();
        sent_ = 0;
        if (writers_.empty())
            break;
        auto writer = std::move(writers_.front());
        writers_.pop_front();
        take(writer);
    }
    uart_->want_room(output_.empty() ? Uart::Room::ignore : Uart::Room::interrupt);
}

void Console::set_mode(protocol::ConsoleMode mode)
{
    discipline_.set_mode(mode == protocol::ConsoleMode::raw ? Mode::raw : Mode::lines);
    serve_readers();
}

void Console::put_back(std::string_view bytes)
{
    discipline_.put_back(bytes);
    serve_readers();
}

void Console::on_interrupt(Handle port, u64 bits)
{
    interrupt_port_ = std::move(port);
    interrupt_bits_ = bits;
}

Result<Handle> ConsoleFile::publish(Console& console, ObjectServer& server, Handle region)
{
    auto shared = SharedRegion {};
    if (region)
        shared = TRY(SharedRegion::map(std::move(region)));
    return server.publish<protocol::File>(
        make_ref<ConsoleFile>(console, server, std::move(shared)));
}

void ConsoleFile::on(protocol::File::Read request, Console::Read deferred)
{
    console_.read(region_, request.span, std::move(deferred));
}

void ConsoleFile::on(protocol::File::Write request, Console::Write deferred)
{
    console_.write(region_, request.span, std::move(deferred));
}

Result<protocol::File::Stat::Reply> ConsoleFile::on(protocol::File::Stat const& request)
{
    auto const target = TRY(region_->at(request.answer));
    FileStatus const status { .inode = 1, .mode = 0600, .kind = FileKind::character_device };
    if (target.size() < sizeof(status))
        return Error::too_big;
    std::memcpy(target.data(), &status, sizeof(status));
    return protocol::File::Stat::Reply {};
}

Result<protocol::File::Attach::Reply> ConsoleFile::on(protocol::File::Attach request)
{
    return protocol::File::Attach::Reply { TRY(
        publish(console_, server_, std::move(request.region))) };
}

Result<protocol::Console::Open::Reply> ConsoleRoot::on(protocol::Console::Open request)
{
    return protocol::Console::Open::Reply { TRY(
        ConsoleFile::publish(console_, server_, std::move(request.region))) };
}

Result<protocol::Console::SetMode::Reply> ConsoleRoot::on(protocol::Console::SetMode const& request)
{
    console_.set_mode(request.mode);
    return protocol::Console::SetMode::Reply {};
}

Result<protocol::Console::OnInterrupt::Reply> ConsoleRoot::on(
    protocol::Console::OnInterrupt request)
{
    console_.on_interrupt(std::move(request.port), request.bits);
    return protocol::Console::OnInterrupt::Reply {};
}

Result<protocol::Console::Size::Reply> ConsoleRoot::on(protocol::Console::Size const&)
{
    return protocol::Console::Size::Reply { console_.size().columns, console_.size().rows };
}

Result<protocol::Console::PutBack::Reply> ConsoleRoot::on(protocol::Console::PutBack const& request)
{
    auto const text = request.text.view();
    console_.put_back(text);
    return protocol::Console::PutBack::Reply {};
}

static_assert(Serves<ConsoleFile, protocol::File>);
static_assert(Serves<ConsoleRoot, protocol::Console>);

} // namespace gemel::console
