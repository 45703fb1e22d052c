// A serial line's two chips, behind one face.
#pragma once

#include "servers/console/registers.hpp"

#include <optional>
#include <string_view>

namespace gemel::console {

class Uart {
public:
    virtual ~Uart() = default;
    // The next byte that came in, if any.
    virtual std::optional<u8> receive() = 0;
    // Sends from the front what fits now; how many bytes that was.
    virtual usize transmit(std::string_view bytes) = 0;
    // Whether an interrupt is wanted when there is room to send again.
    enum class Room : u8 { ignore, interrupt };
    virtual void want_room(Room room) = 0;
    // After an interrupt, when everything was served: takes its cause away. True: more came
    // meanwhile.
    virtual bool settle() = 0;
};

// 8 bits, no parity, interrupts for what comes in. What the chip already received is kept.
Own<Uart> make_uart_16550(Own<Registers> registers);
Own<Uart> make_uart_pl011(Own<Registers> registers);

} // namespace gemel::console
