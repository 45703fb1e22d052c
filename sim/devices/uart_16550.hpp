// A 16550A serial port: what the machine's console is. The far end of its line is the host: bytes
// that the system sends go to `output`, bytes that a person types come in through `type`.
#pragma once

#include <gemel/arch/machine.hpp>

#include <deque>
#include <functional>
#include <string_view>

namespace gemel::sim {

class Uart16550 final : public hosted::Device {
public:
    using Output = std::function<void(char)>;

    // Raises `line` of the machine. Both machine and output outlive it.
    Uart16550(arch::Machine& machine, u32 line, Output output);

    u32 read(u32 offset, u32 bytes) override;
    void write(u32 offset, u32 bytes, u32 value) override;

    // Bytes arrive from outside, in order; kept until the driver takes them.
    void type(std::string_view bytes);
    // How many the driver has not taken yet: whoever types much waits for this to shrink.
    usize untaken() const { return received_.size(); }

    // For a restart point: registers, and what the driver has not taken. False: cut off.
    void save(hosted::StateWriter& to);
    bool load(hosted::StateReader& from);

private:
    template <typename Visitor>
    void visit_registers(Visitor& visit);
    bool latch_selected() const { return (line_control_ & 0x80) != 0; }
    u32 interrupt_identity();
    void raise_if_due();

    arch::Machine& machine_;
    u32 line_;
    Output output_;
    std::deque<char> received_;
    u8 interrupt_enable_ = 0;
    u8 line_control_ = 0;
    u8 modem_control_ = 0;
    u8 scratch_ = 0;
    u8 divisor_[2] = { 1, 0 };
    bool sent_pending_ = false; // "transmitter empty" was not told yet
};

} // namespace gemel::sim
