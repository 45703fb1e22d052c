// The PC's serial chip. TI PC16550D data sheet, section 8.
#include "servers/console/uart.hpp"

namespace gemel::console {
namespace {

constexpr u32 data = 0;
constexpr u32 interrupt_enable = 1;
constexpr u32 interrupt_identity = 2; // read
constexpr u32 fifo_control = 2; // written
constexpr u32 line_control = 3;
constexpr u32 modem_control = 4;
constexpr u32 line_status = 5;

constexpr u32 enable_received = 1 << 0;
constexpr u32 enable_room = 1 << 1;
constexpr u32 identity_none = 1 << 0;
constexpr u32 status_received = 1 << 0;
constexpr u32 status_room = 1 << 5;
constexpr u32 fifo_on = 0x01;
constexpr u32 fifo_clear_transmit = 0x04;
constexpr u32 line_8_bits = 0x03;
constexpr u32 line_divisor = 0x80;
// Data terminal ready, request to send, and the output that lets the interrupt through.
constexpr u32 modem_ready = 0x0B;
constexpr usize fifo_bytes = 16;

class Uart16550 final : public Uart {
public:
    explicit Uart16550(Own<Registers> registers)
        : registers_(std::move(registers))
    {
        registers_->write(interrupt_enable, 0);
        registers_->write(line_control, line_divisor);
        registers_->write(data, 1); // 115,200 baud
        registers_->write(interrupt_enable, 0);
        registers_->write(line_control, line_8_bits);
        registers_->write(fifo_control, fifo_on | fifo_clear_transmit);
        registers_->write(modem_control, modem_ready);
        registers_->write(interrupt_enable, enable_received);
    }
    std::optional<u8> receive() override
    {
        auto const status = registers_->read(line_status);
        if (status == 0xFF || (status & status_received) == 0)
            return std::nullopt;
        return static_cast<u8>(registers_->read(data));
    }
    usize transmit(std::string_view bytes) override
    {
        usize sent = 0;
        while (sent < bytes.size() && (registers_->read(line_status) & status_room) != 0)
            for (usize i = 0; i < fifo_bytes && sent < bytes.size(); ++i)
                registers_->write(data, static_cast<u8>(bytes[sent++]));
        return sent;
    }
    void want_room(Room room) override
    {
        if (room == room_)
            return;
        room_ = room;
        registers_->write(
            interrupt_enable, enable_received | (room == Room::interrupt ? enable_room : 0));
    }
    // Reading the identity takes the "room" cause away; "received" lasts while there is a byte.
    bool settle() override
    {
        return (registers_->read(interrupt_identity) & identity_none) == 0
            && (registers_->read(line_status) & status_received) != 0;
    }

private:
    Own<Registers> registers_;
    Room room_ = Room::ignore;
};

} // namespace

Own<Uart> make_uart_16550(Own<Registers> registers)
{
    return std::make_unique<Uart16550>(std::move(registers));
}

} // namespace gemel::console
