// The host's side of the machine's serial line: what the system sends goes through the filter to
// standard output, what arrives on standard input is typed.
#pragma once

#include "frontends/cli/serial_filter.hpp"
#include "sim/devices/uart_16550.hpp"

#include <optional>
#include <string>

namespace gemel::cli {

// What standard input is. A terminal is raw: every key is the system's. Anything else is typed as
// it comes, and its end is a Ctrl-D.
enum class Input { terminal, stream };

// Somebody who listens on the line: told before it happens.
class ConsoleTap {
public:
    virtual ~ConsoleTap() = default;
    virtual void typed(std::string_view bytes) = 0;
    virtual void shown(std::string_view bytes) = 0;
    virtual void left() = 0; // the user takes the machine away
};

class HostConsole {
public:
    // The machine outlives it, and the tap, if there is one; nobody else watches standard input.
    HostConsole(
        arch::Machine& machine, SerialFilter& filter, Input input, ConsoleTap* tap = nullptr);
    // At a serial port that is there already, whose output whoever made it hands to sends().
    HostConsole(arch::Machine& machine, SerialFilter& filter, Input input, sim::Uart16550& uart);

    sim::Uart16550& uart() { return uart_; }
    // The system sends bytes.
    void sends(std::string_view bytes);
    // Writes out what is buffered.
    void flush();
    // Something was typed and not taken yet. May be asked in a signal's handler.
    bool input_waits() const noexcept;
    // Where the filter's output goes.
    void show(std::string_view text);

private:
    void start_input();
    void listen(bool on);
    void take_input();
    void typed(std::string_view bytes);
    void arrives(std::string_view bytes);
    void ended();
    void idle();

    arch::Machine& machine_;
    SerialFilter& filter_;
    Input input_;
    ConsoleTap* tap_ = nullptr;
    std::optional<sim::Uart16550> own_;
    sim::Uart16550& uart_;
    std::string output_;
    bool listens_ = false; // to standard input
    bool paused_ = false; // input waits until the driver has taken what is typed
};

} // namespace gemel::cli
