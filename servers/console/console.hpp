// The terminal: who waits to read, what waits to be sent. One thread works on it.
#pragma once

#include "servers/console/line_discipline.hpp"
#include "servers/console/uart.hpp"
#include "servers/protocols/console.hpp"
#include "servers/protocols/file.hpp"
#include "servers/protocols/refused.hpp"
#include "servers/rt/object_server.hpp"

#include <deque>
#include <string>

namespace gemel::console {

struct TerminalSize {
    u16 columns = 80;
    u16 rows = 24;
};

class Console {
public:
    using Read = Deferred<protocol::File, protocol::File::Read>;
    using Write = Deferred<protocol::File, protocol::File::Write>;

    // Writers wait above this.
    static constexpr usize output_bytes_max = 64 * 1024;
    static constexpr usize waiters_max = 1024;

    Console(Own<Uart> uart, TerminalSize size, FarEnd far_end)
        : uart_(std::move(uart))
        , size_(size)
        , discipline_(far_end)
    {
    }

    // The device's interrupt: takes what came in, sends on.
    void device_interrupt();
    // For a console after one that died: the rest of a line whose beginning that one took along.
    // Half a command is another command.
    void drop_broken_line();
    // Answered when the device has the bytes: who ends the machine then loses none of them. The
    // terminal's line ends are made here.
    void write(Ref<SharedRegion> region, Span span, Write deferred);
    void read(Ref<SharedRegion> region, Span span, Read deferred);
    // Nobody waits through this region any more: its file was closed, or its program ended, and
    // with it went the memory.
    void forget(Ref<SharedRegion> const& region);
    void set_mode(protocol::ConsoleMode mode);
    void put_back(std::string_view bytes);
    void on_interrupt(Handle port, u64 bits);
    TerminalSize size() const { return size_; }

private:
    struct WaitingRead {
        Ref<SharedRegion> region;
        Span span;
        Read deferred;
    };
    struct WaitingWrite {
        Ref<SharedRegion> region;
        Span span;
        Write deferred;
    };
    // One whose bytes are in output_, up to the place `end` of all that was ever shown.
    struct TakenWrite {
        u64 end;
        u32 count;
        Write deferred;
    };

    void receive();
    void serve_readers();
    bool serve_reader(WaitingRead& reader);
    void take(WaitingWrite& writer);
    void show(std::string_view text);
    void send();
    void answer_writers();

    Own<Uart> uart_;
    TerminalSize size_;
    LineDiscipline discipline_;
    std::deque<WaitingRead> readers_;
    std::deque<WaitingWrite> writers_;
    std::deque<TakenWrite> taken_;
    std::string output_;
    usize sent_ = 0; // of output_
    u64 sent_before_ = 0; // bytes sent before those of output_
    Handle interrupt_port_;
    u64 interrupt_bits_ = 0;
};

// What an Open gave out: the same terminal for everybody.
class ConsoleFile : public RefusedFileRequests {
public:
    using RefusedFileRequests::on;

    ConsoleFile(Console& console, ObjectServer& server, SharedRegion region)
        : console_(console)
        , server_(server)
        , region_(make_ref<SharedRegion>(std::move(region)))
    {
    }
    ~ConsoleFile() { console_.forget(region_); }
    ConsoleFile(ConsoleFile const&) = delete;
    static Result<Handle> publish(Console& console, ObjectServer& server, Handle region);

    void on(protocol::File::Read request, Console::Read deferred);
    void on(protocol::File::Write request, Console::Write deferred);
    Result<protocol::File::Close::Reply> on(protocol::File::Close const&)
    {
        return protocol::File::Close::Reply {};
    }
    Result<protocol::File::Sync::Reply> on(protocol::File::Sync const&)
    {
        return protocol::File::Sync::Reply {};
    }
    Result<protocol::File::Stat::Reply> on(protocol::File::Stat const& request);
    Result<protocol::File::Resize::Reply> on(protocol::File::Resize const&)
    {
        return Error::unsupported;
    }
    Result<protocol::File::Attach::Reply> on(protocol::File::Attach request);

private:
    Console& console_;
    ObjectServer& server_;
    Ref<SharedRegion> region_;
};

// The service itself.
class ConsoleRoot {
public:
    ConsoleRoot(Console& console, ObjectServer& server)
        : console_(console)
        , server_(server)
    {
    }
    Result<protocol::Console::Open::Reply> on(protocol::Console::Open request);
    Result<protocol::Console::SetMode::Reply> on(protocol::Console::SetMode const& request);
    Result<protocol::Console::OnInterrupt::Reply> on(protocol::Console::OnInterrupt request);
    Result<protocol::Console::Size::Reply> on(protocol::Console::Size const&);
    Result<protocol::Console::PutBack::Reply> on(protocol::Console::PutBack const& request);

private:
    Console& console_;
    ObjectServer& server_;
};

} // namespace gemel::console
