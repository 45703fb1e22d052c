// The server's side of the device (ring.hpp): its registers, its interrupt and the slots.
#pragma once

#include "servers/hostmount/ring.hpp"
#include "servers/protocols/devices.hpp"
#include "servers/rt/broker.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/region.hpp"

#include <optional>
#include <vector>

namespace gemel::hostmount {

// One request and the room for its answer. Both are shared with the host: each word is read once.
class Slot {
public:
    Slot(SharedRegion region, u32 base)
        : region_(std::move(region))
        , base_(base)
    {
    }

    Request request() const;
    bool interrupted() const;
    void put(Reply const& reply) const;
    std::span<std::byte> bytes(u32 offset, u32 count) const
    {
        return region_.span().subspan(offset, count);
    }
    // invalid: more than a name's room.
    Result<std::string> text(u32 offset, u32 count) const;
    // The same bytes as the session's memory names them.
    Span span(u32 offset, u32 count) const { return { base_ + offset, count }; }
    SharedRegion const& region() const { return region_; }

private:
    SharedRegion region_;
    u32 base_;
};

class Channel {
public:
    // Each interrupt signals `port` with `bits`. Errors: the device manager's; unsupported for a
    // device of another version.
    static Result<Channel> open(
        Client<protocol::Devices> const& devices, Handle const& port, u64 bits);

    std::vector<Slot> const& slots() const { return slots_; }

    struct Taken {
        u32 slot = 0;
        bool more = false; // others wait
    };
    // The next request, if one waits.
    std::optional<Taken> take() const;
    void answer(u32 slot) const;
    void say(DriverState state) const;
    void acknowledge_interrupt() const;

private:
    u32 read(Register at) const;
    void write(Register at, u32 value) const;

    Client<protocol::Device> device_;
    PioBroker ports_;
    u32 first_port_ = 0;
    IrqBroker irq_;
    u32 line_ = 0;
    std::vector<Slot> slots_;
};

} // namespace gemel::hostmount
