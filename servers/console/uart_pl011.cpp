// Arm's serial chip. PrimeCell UART (PL011) reference manual, chapter 3.
#include "servers/console/uart.hpp"

namespace gemel::console {
namespace {

constexpr u32 data = 0x00;
constexpr u32 flags = 0x18;
constexpr u32 line_control = 0x2C;
constexpr u32 control = 0x30;
constexpr u32 interrupt_mask = 0x38; // 1: lets it through
constexpr u32 interrupt_clear = 0x44;

constexpr u32 flag_receive_empty = 1 << 4;
constexpr u32 flag_transmit_full = 1 << 5;
constexpr u32 line_fifo = 1 << 4;
constexpr u32 line_8_bits = 3 << 5;
constexpr u32 control_on = 0x301; // enabled, sends, receives
constexpr u32 interrupt_received = 1 << 4;
constexpr u32 interrupt_room = 1 << 5;
constexpr u32 interrupt_timeout = 1 << 6; // bytes wait below the FIFO's mark
constexpr u32 interrupts_all = 0x7FF;

class UartPl011 final : public Uart {
public:
    explicit UartPl011(Own<Registers> registers)
        : registers_(std::move(registers))
    {
        registers_->write(interrupt_mask, 0);
        registers_->write(line_control, line_8_bits | line_fifo);
        registers_->write(control, control_on);
        registers_->write(interrupt_clear, interrupts_all);
        registers_->write(interrupt_mask, interrupt_received | interrupt_timeout);
    }
    std::optional<u8> receive() override
    {
        if ((registers_->read(flags) & flag_receive_empty) != 0)
            return std::nullopt;
        return static_cast<u8>(registers_->read(data));
    }
    usize transmit(std::string_view bytes) override
    {
        usize sent = 0;
        while (sent < bytes.size() && (registers_->read(flags) & flag_transmit_full) == 0)
            registers_->write(data, static_cast<u8>(bytes[sent++]));
        return sent;
    }
    void want_room(Room room) override
    {
        registers_->write(interrupt_mask,
            interrupt_received | interrupt_timeout
                | (room == Room::interrupt ? interrupt_room : 0));
    }
    bool settle() override
    {
        registers_->write(interrupt_clear, interrupts_all);
        return (registers_->read(flags) & flag_receive_empty) == 0;
    }

private:
    Own<Registers> registers_;
};

} // namespace

Own<Uart> make_uart_pl011(Own<Registers> registers)
{
    return std::make_unique<UartPl011>(std::move(registers));
}

} // namespace gemel::console
