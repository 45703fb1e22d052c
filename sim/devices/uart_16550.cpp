// PC16550D data sheet, section 8 (registers). The line is idle at once after each byte sent: the
// host takes it without delay.
#include "sim/devices/uart_16550.hpp"

namespace gemel::sim {

namespace {

enum Register : u32 {
    data = 0,
    interrupt_enable = 1,
    interrupt_identity_or_fifo = 2,
    line_control = 3,
    modem_control = 4,
    line_status = 5,
    modem_status = 6,
    scratch = 7,
};

constexpr u8 enable_received = 1;
constexpr u8 enable_sent = 2;
constexpr u8 identity_none = 0x01;
constexpr u8 identity_sent = 0x02;
constexpr u8 identity_received = 0x04;
constexpr u8 identity_fifos = 0xC0;
constexpr u8 status_received = 0x01;
constexpr u8 status_sender_idle = 0x60;
constexpr u8 modem_loop = 0x10;
constexpr u8 modem_ready = 0xB0; // carrier, ready, clear to send

} // namespace

Uart16550::Uart16550(arch::Machine& machine, u32 line, Output output)
    : machine_(machine)
    , line_(line)
    , output_(std::move(output))
{
}

void Uart16550::type(std::string_view bytes)
{
    received_.insert(received_.end(), bytes.begin(), bytes.end());
    raise_if_due();
}

u32 Uart16550::read(u32 offset, u32)
{
    switch (offset) {
    case data: {
        if (latch_selected())
            return divisor_[0];
        if (received_.empty())
            return 0;
        auto const byte = static_cast<u8>(received_.front());
        received_.pop_front();
        raise_if_due();
        return byte;
    }
    case interrupt_enable:
        return latch_selected() ? divisor_[1] : interrupt_enable_;
    case interrupt_identity_or_fifo:
        return interrupt_identity();
    case line_control:
        return line_control_;
    case modem_control:
        return modem_control_;
    case line_status:
        return status_sender_idle | (received_.empty() ? 0 : status_received);
    case modem_status:
        return modem_ready;
    case scratch:
        return scratch_;
    }
    return 0xFF;
}

void Uart16550::write(u32 offset, u32, u32 value)
{
    auto const byte = static_cast<u8>(value);
    switch (offset) {
    case data:
        if (latch_selected()) {
            divisor_[0] = byte;
        } else {
            if ((modem_control_ & modem_loop) != 0)
                received_.push_back(static_cast<char>(byte));
            else
                output_(static_cast<char>(byte));
            sent_pending_ = true;
        }
        break;
    case interrupt_enable:
        if (latch_selected()) {
            divisor_[1] = byte;
        } else {
            sent_pending_ = sent_pending_ || (byte & ~interrupt_enable_ & enable_sent) != 0;
            interrupt_enable_ = byte & 0x0F;
        }
        break;
    case line_control:
        line_control_ = byte;
        break;
    case modem_control:
        modem_control_ = byte & 0x1F;
        break;
    case scratch:
        scratch_ = byte;
        break;
    }
    raise_if_due();
}

u32 Uart16550::interrupt_identity()
{
    if ((interrupt_enable_ & enable_received) != 0 && !received_.empty())
        return identity_received | identity_fifos;
    if ((interrupt_enable_ & enable_sent) != 0 && sent_pending_) {
        sent_pending_ = false;
        return identity_sent | identity_fifos;
    }
    return identity_none | identity_fifos;
}

// The line is a level: it is raised again for as long as something is due, so that a driver that
// leaves bytes behind hears of them after it acknowledged.
void Uart16550::raise_if_due()
{
    auto const received = (interrupt_enable_ & enable_received) != 0 && !received_.empty();
    auto const sent = (interrupt_enable_ & enable_sent) != 0 && sent_pending_;
    if (received || sent)
        machine_.raise(line_);
}

template <typename Visitor>
void Uart16550::visit_registers(Visitor& visit)
{
    visit(interrupt_enable_);
    visit(line_control_);
    visit(modem_control_);
    visit(scratch_);
    visit(divisor_);
    visit(sent_pending_);
}

void Uart16550::save(hosted::StateWriter& to)
{
    visit_registers(to);
    to(std::string { received_.begin(), received_.end() });
}

bool Uart16550::load(hosted::StateReader& from)
{
    std::string received;
    visit_registers(from);
    from(received);
    received_.assign(received.begin(), received.end());
    return from.ok();
}

} // namespace gemel::sim
